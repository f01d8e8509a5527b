"""What vCPUs did at a point of time, as Perfetto's instants: hypercalls, grants, traps, page faults."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from traces.analyses.elapsed import UNTIMED
from traces.choice.classes import CLASS_BITS, SUBCLASS_BITS, classes_of
from traces.exporters.details import Naming
from traces.exporters.payload import nones
from traces.exporters.perfetto.packets import ARGS_MAX, FLOW_BEGINS, INSTANT, NO_FLOW, Arg, Kind, Marks, Packets
from traces.exporters.perfetto.tracks import Tracks
from traces.exporters.rows import Group, groups, is_declared, of_events
from traces.table import EventTable
from traces.xen.formats import events as xentrace

_CLASSES = frozenset({"hypercall", "grant", "mm", "trap"})
#: Fields that are addresses.
_PLACES = frozenset({"address", "rip", "eip", "gpa", "gfn", "mfn", "pte"})
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

    def of(self, table: EventTable, cycles: NDArray[np.int64], flows: NDArray[np.uint64], packets: Packets) -> Marks:
        """Give the instants of a table's records that have a time.

        :param cycles: of each record
        :param flows: of each record the number of the flow that begins there, 0 for none
        """
        who, track_of = self._who(table)
        numbers = np.full(len(table), -1, np.intp)
        values = np.zeros((ARGS_MAX, len(table)), np.uint64)
        begins = flows > 0 if flows.any() else None
        shown = of_events(table, _is_shown) & (cycles != UNTIMED)
        for group in groups(table, self._naming, shown, most=_KINDS_MAX):
            for chosen, told, flow in _alike(group, begins):
                rows = group.rows[chosen]
                # Of grants, the granter is told by the name, so that each has its own, or else as any field is.
                granters = np.zeros(len(rows), np.int64)
                if group.event in _GRANTS and _GRANTER in told:
                    granters = self._named(table.domid[rows], group.columns[_GRANTER][chosen])
                each, of, inverse = _pairs(who[rows], granters)
                kinds = [
                    packets.number(_kind(group, *track_of[one], granter - 1 if granter else None, told, flow))
                    for one, granter in zip(each, of, strict=True)
                ]
                numbers[rows] = kinds[0] if inverse is None else np.array(kinds, np.intp)[inverse]
                for index, name in enumerate(told):
                    values[index, rows] = group.columns[name][chosen]
        there = np.flatnonzero(numbers >= 0)
        return Marks(cycles[there], numbers[there], values[:, there], flows[there])

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


def _alike(
    group: Group, begins: NDArray[np.bool_] | None
) -> Iterator[tuple[slice | NDArray[np.bool_], tuple[str, ...], int]]:
    # Of a group, the records that have the same fields and begin a flow or none: which of it, and those fields.
    names = tuple(group.columns)[:ARGS_MAX]
    known = nones(group.event, group.words)
    if not known and begins is None:
        yield slice(None), names, NO_FLOW
        return
    kinds = np.zeros(len(group.rows), np.int64) if begins is None else begins[group.rows].astype(np.int64)
    for bit, name in enumerate(names, 1):
        if name in known:
            kinds |= (group.columns[name] == known[name]).astype(np.int64) << bit
    for kind in np.unique(kinds).tolist():
        told = tuple(name for bit, name in enumerate(names, 1) if not kind >> bit & 1)
        yield kinds == kind, told, FLOW_BEGINS if kind & 1 else NO_FLOW


def _pairs(
    whos: NDArray[np.uint64], granters: NDArray[np.int64]
) -> tuple[list[int], list[int], NDArray[np.intp] | None]:
    # The distinct ones of both together, and of each row which. Mostly there is one, and no such column.
    if len(whos) == 1 or ((whos == whos[0]).all() and (granters == granters[0]).all()):
        return [int(whos[0])], [int(granters[0])], None
    each, who_at = np.unique(whos, return_inverse=True)
    of, granter_at = np.unique(granters, return_inverse=True)
    both, inverse = np.unique(who_at * len(of) + granter_at, return_inverse=True)
    return each[both // len(of)].tolist(), of[both % len(of)].tolist(), inverse


def _kind(group: Group, track: int, domid: int | None, granter: int | None, told: tuple[str, ...], flow: int) -> Kind:
    note = "multicall" if group.event == xentrace.PV_HYPERCALL_SUBCALL else ""
    # A grant's granter is its one field, and is not told twice.
    args = tuple(
        Arg(name, max(8 * group.columns[name].itemsize, 32), name in _PLACES)
        for name in told
        if granter is None or name != _GRANTER
    )
    return Kind(INSTANT, track, _name(group, domid, granter), note, args, flow)


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
