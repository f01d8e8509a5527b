"""What happened when, in columns of equal time: how often something was done, and in which state something was.

Memory is what the columns take, however long the trace. Times are in cycles of ``Elapsed``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Columns:
    """So many columns over so many cycles."""

    count: int
    cycles: float

    def place(self, cycles: NDArray[np.int64]) -> NDArray[np.float64]:
        """Say where times lie, 0 to ``count``; what has no time lies at the beginning."""
        return np.clip(cycles * (self.count / max(self.cycles, 1.0)), 0, self.count)

    def column(self, cycles: NDArray[np.int64]) -> NDArray[np.intp]:
        """Say in which column times lie; what lies outside of all belongs to the nearest."""
        return np.minimum(self.place(cycles).astype(np.intp), self.count - 1)

    def column_of(self, cycles: int) -> int:
        """Say it of one time, in a tenth of an array's."""
        place = cycles * (self.count / max(self.cycles, 1.0))
        return min(int(max(place, 0.0)), self.count - 1)


@dataclass(frozen=True)
class Edges:
    """Columns that begin at given cycles and end where the next one does; ``at`` has one more than there are."""

    at: NDArray[np.int64]

    @property
    def count(self) -> int:
        """How many columns there are."""
        return len(self.at) - 1

    def column(self, cycles: NDArray[np.int64]) -> NDArray[np.intp]:
        """Say in which column times lie; what lies outside of all belongs to the nearest."""
        return np.clip(np.searchsorted(self.at, cycles, "right") - 1, 0, self.count - 1)


#: So many rows are worth a call.
_ROWS = 256
#: Exits are told apart by more than the 32 bits of their reason, see ``formats.exits.key_of``.
_NUMBER_BITS = 40


class Occurrences:
    """Counts by domain, number (of a hypercall, a kind of exits) and column.

    :param series: for each domain that counts, the numbers that have a series of their own; the others share one
    """

    def __init__(self, series: Mapping[int, Sequence[int]], columns: Columns | Edges) -> None:
        self._columns = columns
        rows = [len(of) + 1 for of in series.values()]
        self._every = np.zeros((sum(rows), columns.count), np.int64)
        self._flat = self._every.reshape(-1)
        ends = np.cumsum(rows, dtype=np.intp)
        self._places = {
            domid: slice(end - count, end) for domid, end, count in zip(series, ends.tolist(), rows, strict=True)
        }
        #: By domain: a row a series, the shared one last.
        self.counts = {domid: self._every[place] for domid, place in self._places.items()}
        # Of each domain the last row; of each series its row, by domain and number.
        domids = np.fromiter(series, np.int64, len(series))
        by_domid = np.argsort(domids)
        self._domids, self._last = domids[by_domid], (ends - 1)[by_domid]
        keys = [domid << _NUMBER_BITS | number for domid, of in series.items() for number in of]
        places = [end - count + at for end, count in zip(ends.tolist(), rows, strict=True) for at in range(count - 1)]
        order = np.argsort(np.array(keys, np.int64), kind="stable")
        self._keys, self._rows = np.array(keys, np.int64)[order], np.array(places, np.intp)[order]

    def rates(self, seconds: float) -> dict[int, NDArray[np.float64]]:
        """Give ``counts`` in 1/s, where columns have so many seconds."""
        every = self._every / seconds
        return {domid: every[place] for domid, place in self._places.items()}

    def add(
        self, domids: NDArray[np.unsignedinteger[Any]], numbers: NDArray[np.integer[Any]], cycles: NDArray[np.int64]
    ) -> None:
        """Count some, given as columns of equal length."""
        if not len(self._domids):
            return
        at = np.minimum(np.searchsorted(self._domids, domids), len(self._domids) - 1)
        there = self._domids[at] == domids
        rows = self._last[at[there]]
        if len(self._keys):
            keys = domids[there].astype(np.int64) << _NUMBER_BITS | numbers[there]
            at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            rows = np.where(self._keys[at] == keys, self._rows[at], rows)
        np.add.at(self._flat, rows * self._columns.count + self._columns.column(cycles)[there], 1)


class Shares:
    """Which share of each column was spent in which state, for several rows (vCPUs, pCPUs)."""

    def __init__(self, rows: int, states: int, columns: Columns) -> None:
        self._columns = columns
        # One more, for what ends with the trace.
        self._shape = rows, states, columns.count + 1
        # An interval is all up to its end less all up to its beginning. All up to a place is the whole of the columns
        # before (here the number of such places in a column) and a part of its own.
        self._places = np.zeros(self._shape)
        self._parts = np.zeros(self._shape)

    def add(
        self,
        rows: Sequence[int] | NDArray[np.integer[Any]],
        states: Sequence[int] | NDArray[np.integer[Any]],
        begins: Sequence[int] | NDArray[np.int64],
        ends: Sequence[int] | NDArray[np.int64],
    ) -> None:
        """Add intervals, given as columns of equal length."""
        line = np.asarray(rows, np.intp) * self._shape[1] + np.asarray(states, np.intp)
        for times, sign in ((ends, 1.0), (begins, -1.0)):
            place = self._columns.place(np.asarray(times, np.int64))
            column = place.astype(np.intp)
            flat = line * self._shape[2] + column
            np.add.at(self._places.reshape(-1), flat, sign)
            np.add.at(self._parts.reshape(-1), flat, sign * (place - column))

    def shares(self) -> NDArray[np.float64]:
        """Give the shares so far, 0 to 1, by row, state and column."""
        return _shares(self._places, self._parts)

    def by_row(self) -> Iterator[NDArray[np.float64]]:
        """Give them row by row, by state and column, where there are too many rows to have all at once."""
        for first in range(0, self._shape[0], _ROWS):
            some = slice(first, first + _ROWS)
            yield from _shares(self._places[some], self._parts[some])


def _shares(places: NDArray[np.float64], parts: NDArray[np.float64]) -> NDArray[np.float64]:
    later = np.cumsum(places[:, :, ::-1], axis=2)[:, :, ::-1]
    return np.clip(later[:, :, 1:] + parts[:, :, :-1], 0.0, 1.0)


class Stays:
    """How many cycles of each column were spent in which state, exactly, for several rows (domains)."""

    def __init__(self, rows: int, states: int, edges: Edges) -> None:
        self._edges = edges
        self._parts = np.zeros((rows, states, edges.count), np.int64)
        #: How many more (or fewer) intervals than in the column before cover a whole one.
        self._whole = np.zeros((rows, states, edges.count + 1), np.int64)

    def add(
        self, rows: NDArray[np.int64], states: NDArray[np.int64], begins: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> None:
        """Add intervals, given as columns of equal length; what lies outside of all columns does not count."""
        at = self._edges.at
        begins, ends = np.clip(begins, at[0], at[-1]), np.clip(ends, at[0], at[-1])
        there = begins < ends
        rows, states, begins, ends = rows[there], states[there], begins[there], ends[there]
        first, last = self._edges.column(begins), self._edges.column(ends - 1)
        # All of the first column up to the last, without what lies before and behind.
        np.add.at(self._whole, (rows, states, first), 1)
        np.add.at(self._whole, (rows, states, last + 1), -1)
        np.add.at(self._parts, (rows, states, first), at[first] - begins)
        np.add.at(self._parts, (rows, states, last), ends - at[last + 1])

    def cycles(self) -> NDArray[np.int64]:
        """Give the cycles so far, by row, state and column."""
        return np.cumsum(self._whole, axis=2)[:, :, :-1] * np.diff(self._edges.at) + self._parts
