"""When each vCPU that is a thread was in which run state, and in which VM exit: of KVM, as ``intervals`` of Xen.

Law: the same rules as ``kvm.task``. For each vCPU the intervals that are ``counted`` are as many and as long as those
that the report counts; together with the others they cover the whole trace. Of an exit, what its machine's process took
is ``away``, as it is of Xen's: the report tells it apart.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from traces.analyses.elapsed import Elapsed
from traces.analyses.intervals import LOST, RUNNING, STATES, Interval, TimedExit
from traces.analyses.occupancy import Stretch
from traces.kvm.table import RecordTable

_RUNNABLE, _BLOCKED = STATES.index("runnable"), STATES.index("blocked")
_GUEST, _KERNEL, _USER = range(3)
#: Bits of prev_state that say why a thread stopped; none: it would go on.
_STOPPED = 0xFF
_ENTRY, _EXIT, _TO_USER, _FROM, _TO, _WAKE = range(6)
#: Events with the field that matters here, and what they are.
_EVENTS = (
    ("kvm_entry", "", _ENTRY),
    ("kvm_exit", "exit_reason", _EXIT),
    ("kvm_userspace_exit", "", _TO_USER),
    ("sched_wakeup", "pid", _WAKE),
    ("sched_wakeup_new", "pid", _WAKE),
)
_NOWHERE = -1


class _Thread:
    def __init__(self, domid: int, vcpu: int) -> None:
        self.domid, self.vcpu = domid, vcpu
        self.state, self.since, self.seen = LOST, 0, False
        self.pcpu = _NOWHERE
        self.mode, self.mode_since = _KERNEL, 0
        self.exit: tuple[int, int, int] | None = None  # reason, ticks, pCPU
        self.away = 0  # of the open exit: switched out, or in its machine's process


class ThreadIntervals:
    """Tells intervals as they end; ``feed`` it every table in order of time, then ``finish``.

    :param exits: whether to tell VM exits as well, which are many
    """

    def __init__(self, *, exits: bool = True) -> None:
        self._exits_wanted = exits
        self._threads: dict[int, _Thread] = {}
        self._now = 0
        self._row = -1
        self._found: list[Interval] = []
        self._exits: list[TimedExit] = []

    def feed(self, table: RecordTable, cycles: NDArray[np.int64], elapsed: Elapsed) -> None:
        """Take the next table and its cycles; ``elapsed`` has just given them."""
        del elapsed
        rows, kinds, pids, values = _relevant(table)
        for row, kind, pid, value, at, pcpu in zip(
            rows.tolist(),
            kinds.tolist(),
            pids.tolist(),
            values.tolist(),
            cycles[rows].tolist(),
            table.pcpu[rows].tolist(),
            strict=True,
        ):
            thread = self._threads.get(pid)
            if thread is None:
                thread = self._threads[pid] = _Thread(*table.told.vcpus[pid])
            # A processor whose pages go back in time ends nothing before it began.
            self._now = max(self._now, at)
            self._row = row
            self._take(thread, kind, value, pcpu)
        self._row = -1

    def finish(self, end: int) -> None:
        """Close what is open: the trace has ended, after ``end`` cycles."""
        self._now = max(self._now, end)
        for thread in self._threads.values():
            thread.seen = False
            self._end(thread, ran=False)

    def taken(self) -> tuple[list[Interval], list[TimedExit]]:
        """Hand out what has ended since the last time; of one vCPU in order of time."""
        found = self._found, self._exits
        self._found, self._exits = [], []
        return found

    def open(self) -> Iterator[Interval]:
        """Tell the intervals that go on, up to now; so far none of them is ``counted``."""
        for one in self._threads.values():
            yield Interval(one.domid, one.vcpu, one.state, one.since, self._now, counted=False, pcpu=max(one.pcpu, 0))

    def _take(self, thread: _Thread, kind: int, value: int, pcpu: int) -> None:
        if kind == _WAKE:
            if thread.state == _BLOCKED:
                self._move(thread, _RUNNABLE)
            return
        self._runs(thread, pcpu)
        if kind == _FROM:
            self._move(thread, _BLOCKED if value & _STOPPED else _RUNNABLE)
        elif kind == _ENTRY:
            self._enter(thread, _GUEST)
            self._end_exit(thread)
        elif kind == _EXIT:
            self._enter(thread, _KERNEL)
            thread.exit, thread.away = (value, self._now, pcpu), 0
        elif kind == _TO_USER:
            self._enter(thread, _USER)

    def _runs(self, thread: _Thread, pcpu: int) -> None:
        thread.pcpu = pcpu
        if thread.state != RUNNING:
            self._move(thread, RUNNING)

    def _move(self, thread: _Thread, state: int) -> None:
        old, time = thread.state, self._now - thread.since
        if old == state:
            return
        if old == RUNNING:
            self._spend(thread)
        elif thread.exit is not None:
            thread.away += time
        self._end(thread, ran=state == RUNNING)
        thread.mode_since = self._now
        thread.state, thread.seen = state, old != LOST

    def _end(self, thread: _Thread, *, ran: bool) -> None:
        of = (thread.domid, thread.vcpu, thread.state, thread.since, self._now, thread.seen, max(thread.pcpu, 0))
        self._found.append(Interval(*of, self._row, ran))
        thread.since = self._now

    def _enter(self, thread: _Thread, mode: int) -> None:
        self._spend(thread)
        thread.mode = mode

    def _spend(self, thread: _Thread) -> None:
        if thread.mode == _USER and thread.exit is not None:
            thread.away += self._now - thread.mode_since
        thread.mode_since = self._now

    def _end_exit(self, thread: _Thread) -> None:
        if thread.exit is not None and self._exits_wanted:
            reason, since, pcpu = thread.exit
            of = (thread.domid, thread.vcpu, reason, since, self._now, pcpu, thread.away)
            self._exits.append(TimedExit(*of, self._row))
        thread.exit = None


class ThreadOccupancy:
    """Tells which vCPU each pCPU ran, as ``occupancy`` does of Xen's; what other threads ran is a gap."""

    def __init__(self) -> None:
        self._open: dict[int, Stretch] = {}
        self._now = 0
        self._found: list[Stretch] = []

    def feed(self, table: RecordTable, cycles: NDArray[np.int64], elapsed: Elapsed) -> None:
        """Take the next table and its cycles; ``elapsed`` has just given them."""
        del elapsed
        rows, kinds, pids, _ = _relevant(table)
        for kind, pid, at, pcpu in zip(
            kinds.tolist(), pids.tolist(), cycles[rows].tolist(), table.pcpu[rows].tolist(), strict=True
        ):
            if kind == _WAKE:
                continue
            self._now = max(self._now, at)
            who = table.told.vcpus[pid]
            before = self._open.get(pcpu)
            if before is None or before[1:3] != who:
                self._close(pcpu)
                self._open[pcpu] = Stretch(pcpu, *who, self._now, self._now, 0)
            if kind == _FROM:
                self._close(pcpu)

    def finish(self) -> None:
        """Close what is open: the trace has ended."""
        for pcpu in list(self._open):
            self._close(pcpu)

    def taken(self) -> list[Stretch]:
        """Hand out what has ended since the last time; of one pCPU in order of time, without overlap."""
        found, self._found = self._found, []
        return found

    def _close(self, pcpu: int) -> None:
        one = self._open.pop(pcpu, None)
        if one is not None:
            self._found.append(Stretch(*one[:4], self._now, 0))


