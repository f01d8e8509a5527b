"""What vCPUs did at a point of time, as Perfetto's instants: hypercalls, grants, traps, page faults."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from traces.choice.classes import CLASS_BITS, SUBCLASS_BITS, classes_of
from traces.exporters.details import Naming
from traces.exporters.perfetto.packets import INSTANT, Kind, Packets
from traces.exporters.perfetto.tracks import Tracks
from traces.exporters.rows import Group, groups, is_declared, of_events
from traces.table import EventTable
from traces.xen.formats import events as xentrace

_CLASSES = frozenset({"hypercall", "grant", "mm", "trap"})
#: The field that is shown with an instant: the first of these that the record has.
_ARGS = ("count", "calls", "address", "gpa", "gfn", "rip", "eip")
_GRANTS = {xentrace.GRANT_MAP: "map", xentrace.GRANT_UNMAP: "unmap", 0x0010F003: "transfer"}


class Instants:
    """Finds a table's instants and their packets."""

    def __init__(self, tracks: Tracks, naming: Naming) -> None:
        self._tracks = tracks
        self._naming = naming

    def of(
        self, table: EventTable, timed: NDArray[np.bool_], packets: Packets
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint64]]:
        """Give the rows of instants, for each its packet's number and its value; only of rows that are ``timed``."""
        who, track_of = self._who(table)
        rows: list[NDArray[np.intp]] = [np.empty(0, np.intp)]
        numbers: list[NDArray[np.intp]] = [np.empty(0, np.intp)]
        values: list[NDArray[np.uint64]] = [np.empty(0, np.uint64)]
        for group in groups(table, self._naming, of_events(table, _is_shown)):
            kept = timed[group.rows]
            arg = next((name for name in _ARGS if name in group.columns), "")
            those, inverse = np.unique(who[group.rows[kept]], return_inverse=True)
            kinds = [packets.number(_kind(group, *track_of[one], arg)) for one in those.tolist()]
            rows.append(group.rows[kept])
            numbers.append(np.array(kinds, np.intp)[inverse])
            column = group.columns[arg][kept] if arg else np.zeros(int(kept.sum()))
            values.append(column.astype(np.uint64))
        return np.concatenate(rows), np.concatenate(numbers), np.concatenate(values)

    def _who(self, table: EventTable) -> tuple[NDArray[np.uint64], dict[int, tuple[int, int | None]]]:
        # For each row who did it, and for all of those their track and domid. What no vCPU did is shown on its pCPU.
        who = table.domid.astype(np.uint64) << np.uint64(32) | table.vcpu.astype(np.uint64) << np.uint64(16)
        who |= table.pcpu
        found: dict[int, tuple[int, int | None]] = {}
        for one in np.unique(who).tolist():
            domid, vcpu, pcpu = one >> 32, one >> 16 & 0xFFFF, one & 0xFFFF
            track = self._tracks.vcpus.get((domid, vcpu))
            found[one] = (self._tracks.pcpus[pcpu], None) if track is None else (track, domid)
        return who, found


def _is_shown(event: int) -> bool:
    # An event that nobody declared is of the classes that its whole subclass has.
    return _is_of_classes(event if is_declared(event) else event & (CLASS_BITS | SUBCLASS_BITS))


@lru_cache(maxsize=4096)
def _is_of_classes(event: int) -> bool:
    return not _CLASSES.isdisjoint(classes_of(event))


def _kind(group: Group, track: int, domid: int | None, arg: str) -> Kind:
    note = "multicall" if group.event == xentrace.PV_HYPERCALL_SUBCALL else ""
    bits = 8 * group.columns[arg].itemsize if arg else 32
    return Kind(INSTANT, track, _name(group, domid), note, arg, bits)


def _name(group: Group, domid: int | None) -> str:
    known = group.constants
    if "hypercall" in known:
        return f"{known['hypercall']} {known['subop']}" if "subop" in known else str(known["hypercall"])
    if "trap" in known:
        return f"trap {known['trap']}"
    if group.event in _GRANTS and "target_domid" in group.columns:
        mapper = "?" if domid is None else f"d{domid}"
        return f"grant {_GRANTS[group.event]} {mapper}→d{group.columns['target_domid'][0]}"
    return group.name
