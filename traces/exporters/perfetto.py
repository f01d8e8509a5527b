"""A trace as Perfetto's track events, for ui.perfetto.dev and trace_processor.

Each pCPU's track shows which vCPU runs, each vCPU's its run states, and as instants what it did: hypercalls, grants,
traps and page faults. VM exits are slices on a track below their vCPU's. Time is in nanoseconds from the first record.

A slice is written when it ends, so packets are in order of time within a track, not in the whole file.
"""

from collections.abc import Iterable
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from traces.account import IDLE_DOMID, UNKNOWN_DOMID
from traces.analyses.elapsed import UNTIMED, Elapsed, nanoseconds
from traces.analyses.intervals import STATES, Exit, Interval, Intervals
from traces.analyses.occupancy import Occupancy, Stretch
from traces.analyses.report import Report
from traces.exporters.instants import Instants
from traces.exporters.packets import BEGIN, END, Kind, Packets
from traces.exporters.rows import exit_names, pieces
from traces.exporters.tracks import Tracks
from traces.table import EventTable

_PIECE = 1 << 17


def write(tables: Iterable[EventTable], report: Report, output: BinaryIO) -> None:
    """Write a trace, from its records in order of time.

    :param report: on the same trace: its clock, domains and vCPUs, and the names of its exits
    """
    writer = _Writer(report, output)
    for table in tables:
        for piece in pieces(table, _PIECE):
            writer.feed(piece)
    writer.finish()


class _Writer:
    def __init__(self, report: Report, output: BinaryIO) -> None:
        self._hz = report.clock.hz
        self._output = output
        self._tracks = Tracks(report)
        self._exit_names = exit_names(report)
        self._instants = Instants(self._tracks, self._exit_names)
        # One more for each rounding.
        self._packets = Packets(int(report.span_s * 1e9) + 2)
        self._elapsed, self._intervals, self._occupancy = Elapsed(), Intervals(), Occupancy()
        output.write(self._tracks.described())

    def feed(self, table: EventTable) -> None:
        cycles = self._elapsed.of(table)
        self._intervals.feed(table, cycles, self._elapsed)
        self._occupancy.feed(table, cycles, self._elapsed)
        self._write(table, cycles)

    def finish(self) -> None:
        self._intervals.finish(self._elapsed.end)
        self._occupancy.finish()
        self._write(None, np.empty(0, np.int64))

    def _write(self, table: EventTable | None, cycles: NDArray[np.int64]) -> None:
        intervals, exits = self._intervals.taken()
        times: list[int] = []
        numbers: list[int] = []
        values: list[int] = []
        for kind, begin, end, value in (
            *map(self._of_stretch, self._occupancy.taken()),
            *map(self._of_interval, (one for one in intervals if one.domid not in (IDLE_DOMID, UNKNOWN_DOMID))),
            *map(self._of_exit, exits),
        ):
            times += (begin, end)
            numbers += (self._packets.number(kind), self._packets.number(Kind(END, kind.track)))
            values += (value, 0)
        at, what, value_of = np.array(times, np.int64), np.array(numbers, np.intp), np.array(values, np.uint64)
        if table is not None:
            rows, instants, instant_values = self._instants.of(table, cycles != UNTIMED, self._packets)
            at, what = np.concatenate((at, cycles[rows])), np.concatenate((what, instants))
            value_of = np.concatenate((value_of, instant_values))
        # Stable: what ends a slice stays before what begins the next.
        order = np.argsort(at, kind="stable")
        self._output.write(self._packets.stamp(what[order], nanoseconds(at[order], self._hz), value_of[order]))

    def _of_stretch(self, one: Stretch) -> tuple[Kind, int, int, int]:
        track = self._tracks.pcpus[one.pcpu]
        if one.lost:
            return Kind(BEGIN, track, "records lost", arg="count"), one.begin, one.end, one.lost
        return Kind(BEGIN, track, self._tracks.running(one.domid, one.vcpu)), one.begin, one.end, 0

    def _of_interval(self, one: Interval) -> tuple[Kind, int, int, int]:
        # Clipped: it began before or goes on after what is known.
        kind = Kind(BEGIN, self._tracks.vcpus[one.domid, one.vcpu], STATES[one.state], "" if one.counted else "clipped")
        return kind, one.begin, one.end, 0

    def _of_exit(self, one: Exit) -> tuple[Kind, int, int, int]:
        return Kind(BEGIN, self._tracks.exits[one.domid, one.vcpu], self._exit_names[one.reason]), one.begin, one.end, 0
