"""Records as a Parquet file; ``wide`` says what its columns are.

``encode`` makes the pages of a row group from records as they lie in the trace, and several threads do so at once;
here they get their headers and become a file. pyarrow is asked only for what its own readers look for in the file:
which columns they are to take for categories.

Ref: parquet.thrift of apache/parquet-format
"""

import base64
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, BinaryIO

import pyarrow as pa

from traces.analyses.elapsed import Elapsed
from traces.analyses.report import Report
from traces.analyses.scan import processors
from traces.exporters import wide
from traces.exporters.encode import RLE_DICTIONARY, Encoder
from traces.exporters.thrift import I8, I32, Struct, Value
from traces.reader import Batch, Buffered, batches

_MAGIC = b"PAR1"
#: Records in a row group: what is made of them stays in a core's cache, and readers work on several at once.
_ROWS = 1 << 17
_ENCODINGS_OF_LEVELS = 3  # RLE
_DATA_PAGE, _DICTIONARY_PAGE = I32(0), I32(2)
_REQUIRED, _OPTIONAL = I32(0), I32(1)
_INT32, _INT64, _BYTE_ARRAY = I32(1), I32(2), I32(6)
#: Numbers of the types by which old readers go; of integers, the first of four.
_UTF8, _UINT_8, _INT_8 = 0, 11, 15
_UNCOMPRESSED = I32(0)
_VERSION = 2

_Fields = dict[int, Value | None]
#: What ``encode`` tells of a column.
Page = tuple[int, int, int, int, int, tuple[int, int] | None]


@dataclass(frozen=True)
class _Column:
    name: str
    bits: int  # of a number; 0 of a string
    signed: bool
    nullable: bool

    @property
    def type(self) -> I32:
        return _BYTE_ARRAY if not self.bits else _INT64 if self.bits == 64 else _INT32

    @property
    def element(self) -> Struct:
        if self.bits:
            converted = I32((_INT_8 if self.signed else _UINT_8) + (8, 16, 32, 64).index(self.bits))
            logical = Struct({10: Struct({1: I8(self.bits), 2: self.signed})})
        else:
            converted, logical = I32(_UTF8), Struct({1: Struct({})})
        repetition = _OPTIONAL if self.nullable else _REQUIRED
        return Struct({1: self.type, 3: repetition, 4: self.name.encode(), 6: converted, 10: logical})


def write(source: Buffered, report: Report, output: BinaryIO) -> None:
    """Write the records of a trace, in order of time, in row groups of bounded size.

    :param source: the trace, of which the report is
    :param report: says what of the trace is wanted
    :raises TraceError: it is no xentrace
    """
    file = _File(output, report)
    for rows, body, pages in _row_groups(source, report):
        file.row_group(rows, body, pages)
    file.end()


def _row_groups(source: Buffered, report: Report) -> Iterator[tuple[int, bytes, list[Page]]]:
    workers = processors()
    encoders: SimpleQueue[Encoder] = SimpleQueue()
    for _ in range(workers):
        encoders.put(wide.encoder(report, _ROWS))
    elapsed = Elapsed()

    def encode(batch: Batch, first: int, last: int, start: int, begin: int) -> list[tuple[int, bytes, list[Page]]]:
        encoder = encoders.get()
        found = []
        while first < last:
            first, rows, body, pages = encoder.encode(batch.events, first, last, batch.data, batch.base, start, begin)
            if rows:
                found.append((rows, body, pages))
        encoders.put(encoder)
        return found

    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[list[tuple[int, bytes, list[Page]]]]] = deque()
        for batch in batches(source):
            count = len(batch)
            start, begin = elapsed.go_on(batch.first, batch.last, restart=batch.restart)
            for first in range(0, count, _ROWS):
                waiting.append(pool.submit(encode, batch, first, min(first + _ROWS, count), start, begin))
                while len(waiting) > 2 * workers:
                    yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _column(field: Any) -> _Column:  # noqa: ANN401 - pyarrow ships no types
    if pa.types.is_dictionary(field.type):
        return _Column(field.name, 0, signed=False, nullable=field.nullable)
    return _Column(field.name, field.type.bit_width, pa.types.is_signed_integer(field.type), field.nullable)


