"""What KVM's vCPUs did at a point of time, as Perfetto's instants: ports and memory of devices, MSRs, interrupts."""

import numpy as np
from numpy.typing import NDArray

from traces.exporters.perfetto.packets import INSTANT, Kind, Packets
from traces.exporters.perfetto.tracks import Tracks
from traces.kvm.table import NOBODY, RecordTable

#: Events that are shown, and the field that is shown with each.
_SHOWN = {
    "kvm_pio": "port",
    "kvm_mmio": "gpa",
    "kvm_fast_mmio": "gpa",
    "kvm_msr": "ecx",
    "kvm_inj_virq": "vector",
    "kvm_eoi": "vector",
    "kvm_hypercall": "nr",
    "kvm_page_fault": "fault_address",
}


class ThreadInstants:
    """Finds a table's instants and their packets, as ``instants.Instants`` does of Xen's."""

    def __init__(self, tracks: Tracks) -> None:
        self._tracks = tracks

    def of(
        self, table: RecordTable, timed: NDArray[np.bool_], packets: Packets
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint64]]:
        """Give the rows of instants, for each its packet's number and its value; only of rows that are ``timed``."""
        rows: list[NDArray[np.intp]] = [np.empty(0, np.intp)]
        numbers: list[NDArray[np.intp]] = [np.empty(0, np.intp)]
        values: list[NDArray[np.uint64]] = [np.empty(0, np.uint64)]
        for name, field in _SHOWN.items():
            found, (shown,) = table.of_event(name, field)
            kept = timed[found] & (table.domid[found] != NOBODY)
            found, shown = found[kept], shown[kept]
            if not len(found):
                continue
            who = table.domid[found].astype(np.uint64) << np.uint64(16) | table.vcpu[found]
            each, inverse = np.unique(who, return_inverse=True)
            tracks = [self._tracks.vcpus.get((one >> 16, one & 0xFFFF)) for one in each.tolist()]
            kinds = [-1 if of is None else packets.number(Kind(INSTANT, of, name, "", field, 64)) for of in tracks]
            number = np.array(kinds, np.intp)[inverse]
            there = number >= 0
            rows.append(found[there])
            numbers.append(number[there])
            values.append(shown[there].astype(np.uint64))
        return np.concatenate(rows), np.concatenate(numbers), np.concatenate(values)
