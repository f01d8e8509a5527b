"""A trace as Perfetto's track events, for ui.perfetto.dev and trace_processor.

Each pCPU's track shows which vCPU runs, each vCPU's its run states, and as instants what it did: hypercalls, grants,
traps and page faults, and who notified it. VM exits are slices on a track below their vCPU's. Counters tell how many
vCPUs wait, how many exits a second a domain has, and how many pages it has mapped of others'. Time is in nanoseconds
from the first record.

A slice is written when it ends, so packets are in order of time within a track, not in the whole file; who is notified
may be written before the run state that this ends.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from traces.analyses import sights
from traces.analyses.elapsed import Elapsed, nanoseconds
from traces.analyses.intervals import Interval
from traces.answers import Report
from traces.choice.where import Kinds
from traces.exporters.perfetto.counters import Rates, Waiting
from traces.exporters.perfetto.of_kvm import ThreadInstants
from traces.exporters.perfetto.of_xen import Points
from traces.exporters.perfetto.packets import Marks, Packets, joined
from traces.exporters.perfetto.slices import Slices
from traces.exporters.perfetto.tracks import Tracks

_FOREVER = 1 << 62
#: Records that are written at once: run states that go on behind them are begun early, so that fewer make it larger.
_PIECE = 1 << 17


def write(tables: Iterable[sights.Table], report: Report, output: BinaryIO) -> None:
    """Write a trace, from its records in order of time.

    :param report: on the same trace: its clock, domains and vCPUs, the names of its exits, and what of it is wanted
    """
    writer = _Writer(report, output)
    for table in tables:
        for piece in table.pieces(_PIECE):
            writer.feed(piece)
    writer.finish()


class _Writer:
    def __init__(self, report: Report, output: BinaryIO) -> None:
        self._hz, self._where = report.clock.hz, report.where
        self._anything = replace(report.where, kinds=Kinds())
        begin, end = report.where.cycles(report.clock.hz)
        last = report.where.begin + report.span_s
        self._begin, self._end = begin, _FOREVER if end is None else end
        self._output = output
        self._tracks = Tracks(report)
        # One more for each rounding.
        self._packets = Packets(int(last * 1e9) + 2)
        self._slices = Slices(report, self._tracks, self._begin, self._end)
        self._points = ThreadInstants(self._tracks) if report.source == "kvm" else Points(report, self._tracks)
        self._waiting = None if self._tracks.waiting is None else Waiting(self._tracks.waiting)
        self._rates = Rates(self._tracks.rates, begin, int(last * self._hz), self._hz)
        sight = sights.of(report.source)
        self._elapsed, self._intervals, self._occupancy = Elapsed(), sight.intervals(), sight.occupancy()
        self._exits = sight.counts["exits"]
        output.write(self._tracks.described())

    def feed(self, table: sights.Table) -> None:
        cycles = self._elapsed.of(table)
        self._intervals.feed(table, cycles, self._elapsed)
        self._occupancy.feed(table, cycles, self._elapsed)
        more: list[Marks] = []
        if not self._where.slower:
            rows = self._where.rows(table, cycles, self._hz)
            there = rows if self._where.kinds.all else self._anything.rows(table, cycles, self._hz)
            more += self._points.of(table, cycles, rows, there, self._packets)
            exits, _ = self._exits(table)
            exits = exits[np.isin(exits, there)]
            more += self._rates.of(table.domid[exits], cycles[exits], self._packets)
        self._write(more, [] if self._where.slower else [*self._intervals.open()])

    def finish(self) -> None:
        self._intervals.finish(self._elapsed.end)
        self._occupancy.finish()
        self._write(self._rates.finish(self._packets), [])

    def _write(self, more: list[Marks], going_on: list[Interval]) -> None:
        intervals, exits = self._intervals.taken()
        found = [self._slices.of(intervals, self._occupancy.taken(), exits, going_on, self._packets), *more]
        if self._waiting is not None:
            ended, waits = filter(self._tells, intervals), filter(self._tells, going_on)
            found.append(self._waiting.of(ended, waits, self._elapsed.end, self._packets))
        marks = joined(found)
        at = marks.at.clip(self._begin, self._end)
        # Stable: what ends a slice stays before what begins the next.
        order = np.argsort(at, kind="stable")
        ordered = Marks(at[order], marks.numbers[order], marks.values[:, order], marks.fixed[order])
        self._output.write(self._packets.stamp(ordered, nanoseconds(ordered.at, self._hz)))

    def _tells(self, one: Interval) -> bool:
        return one[:2] in self._tracks.vcpus and one[:2] in self._tracks.stated
