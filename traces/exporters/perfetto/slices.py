"""What lasts, as Perfetto's slices: run states, who runs on each pCPU, and VM exits.

A slice is written when it ends. Run states that go on while what their vCPU did is written begin before that.
"""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from traces.account import IDLE_DOMID
from traces.analyses.intervals import RUNNING, STATES, Interval, TimedExit
from traces.analyses.occupancy import Stretch
from traces.answers import Report
from traces.exporters.perfetto.packets import ARGS_MAX, BEGIN, END, Arg, Kind, Marks, Packets
from traces.exporters.perfetto.tracks import Tracks

_RUNNABLE = STATES.index("runnable")
_PCPU, _AWAY, _RIP = (Arg("pcpu"),), (Arg("away_ns", 64),), (Arg("rip", 64, place=True),)
_LOST = (Arg("count"),)

#: Slices of few kinds follow each other by the million.
_kind = lru_cache(maxsize=1 << 12)(Kind)


class Slices:
    """Makes packets of what ended since the last time.

    :param begin: of what is drawn, in cycles, and its ``end``
    """

    def __init__(self, report: Report, tracks: Tracks, begin: int, end: int) -> None:
        self._where, self._hz, self._exits = report.where, report.clock.hz, report.exits
        self._tracks, self._begin, self._end = tracks, begin, end
        #: Slices that were begun and not ended: a run state, and since when.
        self._begun: dict[tuple[int, int], tuple[int, int]] = {}
        self._clear()

    def of(
        self,
        intervals: Iterable[Interval],
        stretches: Iterable[Stretch],
        exits: Iterable[TimedExit],
        going_on: Iterable[Interval],
        packets: Packets,
    ) -> Marks:
        """Give their packets, and begin those that go on; times are within what is drawn."""
        for one in filter(self._is_interval_wanted, intervals):
            self._add_interval(one)
        for stretch in filter(self._is_stretch_wanted, stretches):
            self._add_stretch(stretch)
        for exit_ in filter(self._is_exit_wanted, exits):
            self._add_exit(exit_)
        for one in filter(self._goes_on, going_on):
            self._begun[one[:2]] = one.state, one.begin
            self._add(one.begin, self._begin_of(one), one.pcpu)
        at = np.array(self._times, np.int64).clip(self._begin, self._end)
        number = {kind: packets.number(kind) for kind in dict.fromkeys(self._kinds)}
        values = np.zeros((ARGS_MAX, len(at)), np.uint64)
        values[0] = self._values
        found = Marks(at, np.array([*map(number.__getitem__, self._kinds)], np.intp), values, np.zeros_like(values[0]))
        self._clear()
        return found

    def _clear(self) -> None:
        self._times: list[int] = []
        self._kinds: list[Kind] = []
        self._values: list[int] = []

    def _add(self, at: int, kind: Kind, value: int = 0) -> None:
        self._times.append(at)
        self._kinds.append(kind)
        self._values.append(value)

    def _add_interval(self, one: Interval) -> None:
        state, since = self._begun.pop(one[:2], (-1, -1))
        track, note = self._tracks.vcpus[one[:2]], "" if one.counted else "clipped"
        if since >= 0 and (state, since) != (one.state, one.begin):
            # A time stamp ran backwards: this state came instead.
            self._add(one.begin, _kind(END, track))
        if (state, since) == (one.state, one.begin):
            self._add(one.end, _kind(END, track, "", note))
        else:
            # Clipped: it began before or goes on after what is known.
            self._add(one.begin, self._begin_of(one, note), one.pcpu)
            self._add(one.end, _kind(END, track))

    def _begin_of(self, one: Interval, note: str = "") -> Kind:
        args = _PCPU if one.state == RUNNING else ()
        return _kind(BEGIN, self._tracks.vcpus[one[:2]], STATES[one.state], note, args)

    def _add_stretch(self, one: Stretch) -> None:
        track = self._tracks.pcpus[one.pcpu]
        if one.lost:
            self._add(one.begin, _kind(BEGIN, track, "records lost", "", _LOST), one.lost)
        else:
            self._add(one.begin, _kind(BEGIN, track, self._tracks.running(one.domid, one.vcpu)))
        self._add(one.end, _kind(END, track))

    def _add_exit(self, one: TimedExit) -> None:
        track = self._tracks.exits[one.domid, one.vcpu]
        rip = () if one.rip is None else _RIP
        self._add(one.begin, _kind(BEGIN, track, self._exits.name(one.key), "", rip), one.rip or 0)
        self._add(one.end, _kind(END, track, "", "", _AWAY if one.away else ()), round(one.away * 1e9 / self._hz))

    def _is_there(self, one: Stretch | Interval | TimedExit) -> bool:
        # What takes no time has its place as well.
        return self._begin <= one.end >= one.begin < self._end

    def _is_stretch_wanted(self, one: Stretch) -> bool:
        # Idle is a gap.
        known = one.lost or (one.domid != IDLE_DOMID and (one.domid, one.vcpu) in self._tracks.stated)
        return one.pcpu in self._tracks.pcpus and bool(known) and self._is_there(one)

    def _is_interval_wanted(self, one: Interval) -> bool:
        # Who does not run is on no pCPU.
        here = not self._where.pcpus or (one.state == RUNNING and one.pcpu in self._where.pcpus)
        if self._where.slower and (one.state != _RUNNABLE or one.domid == IDLE_DOMID):
            return False
        if one.end - one.begin < self._where.slower * self._hz:
            return False
        return here and one[:2] in self._tracks.vcpus and one[:2] in self._tracks.stated and self._is_there(one)

    def _goes_on(self, one: Interval) -> bool:
        # Only of who runs anything is drawn besides.
        running = one.state == RUNNING and one.begin < one.end
        return running and one[:2] not in self._begun and self._is_interval_wanted(one)

    def _is_exit_wanted(self, one: TimedExit) -> bool:
        here = not self._where.pcpus or one.pcpu in self._where.pcpus
        slow = one.end - one.begin - one.away >= self._where.slower * self._hz
        return here and slow and one[:2] in self._tracks.exits and self._is_there(one)
