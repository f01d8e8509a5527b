"""A trace in slices of equal time: how much of each thing a domain did in each, so that its own ups and downs show.

What is measured, by domain: hypercalls a second (in multicalls too), VM exits a second, run states as a share of its
vCPUs' time, pages that others mapped of its own, and how long waits for a pCPU and VM exits took on average.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from traces.analyses import sights
from traces.analyses.elapsed import Elapsed
from traces.analyses.intervals import RUNNING, STATES, Interval
from traces.analyses.timeseries import Columns, Occurrences, Shares
from traces.answers import Report
from traces.xen.formats.names import hypercall_name

#: Slices of a trace, and how short one may be: over shorter ones a guest's work is no longer spread.
COUNT = 40
COUNT_MIN = 10
SECONDS_MIN = 0.02
_RUNNABLE, _BLOCKED, _OFFLINE = (STATES.index(name) for name in ("runnable", "blocked", "offline"))
#: What a wait for a pCPU is called, by the state before it.
_WAITS = {_BLOCKED: "wake to run", _OFFLINE: "wake to run", RUNNING: "preempted"}
WAITS = frozenset(_WAITS.values())


class Measure(NamedTuple):
    """What is measured: "hypercalls", "exits" and "grants" in 1/s, "runstates" as a share, "latencies" in seconds."""

    kind: str
    name: str


#: Records whose run states are added up at once: the last digit of a sum depends on its order.
_SUMMED = 1 << 17
_STATES = tuple(Measure("runstates", name) for name in STATES)


@dataclass(frozen=True)
class Slices:
    """A trace in slices of ``seconds`` each; ``values`` by domid and measure, one value a slice.

    Of "latencies" there are values of those slices alone in which there was one.
    """

    seconds: float
    count: int
    values: dict[int, dict[Measure, NDArray[np.float64]]]


@dataclass(frozen=True)
class Wanted:
    """What of a report is needed to cut its trace into slices: of a hostile trace, the rest of it is large.

    ``vcpus`` are those with run states (domid, vcpu); ``calls`` are numbers of hypercalls by domid, and ``exits`` names
    by domid and ``formats.exits.key_of``.
    """

    hz: float
    span_s: float
    vcpus: Sequence[tuple[int, int]]
    calls: Mapping[int, Sequence[int]]
    exits: Mapping[int, Mapping[int, str]]
    source: str = "xentrace"


def wanted(report: Report) -> Wanted:
    """Say what is needed of a report."""
    domains = report.told
    return Wanted(
        hz=report.clock.hz,
        span_s=report.span_s,
        vcpus=[(one.domid, vcpu.vcpu) for one in domains for vcpu in one.vcpus if vcpu.runstates],
        calls={
            one.domid: sorted({call.nr for vcpu in one.vcpus for call in (*vcpu.hypercalls, *vcpu.multicall_subcalls)})
            for one in domains
        },
        exits={one.domid: {exit_.key: exit_.name for vcpu in one.vcpus for exit_ in vcpu.exits} for one in domains},
        source=report.source,
    )


def read(tables: Iterable[sights.Table], of: Wanted) -> Slices | None:
    """Read a trace again; None if it is too short.

    :param of: the report on the same trace
    """
    count = min(COUNT, int(of.span_s / SECONDS_MIN))
    if count < COUNT_MIN:
        return None
    reader = _Reader(of, Columns(count, of.span_s * of.hz))
    for table in tables:
        for summed in table.pieces(_SUMMED):
            for piece in summed.pieces():
                reader.feed(piece)
            reader.add_states()
    return Slices(of.span_s / count, count, reader.finish(of.span_s / count))


class _Reader:
    def __init__(self, of: Wanted, columns: Columns) -> None:
        self._who = of.vcpus
        self._rows = {who: row for row, who in enumerate(of.vcpus)}
        self._calls, self._exits = of.calls, of.exits
        self._called = Occurrences(of.calls, columns)
        self._exited = Occurrences({domid: sorted(names) for domid, names in of.exits.items()}, columns)
        self._granted = Occurrences({domid: [] for domid in of.calls}, columns)
        self._states = Shares(len(of.vcpus), len(STATES), columns)
        sight = sights.of(of.source)
        self._elapsed, self._intervals, self._found = Elapsed(), sight.intervals(), sight.counts
        self._columns, self._hz = columns, of.hz
        #: Intervals that are not added up yet: their vCPU's row, state, begin and end.
        self._chosen: list[NDArray[np.int64]] = []
        #: By domid and what took its time: cycles and count of each slice in which it ended.
        self._took: dict[tuple[int, str], NDArray[np.float64]] = {}
        #: Of each vCPU, the states of its last two intervals.
        self._before: dict[tuple[int, int], tuple[Interval | None, Interval]] = {}

    def feed(self, table: sights.Table) -> None:
        cycles = self._elapsed.of(table)
        self._intervals.feed(table, cycles, self._elapsed)
        self._take()
        for name in ("hypercalls", "multicall_subcalls"):
            rows, numbers = self._found[name](table)
            self._called.add(table.domid[rows], numbers, cycles[rows])
        rows, keys = self._found["exits"](table)
        self._exited.add(table.domid[rows], keys, cycles[rows])
        rows, granters = self._found["grant_maps"](table)
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
        self._chosen.append(np.array(chosen, np.int64).reshape(-1, 4))

    def add_states(self) -> None:
        """Add up the run states so far."""
        self._states.add(*np.concatenate([*self._chosen, np.empty((0, 4), np.int64)]).T)
        self._chosen = []

    def _time(self, domid: int, name: str, cycles: int, at: int) -> None:
        sums = self._took.setdefault((domid, name), np.zeros((2, self._columns.count)))
        column = self._columns.column_of(at)
        sums[0, column] += cycles
        sums[1, column] += 1

    def finish(self, seconds: float) -> dict[int, dict[Measure, NDArray[np.float64]]]:
        self._intervals.finish(self._elapsed.end)
        self._take()
        self.add_states()
        found: dict[int, dict[Measure, NDArray[np.float64]]] = {}
        called, exited, granted = (of.rates(seconds) for of in (self._called, self._exited, self._granted))
        for domid, numbers in self._calls.items():
            of = found[domid] = {}
            for nr, rates in zip(numbers, called[domid][:-1], strict=True):
                of[Measure("hypercalls", hypercall_name(nr))] = rates
            for key, rates in zip(sorted(self._exits[domid]), exited[domid][:-1], strict=True):
                of[Measure("exits", self._exits[domid][key])] = rates
            if granted[domid].any():
                of[Measure("grants", "pages mapped by others")] = granted[domid][-1]
        vcpus = Counter(domid for domid, _ in self._who)
        # One array for all: of a hostile trace they are many.
        means = dict(zip(vcpus, np.zeros((len(vcpus), len(STATES), self._columns.count)), strict=True))
        for (domid, _), shares in zip(self._who, self._states.by_row(), strict=True):
            means[domid] += shares / vcpus[domid]
        for domid, mean in means.items():
            found[domid].update(zip(_STATES, mean, strict=True))
        for (domid, name), (cycles, count) in self._took.items():
            there = count > 0
            if domid in found and np.count_nonzero(there) >= COUNT_MIN:
                found[domid][Measure("latencies", name)] = cycles[there] / count[there] / self._hz
        return found
