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
from traces.answers import Report
from traces.exporters.columns import COLUMNS, DETAILS, NAME, SAME, WORDS, Column, metadata
from traces.exporters.details import Naming, naming
from traces.exporters.filled import Names, Numbers
from traces.exporters.rows import Chooser, Group, groups, is_declared, of_events, strangers
from traces.table import EventTable

_ROWS = 1 << 18
_NAME = pa.dictionary(pa.int32(), pa.string())


def schema(report: Report) -> Any:  # noqa: ANN401 - pyarrow ships no types
    """Give the table's columns and metadata."""
    fields = [pa.field(column.name, _type(column), column.nullable) for column in COLUMNS]
    return pa.schema(fields, metadata(report))


def _type(column: Column) -> Any:  # noqa: ANN401 - pyarrow ships no types
    if not column.bits:
        return _NAME
    return getattr(pa, f"{'int' if column.signed else 'uint'}{column.bits}")()


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
    for index, word in enumerate(WORDS):
        rows = np.flatnonzero(table.words > index)
        column = Numbers(len(table), np.uint32)
        column.put(rows, table.word(rows, index))
        found[word.name] = column.array()
    return found


def _details(table: EventTable, naming: Naming) -> dict[str, Any]:
    called = Names(len(table))
    columns: dict[str, Names | Numbers] = {
        column.name: Numbers(len(table), _type(column).to_pandas_dtype()) if column.bits else Names(len(table))
        for column in DETAILS
    } | {NAME.name: called}
    for group in groups(table, naming, of_events(table, is_declared), {*columns, *SAME}):
        for name, value in _fields(group).items():
            if name in columns:
                columns[name].put(group.rows, value)
    called.put_each(*strangers(table))
    return {name: column.array() for name, column in columns.items()}


def _fields(group: Group) -> dict[str, Any]:
    found = {"name": group.name, **group.constants, **group.columns}
    return {SAME.get(name, name): value for name, value in found.items()}


def _column(rows: int, of: Column) -> Names | Numbers:
    return Numbers(rows, _type(of).to_pandas_dtype()) if of.bits else Names(rows)
