"""The second reading of a trace, for a page's charts: what each vCPU and pCPU did over time, in so many columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from traces.account import IDLE_DOMID, UNKNOWN_DOMID
from traces.analyses import sights, totals
from traces.analyses.elapsed import Elapsed
from traces.analyses.intervals import STATES, Interval
from traces.analyses.occupancy import Stretch
from traces.analyses.timeseries import Columns, Occurrences, Shares
from traces.answers import Report
from traces.exporters.html.choice import Choice

#: Series that have a colour of their own; the rest share one.
COLOURS = 8
RATE_COLUMNS = 120
# More columns than a screen is wide show nothing more. With many rows there are fewer, so that a page stays small.
_COLUMNS_MIN, _COLUMNS_MAX, _COLUMNS_OF_ALL = 120, 1200, 24_000


@dataclass(frozen=True)
class Series:
    """Something counted over time: ``counts`` has a row a name, and ``RATE_COLUMNS`` columns."""

    names: Sequence[str]
    counts: NDArray[np.int64]


@dataclass(frozen=True)
class Course:
    """What happened over time.

    runstates   by (domid, vcpu): shares, a row a state of ``intervals.STATES``
    pcpus       by pCPU: shares, a row for each of the domains with a colour, one for the others, one for lost records
    hypercalls  by domid, as are ``exits``
    """

    runstates: dict[tuple[int, int], NDArray[np.float64]]
    pcpus: dict[int, NDArray[np.float64]]
    hypercalls: dict[int, Series]
    exits: dict[int, Series]


def read(tables: Iterable[sights.Table], report: Report, choice: Choice) -> Course:
    """Read a trace again.

    :param report: on the same trace
    :param choice: of what to draw; its first ``COLOURS`` domains have a colour
    """
    reader = _Reader(report, choice)
    for table in tables:
        for piece in table.pieces():
            reader.feed(piece)
    return reader.finish()


class _Reader:
    def __init__(self, report: Report, choice: Choice) -> None:
        cycles = report.span_s * report.clock.hz
        rows = max(len(choice.vcpus) + len(choice.pcpus), 1)
        columns = Columns(min(max(_COLUMNS_OF_ALL // rows, _COLUMNS_MIN), _COLUMNS_MAX), cycles)
        sight = sights.of(report.source)
        self._elapsed, self._intervals = Elapsed(), sight.intervals(exits=False)
        self._occupancy, self._found = sight.occupancy(), sight.counts
        self._vcpus = {who: row for row, who in enumerate(choice.vcpus)}
        self._pcpus = {pcpu: row for row, pcpu in enumerate(choice.pcpus)}
        self._colours = {domain.domid: colour for colour, domain in enumerate(choice.domains[:COLOURS])}
        self._others = len(self._colours)
        self._runstates = Shares(len(choice.vcpus), len(STATES), columns)
        self._running = Shares(len(choice.pcpus), self._others + 2, columns)
        calls = {one.domid: totals.calls(vcpu.hypercalls for vcpu in one.vcpus)[:COLOURS] for one in choice.domains}
        exits = {
            one.domid: sorted(totals.exits(one.vcpus), key=lambda exit_: -exit_.count)[:COLOURS]
            for one in choice.domains
        }
        bins = Columns(RATE_COLUMNS, cycles)
        self._hypercalls = Occurrences({domid: [call.nr for call in of] for domid, of in calls.items()}, bins)
        self._exits = Occurrences({domid: [exit_.key for exit_ in of] for domid, of in exits.items()}, bins)
        self._call_names = {domid: [call.name for call in of] for domid, of in calls.items()}
        self._exit_names = {domid: [exit_.name for exit_ in of] for domid, of in exits.items()}

    def feed(self, table: sights.Table) -> None:
        cycles = self._elapsed.of(table)
        self._intervals.feed(table, cycles, self._elapsed)
        self._occupancy.feed(table, cycles, self._elapsed)
        self._take()
        for name, counted in (("hypercalls", self._hypercalls), ("exits", self._exits)):
            rows, numbers = self._found[name](table)
            counted.add(table.domid[rows], numbers, cycles[rows])

    def finish(self) -> Course:
        self._intervals.finish(self._elapsed.end)
        self._occupancy.finish()
        self._take()
        runstates, running = self._runstates.shares(), self._running.shares()
        return Course(
            {who: runstates[row] for who, row in self._vcpus.items()},
            {pcpu: running[row] for pcpu, row in self._pcpus.items()},
            _series(self._call_names, self._hypercalls),
            _series(self._exit_names, self._exits),
        )

    def _take(self) -> None:
        intervals, _ = self._intervals.taken()
        self._runstates.add(*_columns([self._of_interval(one) for one in intervals if one[:2] in self._vcpus]))
        stretches = [one for one in self._occupancy.taken() if one.pcpu in self._pcpus and one.domid != IDLE_DOMID]
        self._running.add(*_columns([self._of_stretch(one) for one in stretches]))

    def _of_interval(self, one: Interval) -> tuple[int, int, int, int]:
        return self._vcpus[one.domid, one.vcpu], one.state, one.begin, one.end

    def _of_stretch(self, one: Stretch) -> tuple[int, int, int, int]:
        # Only a loss has no domain.
        lost = one.domid == UNKNOWN_DOMID
        state = self._others + 1 if lost else self._colours.get(one.domid, self._others)
        return self._pcpus[one.pcpu], state, one.begin, one.end


def _columns(rows: Sequence[tuple[int, int, int, int]]) -> NDArray[np.int64]:
    return np.array(rows, np.int64).reshape(-1, 4).T


def _series(names: dict[int, list[str]], counted: Occurrences) -> dict[int, Series]:
    return {domid: Series([*names[domid], "other"], counts) for domid, counts in counted.counts.items() if counts.any()}
