"""Which vCPU each pCPU ran, and when its records were lost, one stretch after the other."""

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from traces.account import UNKNOWN_DOMID
from traces.analyses.elapsed import UNTIMED, Elapsed
from traces.table import EventTable
from traces.xen.formats.events import LOST_RECORDS

#: How many records were lost, who ran, and the time stamp of the first.
_LOSS = struct.Struct("<IIQ")


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
        #: By pCPU: domid, vCPU, begin, end and records lost, of which a stretch is made when it has ended.
        self._open: dict[int, tuple[int, int, int, int, int]] = {}
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
        firsts, lasts = rows[np.append(0, changes)], rows[np.append(changes, len(rows)) - 1]
        about = (table.pcpu[firsts], table.domid[firsts], table.vcpu[firsts], cycles[firsts], cycles[lasts])
        is_loss = (table.event[firsts] == LOST_RECORDS) & (table.words[firsts] == 4)
        for first, loss, pcpu, domid, vcpu, begin, end in zip(
            firsts.tolist(), is_loss.tolist(), *(column.tolist() for column in about), strict=True
        ):
            if loss:
                self._lose(table.payload_bytes(first), pcpu, elapsed, end)
            else:
                self._add(pcpu, domid, vcpu, begin, end)

    def finish(self) -> None:
        """Close what is open: the trace, or a run of its clock, has ended."""
        for pcpu in list(self._open):
            self._close(pcpu)

    def taken(self) -> list[Stretch]:
        """Hand out what has ended since the last time; of one pCPU in order of time, without overlap."""
        found, self._found = self._found, []
        return found

    def _add(self, pcpu: int, domid: int, vcpu: int, begin: int, end: int) -> None:
        before = self._open.get(pcpu)
        if before is not None and before[0] == domid and before[1] == vcpu:
            self._open[pcpu] = domid, vcpu, before[2], max(before[3], end), before[4]
            return
        self._close(pcpu)
        if domid != UNKNOWN_DOMID:
            self._open[pcpu] = domid, vcpu, begin, end, 0

    def _lose(self, payload: bytes, pcpu: int, elapsed: Elapsed, end: int) -> None:
        count, _, first = _LOSS.unpack(payload)
        self._close(pcpu)
        self._open[pcpu] = UNKNOWN_DOMID, pcpu, elapsed.at(first), end, count
        self._close(pcpu)

    def _close(self, pcpu: int) -> None:
        stretch = self._open.pop(pcpu, None)
        if stretch is not None:
            domid, vcpu, begin, end, lost = stretch
            # A damaged time stamp may lie before what came earlier.
            begin = max(begin, self._end.get(pcpu, 0))
            end = self._end[pcpu] = max(end, begin)
            self._found.append(Stretch(pcpu, domid, vcpu, begin, end, lost))
