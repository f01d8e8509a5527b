"""What happened at a point of time in a trace of Xen's: instants, flows, and pages that domains map of each other."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from traces.answers import Report
from traces.exporters.details import naming
from traces.exporters.perfetto.counters import Mapped
from traces.exporters.perfetto.flows import Flows
from traces.exporters.perfetto.instants import Instants
from traces.exporters.perfetto.packets import Marks, Packets
from traces.exporters.perfetto.tracks import Tracks
from traces.table import EventTable
from traces.xen.find import first_words
from traces.xen.formats.events import GRANT_MAP, GRANT_UNMAP, PV_HYPERCALL_V2
from traces.xen.formats.names import EVENT_CHANNEL_OP


class Points:
    """Finds them in one table after the other."""

    def __init__(self, report: Report, tracks: Tracks) -> None:
        self._hz = report.clock.hz
        self._instants = Instants(tracks, naming(report))
        self._mapped = Mapped(tracks.mapped)
        # A wake is where and when it was, whoever ran there.
        notified = report.where.kinds.keeps(PV_HYPERCALL_V2, EVENT_CHANNEL_OP)
        self._flows = Flows(tracks) if notified else None
        self._anybody = replace(report.where, domid=None, vcpus=frozenset())

    def of(
        self,
        table: EventTable,
        cycles: NDArray[np.int64],
        rows: NDArray[np.intp],
        there: NDArray[np.intp],
        packets: Packets,
    ) -> list[Marks]:
        """Give their packets.

        :param rows: those that are chosen
        :param there: those that would be, were all kinds of records wanted
        """
        found: list[Marks] = []
        begins = np.zeros(len(table), np.uint64)
        if self._flows is not None:
            wanted = np.zeros(len(table), bool)
            wanted[self._anybody.rows(table, cycles, self._hz)] = True
            notified, begins = self._flows.of(table, cycles, wanted, packets)
            found.append(notified)
        # Calls come before the wakes that they made at the same time.
        instants = self._instants.of(table.take(rows), cycles[rows], begins[rows], packets)
        return [instants, *found, *self._mapped.of(*_grants(table, cycles, there), packets)]


def _grants(
    table: EventTable, cycles: NDArray[np.int64], there: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    # Of each map and unmap, mapper << 32 | granter, what it adds, and when.
    maps, mapped = first_words(table, GRANT_MAP)
    unmaps, unmapped = first_words(table, GRANT_UNMAP)
    rows, granters = np.concatenate((maps, unmaps)), np.concatenate((mapped, unmapped))
    steps = np.repeat((1, -1), (len(maps), len(unmaps)))
    order = np.argsort(rows)
    order = order[np.isin(rows[order], there)]
    rows = rows[order]
    return table.domid[rows].astype(np.int64) << 32 | granters[order], steps[order], cycles[rows]