_Columns = tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def _relevant(table: RecordTable) -> _Columns:
    # What tells something of a vCPU's thread: row, kind, that thread, and a number; a switch is two.
    found: list[_Columns] = []
    for name, field, kind in _EVENTS:
        rows, values = table.of_event(name, *filter(None, (field,)))
        value = values[0] if values else np.zeros(len(rows), np.int64)
        pids = value if kind == _WAKE else table.pid[rows].astype(np.uint32).astype(np.int64)
        found.append((rows, np.full(len(rows), kind, np.int64), pids, value))
    rows, (leaves, state, comes) = table.of_event("sched_switch", "prev_pid", "prev_state", "next_pid")
    found.append((rows, np.full(len(rows), _FROM, np.int64), leaves & 0xFFFFFFFF, state))
    found.append((rows, np.full(len(rows), _TO, np.int64), comes & 0xFFFFFFFF, state))
    every = [np.concatenate(of) for of in zip(*found, strict=True)]
    known = np.isin(every[2], np.fromiter(table.told.vcpus, np.int64, len(table.told.vcpus)))
    order = np.flatnonzero(known)
    order = order[np.lexsort((every[1][order], every[0][order]))]
    rows, kinds, pids, values_of = (column[order] for column in every)
    return rows, kinds, pids, values_of
