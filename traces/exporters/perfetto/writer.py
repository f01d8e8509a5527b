"""A trace as Perfetto's track events, for ui.perfetto.dev and trace_processor.

Each pCPU's track shows which vCPU runs, each vCPU's its run states, and as instants what it did: hypercalls, grants,
traps and page faults. VM exits are slices on a track below their vCPU's. Time is in nanoseconds from the first record.

A slice is written when it ends, so packets are in order of time within a track, not in the whole file. Run states that
go on while what their vCPU did is written begin before that.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from traces.account import IDLE_DOMID
from traces.analyses import sights
from traces.analyses.elapsed import UNTIMED, Elapsed, nanoseconds
from traces.analyses.intervals import RUNNING, STATES, Interval, TimedExit
from traces.analyses.occupancy import Stretch
from traces.answers import Report
from traces.exporters.details import naming
from traces.exporters.perfetto.instants import Instants
from traces.exporters.perfetto.of_kvm import ThreadInstants
from traces.exporters.perfetto.packets import BEGIN, END, Kind, Packets
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


_RUNNABLE = STATES.index("runnable")

#: Slices of few kinds follow each other by the million.
_kind = lru_cache(maxsize=1 << 12)(Kind)


class _Writer:
    def __init__(self, report: Report, output: BinaryIO) -> None:
        self._hz = report.clock.hz
        self._where = report.where
        begin, end = report.where.cycles(report.clock.hz)
        self._begin, self._end = begin, _FOREVER if end is None else end
        # Run states are drawn for those that have any: none where -e leaves them out.
        self._states = {(one.domid, v.vcpu) for one in report.domains for v in one.vcpus if v.runstates}
        self._output = output
        self._tracks = Tracks(report)
        self._exits = report.exits
        of_kvm = report.source == "kvm"
        self._instants = ThreadInstants(self._tracks) if of_kvm else Instants(self._tracks, naming(report))
        # One more for each rounding.
        self._packets = Packets(int((report.where.begin + report.span_s) * 1e9) + 2)
        sight = sights.of(report.source)
        self._elapsed, self._intervals, self._occupancy = Elapsed(), sight.intervals(), sight.occupancy()
        #: Slices that were begun and not ended: a run state, and since when.
        self._begun: dict[tuple[int, int], tuple[int, int]] = {}
        output.write(self._tracks.described())

    def feed(self, table: sights.Table) -> None:
        cycles = self._elapsed.of(table)
        self._intervals.feed(table, cycles, self._elapsed)
        self._occupancy.feed(table, cycles, self._elapsed)
        self._write(table, cycles)

    def finish(self) -> None:
        self._intervals.finish(self._elapsed.end)
        self._occupancy.finish()
        self._write(None, np.empty(0, np.int64))

    def _write(self, table: sights.Table | None, cycles: NDArray[np.int64]) -> None:
        intervals, exits = self._intervals.taken()
        times: list[int] = []
        kinds: list[Kind] = []
        #: Where in those lists a kind has a value.
        values: dict[int, int] = {}
        for one in filter(self._is_interval_wanted, intervals):
            state, since = self._begun.pop(one[:2], (-1, -1))
            track, note = self._tracks.vcpus[one[:2]], "" if one.counted else "clipped"
            end = _kind(END, track)
            if since >= 0 and (state, since) != (one.state, one.begin):
                # A time stamp ran backwards: this state came instead.
                times.append(one.begin)
                kinds.append(end)
            if (state, since) == (one.state, one.begin):
                times.append(one.end)
                kinds.append(_kind(END, track, "", note))
            else:
                # Clipped: it began before or goes on after what is known.
                times += one.begin, one.end
                kinds += _kind(BEGIN, track, STATES[one.state], note), end
        for stretch in filter(self._is_stretch_wanted, self._occupancy.taken()):
            if stretch.lost:
                values[len(times)] = stretch.lost
            times += stretch.begin, stretch.end
            kinds += self._of_stretch(stretch), _kind(END, self._tracks.pcpus[stretch.pcpu])
        for exit_ in filter(self._is_exit_wanted, exits):
            track = self._tracks.exits[exit_.domid, exit_.vcpu]
            times += exit_.begin, exit_.end
            kinds += _kind(BEGIN, track, self._exits.name(exit_.key)), _kind(END, track)
        if table is not None and not self._where.slower:
            for one in filter(self._goes_on, self._intervals.open()):
                self._begun[one[:2]] = one.state, one.begin
                times.append(one.begin)
                kinds.append(_kind(BEGIN, self._tracks.vcpus[one[:2]], STATES[one.state]))
        at = np.array(times, np.int64).clip(self._begin, self._end)
        number = {kind: self._packets.number(kind) for kind in dict.fromkeys(kinds)}
        what = np.array([*map(number.__getitem__, kinds)], np.intp)
        value_of = np.zeros(len(at), np.uint64)
        value_of[[*values]] = [*values.values()]
        if table is not None and not self._where.slower:
            chosen = self._where.rows(table, cycles, self._hz)
            times_of = cycles[chosen]
            rows, instants, instant_values = self._instants.of(table.take(chosen), times_of != UNTIMED, self._packets)
            at, what = np.concatenate((at, times_of[rows])), np.concatenate((what, instants))
            value_of = np.concatenate((value_of, instant_values))
        # Stable: what ends a slice stays before what begins the next.
        order = np.argsort(at, kind="stable")
        self._output.write(self._packets.stamp(what[order], nanoseconds(at[order], self._hz), value_of[order]))

    def _is_there(self, one: Stretch | Interval | TimedExit) -> bool:
        # What takes no time has its place as well.
        return self._begin <= one.end >= one.begin < self._end

    def _is_stretch_wanted(self, one: Stretch) -> bool:
        # Idle is a gap.
        known = one.lost or (one.domid != IDLE_DOMID and (one.domid, one.vcpu) in self._states)
        return one.pcpu in self._tracks.pcpus and bool(known) and self._is_there(one)

    def _is_interval_wanted(self, one: Interval) -> bool:
        # Who does not run is on no pCPU.
        here = not self._where.pcpus or (one.state == RUNNING and one.pcpu in self._where.pcpus)
        if self._where.slower and (one.state != _RUNNABLE or one.domid == IDLE_DOMID):
            return False
        if one.end - one.begin < self._where.slower * self._hz:
            return False
        return here and one[:2] in self._tracks.vcpus and one[:2] in self._states and self._is_there(one)

    def _goes_on(self, one: Interval) -> bool:
        # Only of who runs anything is drawn besides.
        running = one.state == RUNNING and one.begin < one.end
        return running and one[:2] not in self._begun and self._is_interval_wanted(one)

    def _is_exit_wanted(self, one: TimedExit) -> bool:
        here = not self._where.pcpus or one.pcpu in self._where.pcpus
        slow = one.end - one.begin - one.away >= self._where.slower * self._hz
        return here and slow and one[:2] in self._tracks.exits and self._is_there(one)

    def _of_stretch(self, one: Stretch) -> Kind:
        track = self._tracks.pcpus[one.pcpu]
        if one.lost:
            return Kind(BEGIN, track, "records lost", arg="count")
        return _kind(BEGIN, track, self._tracks.running(one.domid, one.vcpu))
