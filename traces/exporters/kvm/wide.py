"""KVM's records as one wide table, in order of time: what Parquet and CSV files hold.

byte_offset, tsc, ns, pcpu   where and when a record was made: ``byte_offset`` in its processor's pages
domid, vcpu                  whose vCPU the thread is; null where it is none
pid, comm                    the thread that ran, and what it is called
event, name                  the event's number in this trace, and its name
exit                         of a VM exit, the name of its reason

All else are fields of the events by the names that their formats have, null in records of others; ``FIELD_name`` is the
name of a number where the kernel has one. ``columns.ALWAYS`` are in every file, with the same type. A field whose name
is one of these or means something else in another event is ``EVENT_FIELD``: ``sched_wakeup_pid``. Arrays of bytes are
in hexadecimal. The table's metadata has ``schema`` (xentool.kvm-events/1), ``hz``, ``hz_source``.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from traces.exporters.columns import Column, in_pandas
from traces.exporters.filled import Names, Numbers
from traces.exporters.kvm.columns import DOMAIN, Plan, plan
from traces.exporters.kvm.groups import Groups, Trace
from traces.exporters.kvm.lines import as_json
from traces.exporters.rows import Chooser
from traces.kvm.table import NOBODY, RecordTable, Values

SCHEMA = "xentool.kvm-events/1"
#: Of a piece, in all columns together.
_CELLS = 1 << 21
_NAMES = pa.dictionary(pa.int32(), pa.string())


class Wide:
    """Makes the table of a trace's records, in pieces of bounded size.

    :param of: its columns; those of the trace itself if it is None
    :param told: what is told of it, by keys
    """

    def __init__(self, trace: Trace, of: Plan | None = None, told: Mapping[str, str] | None = None) -> None:
        self._trace = trace
        self._plan = of or plan(trace)
        clock = trace.report.clock
        told = told or {"schema": SCHEMA, "hz": repr(clock.hz), "hz_source": clock.source}
        #: pyarrow's, of the table.
        self.schema = schema(self._plan.columns, told)

    def pieces(self, tables: Iterable[RecordTable]) -> Iterator[Any]:
        """Give the table of what is wanted of the trace."""
        report, groups = self._trace.report, Groups(self._trace)
        rows = max(_CELLS // len(self._plan.columns), 1)
        chooser = Chooser(report.where, report.clock.hz, rows, account=report.account, source=report.source)
        for part, ns in chooser.parts(tables):
            made = _fields(part, groups, self._plan) | self._record(part, ns)
            yield pa.table([_as(made[column.name], column) for column in self._plan.columns], schema=self.schema)

    def _record(self, table: RecordTable, ns: NDArray[np.int64]) -> dict[str, Any]:
        nobody = table.domid == NOBODY
        comms = Names(len(table))
        pids, inverse = np.unique(table.pid, return_inverse=True)
        named = [self._trace.comms.get(pid) for pid in pids.tolist()]
        there = np.array([one is not None for one in named], bool)[inverse]
        comms.put_each(np.flatnonzero(there), [named[at] or "" for at in inverse[there].tolist()])
        return {
            "byte_offset": pa.array(table.offset),
            "tsc": pa.array(table.tsc),
            "ns": pa.array(ns),
            "pcpu": pa.array(table.pcpu),
            "domid": pa.array(table.domid, mask=nobody),
            **self._called(table.domid, ~nobody),
            "vcpu": pa.array(table.vcpu, mask=nobody),
            "pid": pa.array(table.pid),
            "comm": comms.array(),
            "event": pa.array(table.event.astype(np.uint32)),
        }

    def _called(self, domids: NDArray[np.uint32], there: NDArray[np.bool_]) -> dict[str, Any]:
        if self._plan.called is None:
            return {}
        names, known = Names(len(domids)), np.flatnonzero(there)
        found, inverse = np.unique(domids[known], return_inverse=True)
        called = [self._plan.called(domid) for domid in found.tolist()]
        names.put_each(known, [called[at] for at in inverse.tolist()])
        return {DOMAIN: names.array()}


def schema(columns: Sequence[Column], told: Mapping[str, str]) -> Any:  # noqa: ANN401 - pyarrow ships no types
    """Give pyarrow's schema of a table, with what is told of it."""
    fields = [pa.field(one.name, _type(one), one.nullable) for one in columns]
    return pa.schema(fields, {**told, "pandas": in_pandas(columns)})


def _fields(table: RecordTable, groups: Groups, of: Plan) -> dict[str, Any]:
    called = Names(len(table))
    filled: dict[str, Names | Numbers] = {}
    others = Names(len(table))
    for group in groups.of(table):
        called.put(group.rows, group.name)
        left = {}
        for name, values in group.fields.items():
            column = of.places.get((group.name, name))
            if column is None:
                left[name] = values
                continue
            if column.name not in filled:
                filled[column.name] = _column(len(table), column)
            filled[column.name].put_each(*_there(group.rows, values))
        if left and of.rest:
            others.put_each(group.rows, _together(left))
    found = {name: column.array() for name, column in filled.items()}
    if of.rest:
        found[of.rest] = others.array()
    # Most tables lack most events.
    empty = {one.name: pa.nulls(len(table), _type(one)) for one in of.columns if one.name not in found}
    return {**empty, **found, "name": called.array()}


def _together(fields: Mapping[str, Values]) -> list[str]:
    # A JSON object a row.
    keys = [json.dumps(name).replace("%", "%%") for name in fields]
    template = "{" + ",".join(f"{key}:%s" for key in keys) + "}"
    return list(map(template.__mod__, zip(*map(as_json, fields.values()), strict=True)))


def _there(rows: NDArray[np.intp], of: Values) -> tuple[NDArray[np.intp], Any]:
    if of.there is None:
        return rows, of.values
    if isinstance(of.values, list):
        return rows[of.there], [of.values[row] for row in np.flatnonzero(of.there).tolist()]
    return rows[of.there], of.values[of.there]


def _type(column: Column) -> Any:  # noqa: ANN401 - pyarrow ships no types
    if not column.bits:
        return _NAMES if column.coded else pa.string()
    return getattr(pa, f"{'int' if column.signed else 'uint'}{column.bits}")()


def _as(array: Any, column: Column) -> Any:  # noqa: ANN401 - pyarrow ships no types
    return array if column.bits or column.coded else array.cast(pa.string())


def _column(rows: int, of: Column) -> Names | Numbers:
    return Numbers(rows, np.int64 if of.signed else np.uint64) if of.bits else Names(rows)
