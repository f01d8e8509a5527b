"""Which vCPU each pCPU ran, and when its records were lost, one stretch after the other."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from traces.account import UNKNOWN_DOMID
from traces.analyses.elapsed import UNTIMED, Elapsed
from traces.table import EventTable
from traces.xen.formats.events import LOST_RECORDS


class Stretch(NamedTuple):
    """What a pCPU did; ``begin`` and ``end`` in cycles of ``Elapsed``.

    ``lost`` is the number of records that are missing from the stretch, 0 where (domid, vcpu) ran.
    """

    pcpu: int
    domid: int
    vcpu: int
    begin: int
    end: int
    lost: int


class Occupancy:
    """Tells stretches as they end; ``feed`` it every table in order of time, then ``finish``.

    Between two stretches nobody is known to run: Xen itself, or records that are missing.
    """

    def __init__(self) -> None:
        self._open: dict[int, Stretch] = {}
        self._end: dict[int, int] = {}
        self._found: list[Stretch] = []

    def feed(self, table: EventTable, cycles: NDArray[np.int64], elapsed: Elapsed) -> None:
        """Take the next table and its cycles; ``elapsed`` has just given them."""
        if table.restart:
            self.finish()
        rows = np.flatnonzero(cycles != UNTIMED)
        rows = rows[np.argsort(table.pcpu[rows], kind="stable")]
        if not len(rows):
            return
        lost = (table.event[rows] == LOST_RECORDS) & (table.words[rows] == 4)
        who = table.domid[rows].astype(np.int64) << 32 | table.vcpu[rows].astype(np.int64) << 16 | table.pcpu[rows]
        # Each report of a loss is a stretch of its own.
        changes = np.flatnonzero((who[1:] != who[:-1]) | lost[1:] | lost[:-1]) + 1
        firsts, lasts = np.append(0, changes), np.append(changes, len(rows)) - 1
        for first, last, is_loss in zip(
            rows[firsts].tolist(), rows[lasts].tolist(), lost[firsts].tolist(), strict=True
        ):
            begin, end = int(cycles[first]), int(cycles[last])
            if is_loss:
                self._lose(table, first, elapsed, end)
            else:
                who_ran = int(table.pcpu[first]), int(table.domid[first]), int(table.vcpu[first])
                self._add(Stretch(*who_ran, begin, end, 0))

    def finish(self) -> None:
        """Close what is open: the trace, or a run of its clock, has ended."""
        for pcpu in list(self._open):
            self._close(pcpu)

    def taken(self) -> list[Stretch]:
        """Hand out what has ended since the last time; of one pCPU in order of time, without overlap."""
        found, self._found = self._found, []
        return found

    def _add(self, stretch: Stretch) -> None:
        before = self._open.get(stretch.pcpu)
        if before is not None and before[1:3] == stretch[1:3]:
            self._open[stretch.pcpu] = before._replace(end=max(before.end, stretch.end))
            return
        self._close(stretch.pcpu)
        if stretch.domid != UNKNOWN_DOMID:
            self._open[stretch.pcpu] = stretch

    def _lose(self, table: EventTable, row: int, elapsed: Elapsed, end: int) -> None:
        pcpu = int(table.pcpu[row])
        count, _, low, high = np.frombuffer(table.payload_bytes(row), "<u4").tolist()
        self._close(pcpu)
        self._open[pcpu] = Stretch(pcpu, UNKNOWN_DOMID, pcpu, elapsed.at(high << 32 | low), end, count)
        self._close(pcpu)

    def _close(self, pcpu: int) -> None:
        stretch = self._open.pop(pcpu, None)
        if stretch is not None:
            # A damaged time stamp may lie before what came earlier.
            begin = max(stretch.begin, self._end.get(pcpu, 0))
            end = self._end[pcpu] = max(stretch.end, begin)
            self._found.append(stretch._replace(begin=begin, end=end))
