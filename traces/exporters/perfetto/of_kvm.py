"""What KVM's vCPUs did at a point of time, as Perfetto's instants: ports and memory of devices, MSRs, interrupts."""

import numpy as np
from numpy.typing import NDArray

from traces.analyses.elapsed import UNTIMED
from traces.exporters.perfetto.packets import INSTANT, Arg, Kind, Marks, Packets, marks
from traces.exporters.perfetto.tracks import Tracks
from traces.kvm.table import NOBODY, RecordTable

#: Events that are shown, and the fields that are shown with each.
_SHOWN = {
    "kvm_pio": ("port", "rw", "size", "val"),
    "kvm_mmio": ("gpa", "type", "len", "val"),
    "kvm_fast_mmio": ("gpa",),
    "kvm_msr": ("ecx", "write", "data"),
    "kvm_inj_virq": ("vector",),
    "kvm_eoi": ("vector",),
    "kvm_hypercall": ("nr", "a0", "a1", "a2", "a3"),
    "kvm_page_fault": ("fault_address", "guest_rip", "error_code"),
}
_PLACES = frozenset({"port", "gpa", "ecx", "fault_address", "guest_rip"})


class ThreadInstants:
    """Finds a table's instants and their packets, as ``of_xen.Points`` does of Xen's."""

    def __init__(self, tracks: Tracks) -> None:
        self._tracks = tracks

    def of(
        self,
        table: RecordTable,
        cycles: NDArray[np.int64],
        rows: NDArray[np.intp],
        there: NDArray[np.intp],
        packets: Packets,
    ) -> list[Marks]:
        """Give the instants of rows that are chosen."""
        del there
        return [
            found
            for name, fields in _SHOWN.items()
            if (found := self._of_event(table, cycles, rows, name, fields, packets)) is not None
        ]

    def _of_event(
        self,
        table: RecordTable,
        cycles: NDArray[np.int64],
        chosen: NDArray[np.intp],
        name: str,
        fields: tuple[str, ...],
        packets: Packets,
    ) -> Marks | None:
        layout = table.told.layouts.get(name)
        # Not all kernels record all of them.
        told = [field for field in fields if layout is not None and field in layout.fields]
        rows, columns = table.of_event(name, *told)
        kept = (table.domid[rows] != NOBODY) & np.isin(rows, chosen) & (cycles[rows] != UNTIMED)
        rows = rows[kept]
        if not len(rows):
            return None
        who = table.domid[rows].astype(np.uint64) << np.uint64(16) | table.vcpu[rows]
        each, inverse = np.unique(who, return_inverse=True)
        tracks = [self._tracks.vcpus.get((one >> 16, one & 0xFFFF)) for one in each.tolist()]
        args = tuple(Arg(field, 64, field in _PLACES) for field in told)
        kinds = [-1 if of is None else packets.number(Kind(INSTANT, of, name, "", args)) for of in tracks]
        numbers = np.array(kinds, np.intp)[inverse]
        known = numbers >= 0
        return marks(cycles[rows[known]], numbers[known], [column[kept][known] for column in columns])
