"""The one way from bytes to tables: cut into records, put in order of time, hand out in bounded pieces.

Sans I/O: ``feed`` takes bytes as they come, so that a file, a pipe and a live host are read alike; ``read`` is the
loop around it for anything with ``read``.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from traces.account import SEVERITIES, Account, Diagnostic
from traces.decode.tokenize import Cut, Queue, Tokenizer
from traces.errors import TraceError
from traces.table import COLUMNS, EventTable

CHUNK = 8 << 20
#: Rows waiting for the clock's order; beyond that they go out as they are, so that no input can fill the memory.
PENDING_MAX = 4 << 20
_SMALLEST_RECORD = 4
#: Of ``decode.event.Event``, which begins with its time stamp.
_EVENT_SIZE = 32
_STAMP = struct.Struct("<Q")


class Source(Protocol):
    """Where bytes come from; ``read`` gives at most ``size`` of them, none at the end."""

    def read(self, size: int, /) -> bytes:
        """Read some bytes."""
        ...


class Reader:
    """Turns xentrace bytes into ``EventTable`` pieces in order of time.

    Memory is bounded by the trace's own window sizes and by ``PENDING_MAX`` rows. Nothing in the input raises.
    """

    def __init__(self) -> None:
        self._tokenizer = Tokenizer()
        self._rest = b""
        self._data = b""
        self._base = 0
        self._rows = {name: np.empty(0, dtype) for name, dtype in COLUMNS.items()}
        self._restart = False

    def feed(self, data: bytes) -> list[EventTable]:
        """Take the next bytes; give the tables that are complete, oldest first."""
        rest = memoryview(self._rest + data)
        self._data += data
        tables: list[EventTable] = []
        while True:
            used = self._tokenize(rest)
            rest = rest[used:]
            if self._tokenizer.clock_restarted:
                tables += self._emit(everything=True)
                self._restart = True
            elif used == 0 or len(rest) < _SMALLEST_RECORD:
                break
        self._rest = bytes(rest)
        full = len(self._rows["tsc"]) > PENDING_MAX
        return tables + self._emit(everything=full, hurried=full)

    def finish(self) -> list[EventTable]:
        """Take note that the input has ended; give what was still waiting."""
        self._tokenizer.finish(len(self._rest))
        self._rest = b""
        return self._emit(everything=True)

    @property
    def account(self) -> Account:
        """What became of the bytes so far."""
        return _account(self._tokenizer, len(self._rest))

    def _tokenize(self, data: memoryview) -> int:
        columns = {name: np.empty(len(data) // _SMALLEST_RECORD + 1, dtype) for name, dtype in COLUMNS.items()}
        rows, used = self._tokenizer.tokenize(data, **columns)
        self._rows = {name: np.concatenate((self._rows[name], columns[name][:rows])) for name in COLUMNS}
        return used

    def _emit(self, *, everything: bool, hurried: bool = False) -> list[EventTable]:
        tsc = self._rows["tsc"]
        limit = self._tokenizer.newest if everything else self._tokenizer.watermark
        ready = tsc <= limit
        self._tokenizer.promise(limit)
        if not ready.any():
            return []
        chosen = np.flatnonzero(ready)
        order = chosen[np.argsort(tsc[chosen], kind="stable")]
        table = EventTable(
            **{name: column[order] for name, column in self._rows.items()},
            data=self._data,
            base=self._base,
            restart=self._restart,
            hurried=hurried,
        )
        self._restart = False
        self._keep(np.flatnonzero(~ready))
        return [table]

    def _keep(self, rows: NDArray[np.intp]) -> None:
        self._rows = {name: column[rows] for name, column in self._rows.items()}
        offsets = self._rows["offset"]
        end = self._tokenizer.offset
        base = min(int(offsets.min()), end) if len(offsets) else end
        self._data = self._data[base - self._base :]
        self._base = base


def read(source: Source, reader: Reader) -> Iterator[EventTable]:
    """Read ``source`` to its end through ``reader``; the account is complete when the iterator is exhausted.

    Raises TraceError when there were bytes but not one record: that is no xentrace.
    """
    while data := source.read(CHUNK):
        yield from reader.feed(data)
    yield from reader.finish()
    _check(reader.account)


@dataclass(frozen=True)
class Batch:
    """Some consecutive records as compiled code takes them: the same that a ``EventTable`` of ``read`` holds.

    events   array of ``decode.event.Event``, oldest first
    data     the bytes that these lie in, the first of them at file offset ``base``
    restart  the first batch of another run of the clock
    """

    events: bytes
    data: bytearray
    base: int
    restart: bool

    def __len__(self) -> int:
        """Count the records."""
        return len(self.events) // _EVENT_SIZE

    @property
    def first(self) -> int:
        """The first time stamp; 0 if there is none."""
        stamps = (int(_STAMP.unpack_from(self.events, at)[0]) for at in range(0, len(self.events), _EVENT_SIZE))
        return next((stamp for stamp in stamps if stamp), 0)

    @property
    def last(self) -> int:
        """The last time stamp."""
        return int(_STAMP.unpack_from(self.events, len(self.events) - _EVENT_SIZE)[0])


class Buffered(Source, Protocol):
    """Where bytes come from; ``readinto`` fills a buffer but at the end."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Read some bytes into the buffer; say how many, none at the end."""
        ...


def batches(source: Buffered) -> Iterator[Batch]:
    """Read ``source`` to its end as ``read`` does, in the same pieces and order; see there for errors."""
    queue = Queue()
    data, base, restart = bytearray(), 0, False

    def emit(*, everything: bool) -> Iterator[Batch]:
        nonlocal restart
        limit = queue.newest if everything else queue.watermark
        events = queue.take(limit)
        queue.promise(limit)
        if events:
            yield Batch(events, data, base, restart)
            restart = False

    while True:
        kept = memoryview(data)[queue.oldest - base :]
        following = bytearray(len(kept) + CHUNK)
        following[: len(kept)] = kept
        size = source.readinto(memoryview(following)[len(kept) :])
        data, base, end = following, queue.oldest, len(kept) + size
        if not size:
            break
        while True:
            queue.walk(memoryview(data)[queue.offset - base : end])
            if not queue.clock_restarted:
                break
            yield from emit(everything=True)
            restart = True
        yield from emit(everything=queue.pending > PENDING_MAX)
    queue.finish(base + end - queue.offset)
    yield from emit(everything=True)
    _check(_account(queue, 0))


def _account(cut: Cut, rest: int) -> Account:
    return Account(
        bytes=cut.offset + rest,
        records=cut.records,
        skipped_bytes=cut.skipped_bytes,
        lost_records=cut.lost_records,
        pcpus=cut.pcpus,
        diagnostics=[Diagnostic(code, SEVERITIES[code], *found) for code, found in sorted(cut.damages.items())],
    )


def _check(account: Account) -> None:
    if not account.records:
        what = "holds no xentrace record" if account.bytes else "is empty"
        raise TraceError(f"{what}: expected the output of xentrace, `xentool record` or `xentool trace -o`")
