"""Notifications as Perfetto's flows: an arrow from the hypercall that notified to who was woken."""

import numpy as np
from numpy.typing import NDArray

from traces.analyses.elapsed import UNTIMED
from traces.analyses.notified import Notifiers
from traces.exporters.perfetto.packets import FLOW_ENDS, INSTANT, Arg, Kind, Marks, Packets, marks
from traces.exporters.perfetto.tracks import Tracks
from traces.table import EventTable
from traces.xen.formats.events import SCHED_WAKE

_SOURCE = (Arg("by_domid"),)


class Flows:
    """Finds a table's notifications; ask it of all tables, one after the other."""

    def __init__(self, tracks: Tracks) -> None:
        self._tracks = tracks
        self._notifiers = Notifiers()

    def of(
        self, table: EventTable, cycles: NDArray[np.int64], wanted: NDArray[np.bool_], packets: Packets
    ) -> tuple[Marks, NDArray[np.uint64]]:
        """Give an instant for each one that was woken, and for each record the flow that begins there, 0 for none.

        What its call lacks, since it was not chosen, has no arrow.

        :param wanted: whether to tell the wake that a record is
        """
        rows, sources, calls, waited = self._notifiers.of(table)
        begins = np.zeros(len(table), np.uint64)
        called = np.concatenate((np.flatnonzero(np.isin(table.offset, calls)), waited))
        begins[called] = _number(table.offset[called])
        kept = wanted[rows] & (cycles[rows] != UNTIMED)
        rows, sources, calls = rows[kept], sources[kept], calls[kept]
        each, inverse = np.unique(_woken(table, rows), return_inverse=True)
        tracks = [self._tracks.vcpus.get((who >> 16, who & 0xFFFF)) for who in each.tolist()]
        kinds = [
            -1 if track is None else packets.number(Kind(INSTANT, track, "notified", "", _SOURCE, FLOW_ENDS))
            for track in tracks
        ]
        numbers = np.array(kinds, np.intp)[inverse]
        known = numbers >= 0
        return marks(cycles[rows[known]], numbers[known], [sources[known]], _number(calls[known])), begins


def _number(calls: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # Where in the file the call is tells it apart from all others.
    return calls + np.uint64(1)


def _woken(table: EventTable, rows: NDArray[np.intp]) -> NDArray[np.uint32]:
    # Whom wakes are about, domid << 16 | vcpu, as a change of run state has it; SCHED_WAKE has two words for it.
    who = table.word(rows, 0)
    two = table.event[rows] == SCHED_WAKE
    who[two] = who[two] << np.uint32(16) | table.word(rows[two], 1) & np.uint32(0xFFFF)
    return who
