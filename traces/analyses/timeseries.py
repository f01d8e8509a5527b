"""What happened when, in columns of equal time: how often something was done, and in which state something was.

Memory is what the columns take, however long the trace. Times are in cycles of ``Elapsed``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from traces.account import UNKNOWN_DOMID
from traces.formats import xentrace
from traces.formats.exits import AMDS_ID, NESTED
from traces.formats.names import (
    EVENT_CHANNEL_OP,
    EVENT_CHANNEL_OP_COMPAT,
    GRANT_TABLE_OP,
    HYPERV,
    HYPERV_CODE,
    HYPERV_ZEROS,
    MMU_UPDATE,
    MMUEXT_OP,
)
from traces.table import EventTable

_EXIT_FLAGS = np.uint32(xentrace.FLAG_64 | xentrace.FLAG_NESTED)
_WITH_ARGUMENTS = (xentrace.PV_HYPERCALL_V2, xentrace.PV_HYPERCALL_SUBCALL)
_HAS_ARG0, _HAS_ARG1 = (np.uint32(3 << xentrace.HYPERCALL_ARG_SHIFT + 2 * i) for i in range(2))
#: Above these is what Xen puts there when it preempts (MMU_UPDATE_PREEMPTED, GNTTABOP_CONTINUATION_ARG_SHIFT).
_COUNT_MASK, _CMD_MASK = np.uint32(0x7FFFFFFF), np.uint32(0xFFF)
_EXITS = (xentrace.HVM_VMX_EXIT, xentrace.HVM_SVM_EXIT)
#: From blocked, or from offline as a vCPU is that waits for its device model, to runnable.
_WOKEN = tuple(
    xentrace.RUNSTATE_CHANGE | old << xentrace.RUNSTATE_OLD_SHIFT | 1 << xentrace.RUNSTATE_NEW_SHIFT for old in (2, 3)
)


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


#: Exits are told apart by more than the 32 bits of their reason, see ``formats.exits.key_of``.
_NUMBER_BITS = 40


class Occurrences:
    """Counts by domain, number (of a hypercall, a kind of exits) and column.

    :param series: for each domain that counts, the numbers that have a series of their own; the others share one
    """

    def __init__(self, series: Mapping[int, Sequence[int]], columns: Columns | Edges) -> None:
        self._columns = columns
        rows = [len(of) + 1 for of in series.values()]
        every = np.zeros((sum(rows), columns.count), np.int64)
        self._flat = every.reshape(-1)
        ends = np.cumsum(rows, dtype=np.intp)
        #: By domain: a row a series, the shared one last.
        self.counts = {
            domid: every[end - count : end] for domid, end, count in zip(series, ends.tolist(), rows, strict=True)
        }
        # Of each domain the last row, -1 where it does not count; of each series its row, by domain and number.
        self._last = np.full(1 << 16, -1, np.intp)
        self._last[np.fromiter(series, np.intp, len(series))] = ends - 1
        keys = [domid << _NUMBER_BITS | number for domid, of in series.items() for number in of]
        places = [end - count + at for end, count in zip(ends.tolist(), rows, strict=True) for at in range(count - 1)]
        order = np.argsort(np.array(keys, np.int64), kind="stable")
        self._keys, self._rows = np.array(keys, np.int64)[order], np.array(places, np.intp)[order]

    def add(self, domids: NDArray[np.uint16], numbers: NDArray[np.integer[Any]], cycles: NDArray[np.int64]) -> None:
        """Count some, given as columns of equal length."""
        rows = self._last[domids]
        there = rows >= 0
        rows = rows[there]
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
        later = np.cumsum(self._places[:, :, ::-1], axis=2)[:, :, ::-1]
        return np.clip(later[:, :, 1:] + self._parts[:, :, :-1], 0.0, 1.0)


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


class Notifiers:
    """Finds event channel notifications as ``analyses.lane`` infers them: a call, and a wake right after it."""

    def __init__(self) -> None:
        #: By pCPU, the domain whose event channel hypercall is its last record so far.
        self._last: dict[int, int] = {}

    def of(self, table: EventTable) -> tuple[NDArray[np.intp], NDArray[np.uint16]]:
        """Give the rows of the wakes in the next table, and who notified (domids)."""
        if table.restart:
            self._last = {}
        order = np.lexsort((table.offset, table.pcpu))
        pcpu = table.pcpu[order]
        calls = _event_channel_calls(table)[order]
        before = np.full(len(order), UNKNOWN_DOMID, np.uint16)
        follows = np.flatnonzero(pcpu[1:] == pcpu[:-1]) + 1
        before[follows] = np.where(calls[follows - 1], table.domid[order[follows - 1]], UNKNOWN_DOMID)
        firsts = np.flatnonzero(np.append(True, pcpu[1:] != pcpu[:-1])) if len(order) else order
        for first, end in zip(firsts.tolist(), [*firsts[1:].tolist(), len(order)], strict=True):
            before[first] = self._last.get(int(pcpu[first]), UNKNOWN_DOMID)
            self._last[int(pcpu[first])] = int(table.domid[order[end - 1]]) if calls[end - 1] else UNKNOWN_DOMID
        found = (before != UNKNOWN_DOMID) & _wakes(table)[order]
        return order[found], before[found]


def _event_channel_calls(table: EventTable) -> NDArray[np.bool_]:
    found = np.zeros(len(table), bool)
    for events, mask in ((_WITH_ARGUMENTS, xentrace.HYPERCALL_OP_MASK), ((xentrace.HVM_VMMCALL,), 0xFFFFFFFF)):
        rows = np.flatnonzero(np.isin(table.event, events) & (table.words > 0))
        found[rows] = np.isin(table.word(rows, 0) & np.uint32(mask), (EVENT_CHANNEL_OP, EVENT_CHANNEL_OP_COMPAT))
    return found


def _wakes(table: EventTable) -> NDArray[np.bool_]:
    woken: NDArray[np.bool_] = np.isin(table.event, _WOKEN) & (table.words > 0)
    woken |= (table.event == xentrace.SCHED_WAKE) & (table.words > 1)
    return woken


def hypercalls(table: EventTable) -> tuple[NDArray[np.intp], NDArray[np.uint32]]:
    """Find the hypercalls of a table, without those in multicalls: their rows and numbers."""
    pv = table.event == xentrace.PV_HYPERCALL_V2
    rows = np.flatnonzero((pv | (table.event == xentrace.HVM_VMMCALL)) & (table.words > 0))
    rows = rows[~restarts(table, rows)]
    numbers = table.word(rows, 0)
    return rows, np.where(pv[rows], numbers & np.uint32(xentrace.HYPERCALL_OP_MASK), hypercall_nrs(numbers))


def hypercall_nrs(eax: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Do what ``names.hypercall_nr`` does, of many."""
    hyperv = (eax & np.uint32(HYPERV | HYPERV_ZEROS)) == np.uint32(HYPERV)
    return np.where(hyperv, eax & np.uint32(HYPERV | HYPERV_CODE), eax)


