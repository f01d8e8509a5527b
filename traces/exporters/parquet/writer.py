"""Records as a Parquet file; ``wide`` says what its columns are.

``encode`` makes the pages of a row group from records as they lie in the trace, and several threads do so at once, and
write them one after the other; here these become a file. That needs no library of Parquet's, which would take a third
of a second to load.

Ref: parquet.thrift of apache/parquet-format
"""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from itertools import cycle
from typing import BinaryIO

from traces.analyses.elapsed import Elapsed
from traces.answers import Report
from traces.batches import Batch, Filler, Spare, batches
from traces.exporters.columns import COLUMNS, ENCODED, Column, encoder, metadata
from traces.exporters.parquet import arrow
from traces.exporters.parquet.encode import PLAIN, Encoder
from traces.exporters.parquet.thrift import I8, I32, Struct, Value, varint
from traces.plain import frozen
from traces.scan import processors
from traces.worker import Answer, Worker

_MAGIC = b"PAR1"
#: Records in a row group, at most: readers keep one in memory, and work on several at once.
_ROWS = 1 << 19
_RLE = I32(3)
_DATA_PAGE, _DICTIONARY_PAGE = I32(0), I32(2)
_REQUIRED, _OPTIONAL = I32(0), I32(1)
_INT32, _INT64, _BYTE_ARRAY = I32(1), I32(2), I32(6)
#: Numbers of the types by which old readers go; of integers, the first of four.
_UTF8, _UINT_8, _INT_8 = 0, 11, 15
_UNCOMPRESSED = I32(0)
_VERSION = 2

#: The columns that ``encode`` makes, in its order.
_ENCODED = {COLUMNS[place].name: order for order, place in enumerate(ENCODED)}
#: What ``encode`` tells of a column: see there.
Made = tuple[bytes | None, int, memoryview, list[int], int, tuple[int, int] | None]


@frozen
class Form:
    """What a file has.

    :param columns: of its table; those that no record of Xen's has are null
    :param pairs: what is told of it, by keys
    :param called: of columns of names, the column of numbers that they are names of, and the name of each number
    """

    columns: tuple[Column, ...]
    pairs: Mapping[str, str]
    called: Mapping[str, tuple[str, Callable[[int], str]]]


def events(report: Report) -> Form:
    """Give the form of a file that is a trace's alone."""
    told = metadata(report)
    return Form(COLUMNS, {**told, "ARROW:schema": arrow.schema(told)}, {})


def write(source: Filler, report: Report, output: BinaryIO, form: Form | None = None, lanes: int | None = None) -> int:
    """Write the records of a trace, in order of time, in row groups of bounded size.

    :param source: the trace, of which the report is
    :param report: says what of the trace is wanted
    :param form: that of ``events`` if it is None
    :param lanes: threads at most, and one that waits; None for as many as are of use here
    :returns: how many rows they are
    :raises TraceError: it is no xentrace
    """
    file = _File(output, form or events(report))
    elapsed = Elapsed()
    spare = Spare(), Spare()
    before: Answer[None] | None = None

    def work(own: Encoder, batch: Batch, start: int, begin: int, before: Answer[None] | None) -> None:
        first, count = 0, len(batch)
        while first < count:
            first, rows, columns = own.encode(batch.events, first, count, batch.data, batch.base, start, begin)
            if before:
                # Row groups lie in order of time; and what failed before this one fails it, too.
                before.result()
            file.row_group(rows, columns)
        for buffers, buffer in zip(spare, batch.buffers or (), strict=False):
            buffers.give(buffer)

    with ExitStack() as stack:
        # One more than there are processors: one may wait for its turn to write.
        workers = [(stack.enter_context(Worker()), encoder(report, _ROWS)) for _ in range((lanes or processors()) + 1)]
        waiting: deque[Answer[None]] = deque()
        for batch, (worker, own) in zip(batches(source, spare, report.shifts), cycle(workers), strict=False):
            start, begin = elapsed.go_on(batch.first, batch.last, restart=batch.restart)
            before = worker.submit(work, own, batch, start, begin, before)
            waiting.append(before)
            # All have something to do while the next batch is cut; more would only lie in memory.
            while len(waiting) > len(workers):
                waiting.popleft().result()
        for one in waiting:
            one.result()
    return file.end()


