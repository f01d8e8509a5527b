"""Records as one wide table, in order of time: what Parquet and CSV files hold.

byte_offset, tsc, ns, pcpu, domid, vcpu, event, name   as in ``exporters.jsonl``; ns, domid and vcpu may be null
w0 to w6                    the record's payload words, null beyond its length
nr, hypercall, subop        of hypercalls, those in multicalls too (those have the name pv_hypercall_subcall)
count                       operations that a batching hypercall asks for; of a multicall, its calls
old, new                    run states of sched_runstate_change
target_domid, target_vcpu   whom a record is about: of a grant the granter, of a wake who wakes
exit, trap                  names of a VM exit's reason and of a trap
address                     of page faults and emulated page table writes

Nulls say that Xen records no such thing there. The table's metadata has ``schema`` (xentool.events/1), ``hz``,
``hz_source``.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from traces.account import UNKNOWN_DOMID
from traces.analyses.elapsed import UNTIMED
from traces.analyses.report import Report
from traces.exporters.details import Naming, meaning, told_by
from traces.exporters.encode import ALIKE, BY_FIELD, BY_HYPERCALL, Choice, Encoder
from traces.exporters.rows import Chooser, Group, groups, naming
from traces.formats.xentrace import EXTRA_MAX, event_name
from traces.table import EventTable

SCHEMA = "xentool.events/1"
#: What ``encode`` asks of a kind of records, see there.
_Described = tuple[bool, list[bytes | None], list[tuple[int, int, int, bool, int, int]]]
_ROWS = 1 << 18
_ALL_BITS = (1 << 64) - 1
_NAME = pa.dictionary(pa.int32(), pa.string())

_RECORD = {
    "byte_offset": pa.uint64(),
    "tsc": pa.uint64(),
    "ns": pa.int64(),
    "pcpu": pa.uint16(),
    "domid": pa.uint16(),
    "vcpu": pa.uint16(),
    "event": pa.uint32(),
    "name": _NAME,
}
_WORDS = {f"w{index}": pa.uint32() for index in range(EXTRA_MAX)}
_DETAILS = {
    "nr": pa.uint32(),
    "hypercall": _NAME,
    "subop": _NAME,
    "count": pa.uint32(),
    "old": _NAME,
    "new": _NAME,
    "target_domid": pa.uint32(),
    "target_vcpu": pa.uint32(),
    "exit": _NAME,
    "trap": _NAME,
    "address": pa.uint64(),
}
#: A field of a record that goes into a column of another name.
_SAME = {"calls": "count"}
#: What every record has.
_NEVER_NULL = ("byte_offset", "tsc", "pcpu", "event", "name")
_NAMES = ["name", *(name for name, kind in _DETAILS.items() if kind is _NAME)]
_NUMBERS = [name for name, kind in _DETAILS.items() if kind is not _NAME]
#: The columns in the order in which ``encode`` makes them.
ENCODED = [*_RECORD, *_WORDS, *_NAMES[1:], *_NUMBERS]


def schema(report: Report) -> Any:  # noqa: ANN401 - pyarrow ships no types
    """Give the table's columns and metadata."""
    metadata = {"schema": SCHEMA, "hz": repr(report.clock.hz), "hz_source": report.clock.source}
    columns = {**_RECORD, **_WORDS, **_DETAILS}
    return pa.schema([pa.field(name, kind, name not in _NEVER_NULL) for name, kind in columns.items()], metadata)