def subcalls(table: EventTable) -> tuple[NDArray[np.intp], NDArray[np.uint32]]:
    """Find the hypercalls in multicalls of a table: their rows and numbers."""
    rows = np.flatnonzero((table.event == xentrace.PV_HYPERCALL_SUBCALL) & (table.words > 0))
    rows = rows[~restarts(table, rows)]
    return rows, table.word(rows, 0) & np.uint32(xentrace.HYPERCALL_OP_MASK)


def first_words(table: EventTable, event: int) -> tuple[NDArray[np.intp], NDArray[np.uint32]]:
    """Find the records of an event that have words: their rows and first words."""
    rows = np.flatnonzero((table.event == event) & (table.words > 0))
    return rows, table.word(rows, 0)


def restarts(table: EventTable, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell which hypercalls, those in multicalls too, are ones that go on after Xen preempted them."""
    found = np.zeros(len(rows), bool)
    told = (table.words[rows] > 1) & np.isin(table.event[rows], _WITH_ARGUMENTS)
    op, first = table.word(rows[told], 0), table.word(rows[told], 1)
    nr = op & np.uint32(xentrace.HYPERCALL_OP_MASK)
    batch = np.isin(nr, (MMU_UPDATE, MMUEXT_OP)) & (op & _HAS_ARG1 > 0) & (first > _COUNT_MASK)
    found[told] = batch | (nr == GRANT_TABLE_OP) & (op & _HAS_ARG0 > 0) & (first > _CMD_MASK)
    return found


def exits(table: EventTable) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Find the VM exits of a table: their rows, and of each the ``formats.exits.key_of``."""
    found = np.isin(table.event & ~_EXIT_FLAGS, _EXITS) & (table.words > 1)
    rows = np.flatnonzero(found)
    events = table.event[rows]
    keys = table.word(rows, 0).astype(np.int64)
    keys |= np.where(events & np.uint32(xentrace.FLAG_NESTED), NESTED, 0)
    return rows, keys | np.where(events & ~_EXIT_FLAGS == xentrace.HVM_SVM_EXIT, AMDS_ID, 0)
