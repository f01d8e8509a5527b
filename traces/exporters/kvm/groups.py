"""The records of a table by event, with their fields as columns: numbers, texts, and names that numbers have."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from traces.answers import Report
from traces.foreign import printable
from traces.kvm.formats.fields import Field, Layout
from traces.kvm.formats.reasons import AMD, Reasons
from traces.kvm.table import RecordTable, Values

_REASON, _ISA = "exit_reason", "isa"
#: What the name of a VM exit's reason is called: as in tables of Xen's records.
EXIT = "exit"


@dataclass(frozen=True)
class Trace:
    """What names the records of a trace, besides what they say themselves.

    report    on it: its clock, and what of it is wanted
    layouts   of its events, by number
    comms     names of threads
    seen      numbers of the events that it has
    """

    report: Report
    layouts: Mapping[int, Layout]
    comms: Mapping[int, str]
    seen: frozenset[int]

    @cached_property
    def reasons(self) -> Reasons:
        """Names of VM exits' reasons."""
        return Reasons(self.layouts.values())


@dataclass(frozen=True)
class Group:
    """Records of one event: their rows, ascending, and their fields."""

    rows: NDArray[np.intp]
    event: int
    name: str
    fields: Mapping[str, Values]


class Groups:
    """Puts the records of tables into groups."""

    def __init__(self, trace: Trace) -> None:
        self._layouts, self._reasons = trace.layouts, trace.reasons
        self._symbols: dict[tuple[int, str], list[dict[int, str]]] = {}

    def of(self, table: RecordTable) -> Iterator[Group]:
        """Give the groups of a table. Events without a format may be another each time: each row has its own name."""
        order = np.argsort(table.event, kind="stable")
        events = table.event[order]
        firsts = np.flatnonzero(np.append(True, events[1:] != events[:-1]))
        for event, begin, end in zip(
            events[firsts].tolist(), firsts.tolist(), [*firsts[1:].tolist(), len(order)], strict=True
        ):
            known = self._layouts.get(event)
            rows = order[begin:end]
            fields = {} if known is None else dict(self._fields(table, rows, known))
            yield Group(rows, event, f"event_{event}" if known is None else printable(known.name), fields)

    def _fields(self, table: RecordTable, rows: NDArray[np.intp], of: Layout) -> Iterator[tuple[str, Values]]:
        for field in of.own:
            found = table.read(rows, field)
            yield field.name, found
            if isinstance(found.values, list):
                continue
            if field.name == _REASON:
                yield EXIT, self._exits(table, rows, of, found)
            elif tables := self._tables(of, field):
                yield name_of(field), _named(found, tables[0])

    def _tables(self, of: Layout, field: Field) -> list[dict[int, str]]:
        key = of.id, field.name
        if key not in self._symbols:
            self._symbols[key] = of.symbols(field.name)
        return self._symbols[key]

    def _exits(self, table: RecordTable, rows: NDArray[np.intp], of: Layout, reasons: Values) -> Values:
        isa = of.fields.get(_ISA)
        amd = np.zeros(len(rows), np.int64) if isa is None else (table.numbers(rows, isa) == AMD).astype(np.int64)
        keys = np.asarray(reasons.values).astype(np.int64) << 1 | amd
        found, inverse = np.unique(keys, return_inverse=True)
        names = [self._reasons.name(key >> 1, amd=bool(key & 1)) for key in found.tolist()]
        return Values([names[index] for index in inverse.tolist()], reasons.there)


def name_of(field: Field) -> str:
    """Say what the names of a field's values are called."""
    return f"{field.name}_name"


def named(layout: Layout) -> Iterator[str]:
    """Give what names of values an event may have besides its fields."""
    for field in layout.own:
        if field.name == _REASON:
            yield EXIT
        elif field.is_number and layout.symbols(field.name):
            yield name_of(field)


def _named(found: Values, table: Mapping[int, str]) -> Values:
    distinct, inverse = np.unique(np.asarray(found.values), return_inverse=True)
    names = [table.get(value) for value in distinct.tolist()]
    there = np.array([name is not None for name in names], bool)[inverse]
    if found.there is not None:
        there &= found.there
    return Values([names[index] or "" for index in inverse.tolist()], None if there.all() else there)