class _File:
    # Parquet: row groups one behind the other, and at the end what there is and where.
    def __init__(self, output: BinaryIO, report: Report) -> None:
        self._output = output
        self._schema = wide.schema(report)
        self._columns = [_column(field) for field in self._schema]
        self._places = {column.name: place for place, column in enumerate(self._columns)}
        self._at = 0
        self._rows = 0
        self._groups: list[Struct] = []
        self._put(_MAGIC)

    def row_group(self, rows: int, body: bytes, pages: list[Page]) -> None:
        begin = self._at
        chunks = {}
        rest = memoryview(body)
        for name, page in zip(wide.ENCODED, pages, strict=True):
            _encoding, _entries, dictionary, data, *_ = page
            chunks[name] = self._chunk(name, rows, page, rest)
            rest = rest[dictionary + data :]
        fields: _Fields = {1: [chunks[column.name] for column in self._columns], 2: self._at - begin, 3: rows}
        self._groups.append(Struct(fields))
        self._rows += rows

    def end(self) -> None:
        root = Struct({4: b"schema", 5: I32(len(self._columns))})
        metadata = {key.decode(): value.decode() for key, value in self._schema.metadata.items()}
        # By this pyarrow and pandas see that names are categories.
        metadata["ARROW:schema"] = base64.b64encode(self._schema.serialize()).decode()
        pairs = [Struct({1: key.encode(), 2: value.encode()}) for key, value in metadata.items()]
        # Least and most are by each type's own order.
        orders = [Struct({1: Struct({})}) for _ in self._columns]
        fields: _Fields = {
            1: I32(_VERSION),
            2: [root, *(column.element for column in self._columns)],
            3: self._rows,
            4: self._groups,
            5: pairs,
            6: b"xentool",
            7: orders,
        }
        footer = bytes(Struct(fields))
        self._put(footer + len(footer).to_bytes(4, "little") + _MAGIC)

    def _put(self, data: bytes | memoryview) -> None:
        self._output.write(data)
        self._at += len(data)

    def _chunk(self, name: str, rows: int, page: Page, body: memoryview) -> Struct:
        encoding, entries, dictionary, data, nulls, ranged = page
        column = self._columns[self._places[name]]
        begin = dictionary_at = self._at
        if encoding == RLE_DICTIONARY:
            self._page(_DICTIONARY_PAGE, body[:dictionary], {7: Struct({1: I32(entries), 2: I32(0)})})
        data_at = self._at
        levels = I32(_ENCODINGS_OF_LEVELS)
        header: _Fields = {1: I32(rows), 2: I32(encoding), 3: levels, 4: levels}
        self._page(_DATA_PAGE, body[dictionary : dictionary + data], {5: Struct(header)})
        size = 8 if column.type == _INT64 else 4
        # By these a reader can skip row groups.
        least, most = (bound.to_bytes(size, "little") for bound in ranged) if ranged else (None, None)
        meta: _Fields = {
            1: column.type,
            2: [I32(encoding), levels],
            3: [name.encode()],
            4: _UNCOMPRESSED,
            5: rows,
            6: self._at - begin,
            7: self._at - begin,
            9: data_at,
            11: dictionary_at if encoding == RLE_DICTIONARY else None,
            12: Struct({3: nulls, 5: most, 6: least}),
        }
        return Struct({2: begin, 3: Struct(meta)})

    def _page(self, kind: I32, body: memoryview, header: dict[int, Struct]) -> None:
        size = I32(len(body))
        self._put(bytes(Struct({1: kind, 2: size, 3: size, **header})))
        self._put(body)