class _File:
    # Parquet: row groups one behind the other, and at the end what there is and where.
    def __init__(self, output: BinaryIO, form: Form) -> None:
        self._output = output
        self._form = form
        # They lie in the order in which they are made, and what is made of them behind.
        self._order = sorted(form.columns, key=lambda one: _ENCODED.get(one.name, len(_ENCODED)))
        self._at = 0
        self._rows = 0
        self._groups: list[Struct] = []
        self._put(_MAGIC)

    def row_group(self, rows: int, columns: list[Made]) -> None:
        if not rows:
            return
        begin = self._at
        found = dict(zip(_ENCODED, columns, strict=True))
        chunks = {one.name: self._chunk(one, rows, self._made(one.name, rows, found)) for one in self._order}
        inside = [chunks[column.name] for column in self._form.columns]
        self._groups.append(Struct({1: inside, 2: self._at - begin, 3: rows}))
        self._rows += rows

    def _made(self, name: str, rows: int, found: dict[str, Made]) -> Made:
        if name in found:
            return found[name]
        if name not in self._form.called:
            return _absent(rows)
        # The pages have places in a dictionary: with another one, the same pages are the names.
        of, called = self._form.called[name]
        dictionary, entries, pages, encodings, nulls, _ = found[of]
        numbers = memoryview(dictionary or b"").cast("I")
        return b"".join(_text(called(number)) for number in numbers) or None, entries, pages, encodings, nulls, None

    def end(self) -> int:
        root = Struct({4: b"schema", 5: I32(len(self._form.columns))})
        # Least and most are by each type's own order.
        orders = [Struct({1: Struct({})}) for _ in self._form.columns]
        fields: dict[int, Value | None] = {
            1: I32(_VERSION),
            2: [root, *map(_element, self._form.columns)],
            3: self._rows,
            4: self._groups,
            5: [Struct({1: key.encode(), 2: value.encode()}) for key, value in self._form.pairs.items()],
            6: b"xentool",
            7: orders,
        }
        footer = bytes(Struct(fields))
        self._put(footer + len(footer).to_bytes(4, "little") + _MAGIC)
        return self._rows

    def _put(self, data: bytes | memoryview) -> None:
        self._output.write(data)
        self._at += len(data)

    def _chunk(self, column: Column, rows: int, made: Made) -> Struct:
        dictionary, entries, pages, encodings, nulls, ranged = made
        begin = self._at
        if dictionary is not None:
            size = I32(len(dictionary))
            values = Struct({1: I32(entries), 2: I32(PLAIN)})
            self._put(bytes(Struct({1: _DICTIONARY_PAGE, 2: size, 3: size, 7: values})) + dictionary)
        data_at = self._at
        self._put(pages)
        # By these a reader can skip row groups.
        if ranged is None and column.bits and dictionary is not None:
            distinct = memoryview(dictionary).cast("I")
            ranged = min(distinct), max(distinct)
        width = 8 if column.bits == 64 else 4
        least, most = (bound.to_bytes(width, "little") for bound in ranged) if ranged else (None, None)
        fields: dict[int, Value | None] = {
            1: _type(column),
            2: [*map(I32, encodings), _RLE],
            3: [column.name.encode()],
            4: _UNCOMPRESSED,
            5: rows,
            6: self._at - begin,
            7: self._at - begin,
            9: data_at,
            11: begin if dictionary is not None else None,
            12: Struct({3: nulls, 5: most, 6: least}),
        }
        return Struct({2: begin, 3: Struct(fields)})


def _element(column: Column) -> Struct:
    if column.bits:
        converted = I32((_INT_8 if column.signed else _UINT_8) + (8, 16, 32, 64).index(column.bits))
        logical = Struct({10: Struct({1: I8(column.bits), 2: column.signed})})
    else:
        converted, logical = I32(_UTF8), Struct({1: Struct({})})
    repetition = _OPTIONAL if column.nullable else _REQUIRED
    return Struct({1: _type(column), 3: repetition, 4: column.name.encode(), 6: converted, 10: logical})


def _type(column: Column) -> I32:
    return _BYTE_ARRAY if not column.bits else _INT64 if column.bits == 64 else _INT32


def _text(value: str) -> bytes:
    encoded = value.encode()
    return len(encoded).to_bytes(4, "little") + encoded


def _absent(rows: int) -> Made:
    # One page in which no row has a value: a run of zeros, which say so.
    run = varint(rows << 1) + b"\0"
    body = len(run).to_bytes(4, "little") + run
    size = I32(len(body))
    values = Struct({1: I32(rows), 2: I32(PLAIN), 3: _RLE, 4: _RLE})
    page = bytes(Struct({1: _DATA_PAGE, 2: size, 3: size, 5: values})) + body
    return None, 0, memoryview(page), [PLAIN], rows, None
