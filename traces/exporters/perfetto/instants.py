"""What vCPUs did at a point of time, as Perfetto's instants: hypercalls, grants, traps, page faults."""

from functools import lru_cache
from typing import Any

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
_GRANTER = "target_domid"
_GRANTS = {xentrace.GRANT_MAP: "map", xentrace.GRANT_UNMAP: "unmap", 0x0010F003: "transfer"}
#: Who maps whose pages is part of a name for so many pairs of domains; a damaged trace has a new one with each record.
_PAIRS_MAX = 1 << 10
#: Of one event: a hostile trace has a new one with each record, of which no viewer could show the names.
_KINDS_MAX = 1 << 10


class Instants:
    """Finds a table's instants and their packets."""

    def __init__(self, tracks: Tracks, naming: Naming) -> None:
        self._tracks = tracks
        self._naming = naming
        self._pairs: set[int] = set()  # of domains, mapper << 32 | granter, that have a name

    def of(
        self, table: EventTable, timed: NDArray[np.bool_], packets: Packets
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint64]]:
        """Give the rows of instants, for each its packet's number and its value; only of rows that are ``timed``."""
        who, track_of = self._who(table)
        rows: list[NDArray[np.intp]] = [np.empty(0, np.intp)]
        numbers: list[NDArray[np.intp]] = [np.empty(0, np.intp)]
        values: list[NDArray[np.uint64]] = [np.empty(0, np.uint64)]
        for group in groups(table, self._naming, of_events(table, _is_shown), {*_ARGS, _GRANTER}, _KINDS_MAX):
            kept = group.rows[timed[group.rows]]
            if not len(kept):
                continue
            arg = _arg(group)
            column = group.columns[arg][timed[group.rows]] if arg else np.zeros(len(kept), np.uint32)
            # Of grants, the granter is told by the name, so that each has its own, or else as any argument is.
            granters = self._named(table.domid[kept], column) if arg == _GRANTER else np.zeros(len(kept), np.int64)
            each, granter, inverse = _pairs(who[kept], granters)
            kinds = [
                packets.number(_kind(group, *track_of[one], of - 1 if of else None, "" if of else arg))
                for one, of in zip(each, granter, strict=True)
            ]
            rows.append(kept)
            numbers.append(np.array(kinds, np.intp)[inverse])
            values.append(column.astype(np.uint64))
        return np.concatenate(rows), np.concatenate(numbers), np.concatenate(values)

    def _named(self, mappers: NDArray[np.uint16], granters: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        # Of each grant, the granter and 1 if it is part of the name, else 0.
        pairs = mappers.astype(np.int64) << 32 | granters
        found = np.unique(pairs).tolist()
        self._pairs.update(found[: _PAIRS_MAX - len(self._pairs)])
        return np.where(np.isin(pairs, list(self._pairs)), granters.astype(np.int64) + 1, 0)

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


def _arg(group: Group) -> str:
    if group.event in _GRANTS and _GRANTER in group.columns:
        return _GRANTER
    return group.untold or next((name for name in _ARGS if name in group.columns), "")


def _pairs(whos: NDArray[np.uint64], granters: NDArray[np.int64]) -> tuple[list[int], list[int], NDArray[np.intp]]:
    # The distinct ones of both together, and of each row which. Mostly there is one.
    if (whos == whos[0]).all() and (granters == granters[0]).all():
        return [int(whos[0])], [int(granters[0])], np.zeros(len(whos), np.intp)
    each, who_at = np.unique(whos, return_inverse=True)
    of, granter_at = np.unique(granters, return_inverse=True)
    both, inverse = np.unique(who_at * len(of) + granter_at, return_inverse=True)
    return each[both // len(of)].tolist(), of[both % len(of)].tolist(), inverse


def _kind(group: Group, track: int, domid: int | None, granter: int | None, arg: str) -> Kind:
    note = "multicall" if group.event == xentrace.PV_HYPERCALL_SUBCALL else ""
    bits = max(8 * group.columns[arg].itemsize, 32) if arg else 32
    return Kind(INSTANT, track, _name(group, domid, granter), note, arg, bits)


def _name(group: Group, domid: int | None, granter: int | None) -> str:
    known = group.constants
    if "hypercall" in known:
        return f"{known['hypercall']} {known['subop']}" if "subop" in known else str(known["hypercall"])
    if "trap" in known:
        return f"trap {known['trap']}"
    if granter is not None:
        mapper = "?" if domid is None else f"d{domid}"
        return f"grant {_GRANTS[group.event]} {mapper}→d{granter}"
    return f"grant {_GRANTS[group.event]}" if group.event in _GRANTS else group.name
