"""The one way from bytes to tables: cut into records, put in order of time, hand out in bounded pieces.

Sans I/O: ``feed`` takes bytes as they come, so that a file, a pipe and a live host are read alike; ``read`` is the
loop around it for anything with ``read``.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from traces.account import NO_SHIFTS, Account
from traces.batches import CHUNK, PENDING_MAX, account_of, check
from traces.table import COLUMNS, EventTable
from traces.xen.decode.tokenize import Tokenizer

_SMALLEST_RECORD = 4


def _nothing() -> dict[str, NDArray[np.unsignedinteger[Any]]]:
    return {name: np.empty(0, dtype) for name, dtype in COLUMNS.items()}


class Readable(Protocol):
    """Where bytes come from; ``read`` gives at most ``size`` of them, none at the end."""

    def read(self, size: int, /) -> bytes:
        """Read some bytes."""
        ...


class Reader:
    """Turns xentrace bytes into ``EventTable`` pieces in order of time.

    Memory is bounded by the trace's own window sizes and by ``PENDING_MAX`` rows. Nothing in the input raises.
    """

    def __init__(self, shifts: Mapping[int, int] = NO_SHIFTS) -> None:
        """Begin a trace.

        :param shifts: cycles to add to the time stamps of pCPUs whose clocks are behind those of others
        """
        self._tokenizer = Tokenizer()
        self._tokenizer.shift(dict(shifts))
        self._rest = b""
        self._data = b""
        self._base = 0
        self._rows = _nothing()
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
        tables += self._emit(everything=full, hurried=full)
        self._forget()
        return tables

    def finish(self) -> list[EventTable]:
        """Take note that the input has ended; give what was still waiting."""
        self._tokenizer.finish(len(self._rest))
        self._rest = b""
        return self._emit(everything=True)

    @property
    def account(self) -> Account:
        """What became of the bytes so far."""
        return account_of(self._tokenizer, len(self._rest))

    def _tokenize(self, data: memoryview) -> int:
        columns = {name: np.empty(len(data) // _SMALLEST_RECORD + 1, dtype) for name, dtype in COLUMNS.items()}
        rows, used = self._tokenizer.tokenize(data, **columns)
        for name in COLUMNS:
            self._rows[name] = np.concatenate((self._rows[name], columns.pop(name)[:rows]))
        return used

    def _emit(self, *, everything: bool, hurried: bool = False) -> list[EventTable]:
        tsc = self._rows["tsc"]
        limit = self._tokenizer.newest if everything else self._tokenizer.watermark
        ready = tsc <= limit
        self._tokenizer.promise(limit)
        if not ready.any():
            return []
        columns = self._rows if ready.all() and (tsc[1:] >= tsc[:-1]).all() else self._ordered(ready)
        if columns is self._rows:
            self._rows = _nothing()
        table = EventTable(**columns, data=self._data, base=self._base, restart=self._restart, hurried=hurried)
        self._restart = False
        return [table]

    def _ordered(self, ready: NDArray[np.bool_]) -> dict[str, NDArray[np.unsignedinteger[Any]]]:
        # Take those that are ready out of the rows, in order of time.
        chosen, rest = np.flatnonzero(ready), np.flatnonzero(~ready)
        order = chosen[np.argsort(self._rows["tsc"][chosen], kind="stable")]
        columns = {}
        for name, column in self._rows.items():
            # One column after the other, so that a hostile trace's are there once, not twice.
            columns[name] = column[order]
            self._rows[name] = column[rest]
        return columns

    def _forget(self) -> None:
        # Bytes that no row needs any more; once a piece, since it copies the others.
        offsets = self._rows["offset"]
        end = self._tokenizer.offset
        base = min(int(offsets.min()), end) if len(offsets) else end
        self._data = self._data[base - self._base :]
        self._base = base


def read(source: Readable, reader: Reader) -> Iterator[EventTable]:
    """Read ``source`` to its end through ``reader``; the account is complete when the iterator is exhausted.

    Raises TraceError when there were bytes but not one record: that is no xentrace.
    """
    while data := source.read(CHUNK):
        yield from reader.feed(data)
    yield from reader.finish()
    check(reader.account)
