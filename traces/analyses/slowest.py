"""The slowest of what takes time: vCPUs that waited from waking until they ran, and VM exits, one by one.

Law: those that ``counting.fold`` counts in its distributions, found by the same rules among all ``Intervals``. Memory
is bounded: the slowest so far, in a heap.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from traces.account import UNKNOWN_DOMID
from traces.analyses import sights
from traces.analyses.elapsed import Elapsed
from traces.analyses.intervals import RUNNING, STATES, Interval, TimedExit
from traces.answers import Report
from traces.choice.where import Where
from traces.xen.formats.events import HVM_SVM_EXIT, HVM_VMX_EXIT, RUNSTATE_CHANGE

_BLOCKED, _OFFLINE, _RUNNABLE = (STATES.index(name) for name in ("blocked", "offline", "runnable"))
_FOREVER = 1 << 62
#: vCPUs that are told to have run meanwhile; a hostile trace has a new one with each record.
_RAN_MAX = 1 << 10


class Slow(NamedTuple):
    """Something that took ``cycles``: a wait that ended on a pCPU, or an exit there; times in cycles of ``Elapsed``.

    ``exit`` is the ``formats.exits.key_of`` an exit, None for a wait; of an exit, ``cycles`` does not hold the time
    descheduled.
    """

    cycles: int
    begin: int
    end: int
    domid: int
    vcpu: int
    pcpu: int
    exit: int | None = None


@dataclass
class Slowest:
    """The slowest, most first, and how many were at least as slow as asked for."""

    slow: list[Slow] = field(default_factory=list)
    count: int = 0


class _Heap:
    def __init__(self, most: int, least: int) -> None:
        self._most, self._least = most, least
        self._heap: list[tuple[int, int, Slow]] = []
        self.count = 0

    def add(self, one: Slow) -> None:
        if one.cycles < self._least:
            return
        self.count += 1
        # Of equal ones, those that came first stay.
        entry = (one.cycles, -self.count, one)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def found(self) -> Slowest:
        return Slowest([one for *_, one in sorted(self._heap, reverse=True)], self.count)


def find(tables: Iterable[sights.Table], report: Report, most: int, least_s: float = 0.0) -> dict[str, Slowest]:
    """Find the slowest "wake_to_run" and "exits" of what a report is about.

    :param most: how many of each
    :param least_s: none that took less
    """
    finder = _Finder(report, most, least_s)
    for table in tables:
        for piece in table.pieces():
            finder.feed(piece)
    return finder.finish()


class _Finder:
    def __init__(self, report: Report, most: int, least_s: float) -> None:
        self._where = report.where
        begin, end = report.where.cycles(report.clock.hz)
        self._begin, self._end = begin, _FOREVER if end is None else end
        least = round(least_s * report.clock.hz)
        self._waits, self._exits = _Heap(most, least), _Heap(most, least)
        self._elapsed, self._intervals = Elapsed(), sights.of(report.source).intervals()
        #: Of each vCPU, the last two intervals.
        self._last: dict[tuple[int, int], tuple[Interval | None, Interval]] = {}
        kinds = report.where.kinds
        self._waits_wanted = kinds.keeps(RUNSTATE_CHANGE)
        self._exits_wanted = kinds.keeps(HVM_VMX_EXIT) or kinds.keeps(HVM_SVM_EXIT)

    def feed(self, table: sights.Table) -> None:
        self._intervals.feed(table, self._elapsed.of(table), self._elapsed)
        self._take()

    def finish(self) -> dict[str, Slowest]:
        self._intervals.finish(self._elapsed.end)
        self._take()
        return {"wake_to_run": self._waits.found(), "exits": self._exits.found()}

    def _take(self) -> None:
        intervals, exits = self._intervals.taken()
        for one in intervals if self._waits_wanted else ():
            self._wait(one)
        for exit_ in exits if self._exits_wanted else ():
            if self._is_chosen(exit_, exit_.pcpu, exit_.begin):
                cycles = exit_.end - exit_.begin - exit_.away
                self._exits.add(Slow(cycles, exit_.begin, exit_.end, *exit_[:2], exit_.pcpu, exit_.key))

    def _wait(self, ran: Interval) -> None:
        before, wait = self._last.get(ran[:2], (None, None))
        if (
            before is not None
            and wait is not None
            and before.state in (_BLOCKED, _OFFLINE)
            and (wait.state, ran.state) == (_RUNNABLE, RUNNING)
            and before.counted
            and wait.counted
            and self._is_chosen(wait, ran.pcpu, wait.end)
        ):
            self._waits.add(Slow(wait.end - wait.begin, wait.begin, wait.end, *ran[:2], ran.pcpu))
        self._last[ran[:2]] = wait, ran

    def _is_chosen(self, one: Interval | TimedExit, pcpu: int, at: int) -> bool:
        return self._begin <= at < self._end and _is_of(self._where, one.domid, one.vcpu, pcpu)


def _is_of(where: Where, domid: int, vcpu: int, pcpu: int) -> bool:
    return (
        where.domid in (None, domid)
        and (not where.vcpus or vcpu in where.vcpus)
        and (not where.pcpus or pcpu in where.pcpus)
    )


class Meanwhile:
    """Adds up who ran on the pCPU of each slow one while it lasted; ``feed`` it every table, then ``finish``.

    After that ``ran`` has, of each of them, cycles by (domid, vcpu).
    """

    def __init__(self, slow: Sequence[Slow], source: str) -> None:
        self._occupancy = sights.of(source).occupancy()
        self.ran: list[Counter[tuple[int, int]]] = [Counter() for _ in slow]
        #: Of each pCPU, those that no stretch has reached yet, the first one last; and those that one may reach again.
        self._ahead: dict[int, list[tuple[Slow, Counter[tuple[int, int]]]]] = {}
        self._under_way: dict[int, list[tuple[Slow, Counter[tuple[int, int]]]]] = {}
        for one, ran in sorted(zip(slow, self.ran, strict=True), key=lambda pair: -pair[0].begin):
            self._ahead.setdefault(one.pcpu, []).append((one, ran))

    def feed(self, table: sights.Table, cycles: NDArray[np.int64], elapsed: Elapsed) -> None:
        """Take the next table and its cycles; ``elapsed`` has just given them."""
        self._occupancy.feed(table, cycles, elapsed)
        self._take()

    def finish(self) -> None:
        """Take note that the trace has ended."""
        self._occupancy.finish()
        self._take()

    def _take(self) -> None:
        # Of one pCPU they come in order of time.
        for stretch in self._occupancy.taken():
            ahead = self._ahead.get(stretch.pcpu)
            if ahead is None:
                continue
            meant = self._under_way.setdefault(stretch.pcpu, [])
            while ahead and ahead[-1][0].begin < stretch.end:
                meant.append(ahead.pop())
            if stretch.domid != UNKNOWN_DOMID:
                for one, ran in meant:
                    overlap = min(one.end, stretch.end) - max(one.begin, stretch.begin)
                    if overlap > 0 and (len(ran) < _RAN_MAX or stretch[1:3] in ran):
                        ran[stretch.domid, stretch.vcpu] += overlap
            meant[:] = [pair for pair in meant if pair[0].end > stretch.end]
