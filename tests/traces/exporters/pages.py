"""The pages of a Parquet file, down to what fills up the last eight of a run: no library shows it, some trip on it.

Ref: parquet.thrift and Encodings of apache/parquet-format; thrift-compact-protocol.md of apache/thrift
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow.parquet as pq

RLE_DICTIONARY = 8


class Codes(NamedTuple):
    """The codes of a page: those that are meant, what fills up their last eight, and how many the dictionary has."""

    column: str
    meant: list[int]
    filling: list[int]
    entries: int


def coded(file: pq.ParquetFile, data: bytes) -> Iterator[Codes]:
    """Give the codes of each page that has any."""
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        for place in range(group.num_columns):
            yield from _of_chunk(group.column(place), data, nullable=file.schema.column(place).max_definition_level > 0)


def _of_chunk(chunk: pq.ColumnChunkMetaData, data: bytes, *, nullable: bool) -> Iterator[Codes]:
    at = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
    end = at + chunk.total_compressed_size
    entries = 0
    while at < end:
        header, at = _struct(data, at)
        page, at = data[at : at + header[3]], at + header[3]
        if 7 in header:
            entries = header[7][1]
        elif header[5][2] == RLE_DICTIONARY:
            present = header[5][1]
            body = 0
            if nullable:
                body = 4 + int.from_bytes(page[:4], "little")
                levels, filling = _runs(page[4:body], 1, header[5][1])
                assert not any(filling), chunk.path_in_schema
                present = sum(levels)
            meant, filling = _runs(page[body + 1 :], page[body], present)
            yield Codes(chunk.path_in_schema, meant, filling, entries)


def _runs(data: bytes, width: int, count: int) -> tuple[list[int], list[int]]:
    # The RLE/bit-packed hybrid: so many values, and what lies behind them.
    values: list[int] = []
    at = 0
    while len(values) < count:
        head, at = _varint(data, at)
        if head & 1:
            size = (head >> 1) * width
            bits = int.from_bytes(data[at : at + size], "little")
            values += [bits >> width * i & (1 << width) - 1 for i in range(8 * (head >> 1))]
        else:
            size = (width + 7) // 8
            values += [int.from_bytes(data[at : at + size], "little")] * (head >> 1)
        at += size
    assert at == len(data)
    return values[:count], values[count:]


def _struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    # Of numbers and structs, as page headers are.
    found: dict[int, Any] = {}
    field = 0
    while data[at]:
        kind, step = data[at] & 15, data[at] >> 4
        at += 1
        field += step
        if kind == 12:
            found[field], at = _struct(data, at)
        else:
            assert kind in (5, 6)
            number, at = _varint(data, at)
            found[field] = number >> 1 ^ -(number & 1)
    return found, at + 1


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at
