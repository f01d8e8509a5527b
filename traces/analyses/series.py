"""A trace in intervals of one length: what each domain did in each, in what adds up to the report's totals.

Law: what is chosen of the trace, and how it is counted, is as in the report; cycles of run states are exact. What the
report does not tell, because it was not chosen, is None and not 0.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from traces.analyses import select, sights
from traces.analyses.elapsed import Elapsed
from traces.analyses.intervals import RUNNING, STATES, Interval
from traces.analyses.notified import Notifiers
from traces.analyses.timeseries import Edges, Occurrences, Stays
from traces.answers import Report
from traces.choice.where import Kinds, Where
from traces.xen.formats import events as xentrace
from traces.xen.formats.names import HYPERCALLS

#: Of all domains together; more are no longer read by anybody, and a document of them would fill the memory.
ROWS_MAX = 100_000

COUNTS = sights.COUNTS
NOTIFICATIONS = "notifications"
#: What only Xen has.
_XENS = {"multicall_subcalls", "grant_maps", "grant_unmaps", NOTIFICATIONS}


class TooMany(Exception):
    """There would be more intervals than anybody reads.

    :param count: that there would be, of ``domains`` each
    :param seconds: how long they must be at least
    """

    def __init__(self, count: int, domains: int, seconds: float) -> None:
        super().__init__(count, domains, seconds)
        self.count, self.domains, self.seconds = count, domains, seconds


@dataclass(frozen=True)
class DomainSeries:
    """What one domain did, a column an interval.

    runstates   cycles of its vCPUs together, by state; None where none are told
    vcpus       of how many
    counts      by what is counted: those of ``COUNTS``, and ``NOTIFICATIONS`` that it sent
    """

    domid: int
    vcpus: int
    runstates: Mapping[str, NDArray[np.int64]] | None
    counts: Mapping[str, NDArray[np.int64] | None]


@dataclass(frozen=True)
class Series:
    """Intervals of ``seconds`` each, the last may be shorter; they begin and end at ``edges``, in cycles."""

    seconds: float
    edges: NDArray[np.int64]
    domains: tuple[DomainSeries, ...]


def edges(report: Report, seconds: float) -> Edges:
    """Divide what a report is about into intervals.

    :param seconds: how long one is
    :raises TooMany: there would be too many
    """
    hz, where = report.clock.hz, report.where
    domains = max(len(report.domains), 1)
    count = max(math.ceil(report.span_s / seconds), 1)
    if count * domains > ROWS_MAX or seconds * hz < 1:
        raise TooMany(count, domains, max(report.span_s * domains / ROWS_MAX, 1 / hz))
    first, _ = where.cycles(hz)
    end = first + round(report.span_s * hz)
    # An interval is what a report from its beginning to its end would be about.
    begins = [math.ceil((where.begin + index * seconds) * hz) for index in range(count)]
    return Edges(
        np.array([*(begin for begin in begins if begin < end), end] if end > first else [first, first], np.int64)
    )


def read(tables: Iterable[sights.Table], report: Report, columns: Edges, seconds: float) -> Series:
    """Read a trace again.

    :param report: on the same trace, and on what is chosen of it
    :param columns: as ``edges`` gives them for intervals of so many seconds
    """
    reader = _Reader(report, columns)
    for table in tables:
        for piece in table.pieces():
            reader.feed(piece)
    return Series(seconds, columns.at, reader.finish())


class _Reader:
    def __init__(self, report: Report, columns: Edges) -> None:
        self._where, self._hz = report.where, report.clock.hz
        self._whole = replace(report.where, kinds=Kinds())
        self._end = int(columns.at[-1])
        self._domains = report.domains
        self._rows = {one.domid: row for row, one in enumerate(report.domains)}
        timed = {(one.domid, vcpu.vcpu) for one in report.domains for vcpu in one.vcpus if vcpu.runstates}
        self._timed = timed
        self._stays = Stays(len(report.domains), len(STATES), columns)
        told = _told(report.where) - (set() if report.source == "xentrace" else _XENS)
        self._counted = {
            name: Occurrences({one.domid: [] for one in report.domains}, columns)
            for name in (*COUNTS, NOTIFICATIONS)
            if name in told
        }
        sight = sights.of(report.source)
        self._elapsed, self._intervals, self._found = Elapsed(), sight.intervals(exits=False), sight.counts
        # KVM has no event channels.
        self._notifiers = Notifiers() if NOTIFICATIONS in self._counted else None

    def feed(self, table: sights.Table) -> None:
        cycles = self._elapsed.of(table)
        self._intervals.feed(table, cycles, self._elapsed)
        self._take()
        chosen = np.zeros(len(table), bool)
        chosen[self._where.rows(table, cycles, self._hz)] = True
        there = chosen
        if not self._where.kinds.all:
            there = np.zeros(len(table), bool)
            there[self._whole.rows(table, cycles, self._hz)] = True
        for name in COUNTS:
            if name in self._counted:
                rows, numbers = self._found[name](table)
                # All exits are told where one kind of them is chosen, and grants of both kinds.
                wanted = (chosen if name in ("hypercalls", "multicall_subcalls") else there)[rows]
                rows, numbers = rows[wanted], numbers[wanted]
                self._counted[name].add(table.domid[rows], numbers, cycles[rows])
        if self._notifiers is not None:
            rows, sources, *_ = self._notifiers.of(table)
            # Who is notified may be chosen as well, but is not counted here.
            wanted = self._is_there(table, rows, cycles)
            rows, sources = rows[wanted], sources[wanted]
            self._counted[NOTIFICATIONS].add(sources, np.zeros(len(rows), np.uint32), cycles[rows])

    def finish(self) -> tuple[DomainSeries, ...]:
        # What fills up a buffer's end makes no row, but its time stamp may be the last.
        self._intervals.finish(max(self._elapsed.end, self._end))
        self._take()
        cycles = self._stays.cycles()
        found = []
        for row, one in enumerate(self._domains):
            timed = [vcpu.runstates for vcpu in one.vcpus if vcpu.runstates]
            # On a choice of pCPUs, only running is told.
            states = {name: cycles[row][state] for state, name in enumerate(STATES) if timed and name in timed[0]}
            counts = {
                name: self._counted[name].counts[one.domid][-1] if name in self._counted else None
                for name in (*COUNTS, NOTIFICATIONS)
            }
            found.append(DomainSeries(one.domid, len(timed), states or None, counts))
        return tuple(found)

    def _is_there(self, table: sights.Table, rows: NDArray[np.intp], cycles: NDArray[np.int64]) -> NDArray[np.bool_]:
        # A wake is where and when it was, whoever ran there.
        anybody = replace(self._whole, domid=None, vcpus=frozenset())
        found = np.zeros(len(table), bool)
        found[anybody.rows(table, cycles, self._hz)] = True
        return found[rows]

    def _take(self) -> None:
        intervals, _ = self._intervals.taken()
        chosen = [self._of(one) for one in intervals if one[:2] in self._timed and self._is_on(one)]
        self._stays.add(*np.array(chosen, np.int64).reshape(-1, 4).T)

    def _of(self, one: Interval) -> tuple[int, int, int, int]:
        return self._rows[one.domid], one.state, one.begin, one.end

    def _is_on(self, one: Interval) -> bool:
        # Who does not run is on no pCPU.
        pcpus = self._where.pcpus
        return not pcpus or (one.state == RUNNING and one.pcpu in pcpus)


def _told(where: Where) -> set[str]:
    kinds, sections = where.kinds, select.sections(where)
    told = {"exits", "interrupts", NOTIFICATIONS} & sections
    if "grants" in sections:
        told |= {"grant_maps", "grant_unmaps"}
    if any(kinds.keeps(event, nr) for event in (xentrace.PV_HYPERCALL_V2, xentrace.HVM_VMMCALL) for nr in HYPERCALLS):
        told.add("hypercalls")
    if any(kinds.keeps(xentrace.PV_HYPERCALL_SUBCALL, nr) for nr in HYPERCALLS):
        told.add("multicall_subcalls")
    return told