def encoder(report: Report, rows: int) -> Encoder:
    """Give what makes the table's pages of compiled records, see ``encode``.

    :param report: as for ``batches``
    :param rows: the most in a row group
    """
    where, names_by = report.where, naming(report)
    begin, end = where.cycles(report.clock.hz)
    choice = Choice(where.domid, where.vcpus or None, where.pcpus or None, begin if begin > 0 else None, end)

    def describe(event: int, words: int, payload: bytes) -> _Described:
        constants, places = meaning(event, words, payload, names_by)
        named: dict[str, Any] = {"name": event_name(event), **constants}
        found = {_SAME.get(name, name): value for name, value in named.items()}
        names = [found[name].encode() if name in found else None for name in _NAMES]
        numbers = {name: (0, 0, False, _ALL_BITS, value) for name, value in found.items() if name in _NUMBERS}
        for field in places.values():
            name = _SAME.get(field.name, field.name)
            if name in _NUMBERS:
                mask = _ALL_BITS if field.mask is None else field.mask
                numbers[name] = (field.offset, field.size, field.signed, mask, 0)
        return (
            where.keeps(event, words, payload),
            names,
            [(_NUMBERS.index(name), *number) for name, number in numbers.items()],
        )

    sizes = [_DETAILS[name].bit_width // 8 for name in _NUMBERS]
    return Encoder(describe, _told, choice, report.clock.hz, rows, len(_NAMES), sizes)


def _told(event: int, words: int) -> tuple[int, int, int]:
    by = told_by(event, words)
    if by == "hypercall":
        return BY_HYPERCALL, 0, 0
    return (ALIKE, 0, 0) if by is None else (BY_FIELD, by.offset, by.size)


def batches(tables: Iterable[EventTable], report: Report) -> Iterator[Any]:
    """Give the table in pieces of bounded size.

    :param report: on the same trace: its clock, and the names of its exits, and what of it is wanted
    """
    columns = schema(report)
    names_by = naming(report)
    chooser = Chooser(report.where, report.clock.hz, _ROWS, account=report.account)
    for part, ns in chooser.parts(tables):
        made = _record(part, ns) | _words(part) | _details(part, names_by)
        yield pa.table([made[name] for name in columns.names], schema=columns)


def _record(table: EventTable, ns: NDArray[np.int64]) -> dict[str, Any]:
    nobody = table.domid == UNKNOWN_DOMID
    return {
        "byte_offset": pa.array(table.offset),
        "tsc": pa.array(table.tsc),
        "ns": pa.array(ns, mask=ns == UNTIMED),
        "pcpu": pa.array(table.pcpu),
        "domid": pa.array(table.domid, mask=nobody),
        "vcpu": pa.array(table.vcpu, mask=nobody),
        "event": pa.array(table.event),
    }


def _words(table: EventTable) -> dict[str, Any]:
    found = {}
    for index, name in enumerate(_WORDS):
        rows = np.flatnonzero(table.words > index)
        column = _Numbers(len(table), pa.uint32())
        column.put(rows, table.word(rows, index))
        found[name] = column.array()
    return found


def _details(table: EventTable, naming: Naming) -> dict[str, Any]:
    columns: dict[str, _Names | _Numbers] = {
        name: _Names(len(table)) if kind is _NAME else _Numbers(len(table), kind)
        for name, kind in {"name": _NAME, **_DETAILS}.items()
    }
    for group in groups(table, naming):
        for name, value in _fields(group).items():
            if name in columns:
                columns[name].put(group.rows, value)
    return {name: column.array() for name, column in columns.items()}


def _fields(group: Group) -> dict[str, Any]:
    found = {"name": group.name, **group.constants, **group.columns}
    return {_SAME.get(name, name): value for name, value in found.items()}


class _Numbers:
    # A column of numbers, null where none was put.
    def __init__(self, rows: int, kind: Any) -> None:  # noqa: ANN401 - pyarrow ships no types
        self._values = np.zeros(rows, kind.to_pandas_dtype())
        self._null = np.ones(rows, bool)

    def put(self, rows: NDArray[np.intp], value: Any) -> None:  # noqa: ANN401 - a number for all, or an array
        self._values[rows] = value
        self._null[rows] = False

    def array(self) -> Any:  # noqa: ANN401 - pyarrow ships no types
        return pa.array(self._values, mask=self._null)


class _Names:
    # A column of names, each stored once, null where none was put.
    def __init__(self, rows: int) -> None:
        self._codes = np.full(rows, -1, np.int32)
        self._vocabulary: dict[str, int] = {}

    def put(self, rows: NDArray[np.intp], value: str) -> None:
        self._codes[rows] = self._vocabulary.setdefault(value, len(self._vocabulary))

    def array(self) -> Any:  # noqa: ANN401 - pyarrow ships no types
        codes = pa.array(self._codes, mask=self._codes < 0)
        return pa.DictionaryArray.from_arrays(codes, pa.array(list(self._vocabulary), pa.string()))
