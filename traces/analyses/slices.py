"""A trace in slices of equal time: how much of each thing a domain did in each, so that its own ups and downs show.

What is measured, by domain: hypercalls a second (in multicalls too), VM exits a second, run states as a share of its
vCPUs' time, pages that others mapped of its own, and how long waits for a pCPU and VM exits took on average.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from traces.analyses.elapsed import Elapsed
from traces.analyses.intervals import RUNNING, STATES, Interval, Intervals
from traces.analyses.timeseries import Columns, Occurrences, Shares
from traces.answers import Report
from traces.table import EventTable
from traces.xen import find
from traces.xen.formats import events as xentrace
from traces.xen.formats.names import hypercall_name

#: Slices of a trace, and how short one may be: over shorter ones a guest's work is no longer spread.
COUNT = 40
COUNT_MIN = 10
SECONDS_MIN = 0.02
_RUNNABLE, _BLOCKED, _OFFLINE = (STATES.index(name) for name in ("runnable", "blocked", "offline"))
#: What a wait for a pCPU is called, by the state before it.
_WAITS = {_BLOCKED: "wake to run", _OFFLINE: "wake to run", RUNNING: "preempted"}


class Measure(NamedTuple):
    """What is measured: "hypercalls", "exits" and "grants" in 1/s, "runstates" as a share, "latencies" in seconds."""

    kind: str
    name: str


@dataclass(frozen=True)
class Slices:
    """A trace in slices of ``seconds`` each; ``values`` by domid and measure, one value a slice.

    Of "latencies" there are values of those slices alone in which there was one.
    """

    seconds: float
    count: int
    values: dict[int, dict[Measure, NDArray[np.float64]]]


def read(tables: Iterable[EventTable], report: Report) -> Slices | None:
    """Read a trace again; None if it is too short.

    :param report: on the same trace
    """
    count = min(COUNT, int(report.span_s / SECONDS_MIN))
    if count < COUNT_MIN:
        return None
    reader = _Reader(report, Columns(count, report.span_s * report.clock.hz))
    for table in tables:
        for piece in table.pieces():
            reader.feed(piece)
    return Slices(report.span_s / count, count, reader.finish(report.span_s / count))


class _Reader:
    def __init__(self, report: Report, columns: Columns) -> None:
        domains = report.told
        self._who = [(one.domid, vcpu.vcpu) for one in domains for vcpu in one.vcpus if vcpu.runstates]
        self._rows = {who: row for row, who in enumerate(self._who)}
        calls = {
            one.domid: sorted({call.nr for vcpu in one.vcpus for call in (*vcpu.hypercalls, *vcpu.multicall_subcalls)})
            for one in domains
        }
        exits = {one.domid: {exit_.key: exit_.name for vcpu in one.vcpus for exit_ in vcpu.exits} for one in domains}
        self._calls, self._exits = calls, exits
        self._called = Occurrences(calls, columns)
        self._exited = Occurrences({domid: sorted(of) for domid, of in exits.items()}, columns)
        self._granted = Occurrences({one.domid: [] for one in domains}, columns)
        self._states = Shares(len(self._who), len(STATES), columns)
        self._elapsed, self._intervals = Elapsed(), Intervals()
        self._columns, self._hz = columns, report.clock.hz
        #: By domid and what took its time: cycles and count of each slice in which it ended.
        self._took: dict[tuple[int, str], NDArray[np.float64]] = {}
        #: Of each vCPU, the states of its last two intervals.
        self._before: dict[tuple[int, int], tuple[Interval | None, Interval]] = {}

    def feed(self, table: EventTable) -> None:
        cycles = self._elapsed.of(table)
        self._intervals.feed(table, cycles, self._elapsed)
        self._take()
        for rows, numbers in (find.hypercalls(table), find.subcalls(table)):
            self._called.add(table.domid[rows], numbers, cycles[rows])
        rows, keys = find.exits(table)
        self._exited.add(table.domid[rows], keys, cycles[rows])
        rows, granters = find.first_words(table, xentrace.GRANT_MAP)
        self._granted.add(granters.astype(np.uint16), granters, cycles[rows])

    def _take(self) -> None:
        intervals, exits = self._intervals.taken()
        for one in exits:
            if name := self._exits.get(one.domid, {}).get(one.key):
                self._time(one.domid, name, one.end - one.begin - one.away, one.end)
        for ran in intervals:
            before, wait = self._before.get(ran[:2], (None, None))
            waited = before and wait and (wait.state, ran.state) == (_RUNNABLE, RUNNING)
            if waited and before and wait and before.counted and wait.counted and before.state in _WAITS:
                self._time(ran.domid, _WAITS[before.state], wait.end - wait.begin, wait.end)
            self._before[ran[:2]] = wait, ran
        chosen = [(self._rows[one[:2]], *one[2:5]) for one in intervals if one[:2] in self._rows]
        self._states.add(*np.array(chosen, np.int64).reshape(-1, 4).T)

    def _time(self, domid: int, name: str, cycles: int, at: int) -> None:
        sums = self._took.setdefault((domid, name), np.zeros((2, self._columns.count)))
        column = int(self._columns.place(np.array([at]))[0])
        sums[:, min(column, self._columns.count - 1)] += (cycles, 1)

    def finish(self, seconds: float) -> dict[int, dict[Measure, NDArray[np.float64]]]:
        self._intervals.finish(self._elapsed.end)
        self._take()
        found: dict[int, dict[Measure, NDArray[np.float64]]] = {}
        for domid, numbers in self._calls.items():
            of = found[domid] = {}
            for row, nr in enumerate(numbers):
                of[Measure("hypercalls", hypercall_name(nr))] = self._called.counts[domid][row] / seconds
            for row, key in enumerate(sorted(self._exits[domid])):
                of[Measure("exits", self._exits[domid][key])] = self._exited.counts[domid][row] / seconds
            granted = self._granted.counts[domid][-1] / seconds
            if granted.any():
                of[Measure("grants", "pages mapped by others")] = granted
        shares = self._states.shares()
        vcpus = Counter(domid for domid, _ in self._who)
        for (domid, _), row in self._rows.items():
            for state, name in enumerate(STATES):
                mean = found[domid].setdefault(Measure("runstates", name), np.zeros(shares.shape[2]))
                mean += shares[row, state] / vcpus[domid]
        for (domid, name), (cycles, count) in self._took.items():
            there = count > 0
            if domid in found and np.count_nonzero(there) >= COUNT_MIN:
                found[domid][Measure("latencies", name)] = cycles[there] / count[there] / self._hz
        return found
