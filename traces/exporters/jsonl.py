"""Records as JSON lines: one object a record, in order of time.

``{"byte_offset", "tsc", "ns", "pcpu", "domid", "vcpu", "event", "name", ...}`` and then the event's fields. ``ns`` is
counted from the first record; it is null before a pCPU's first time stamp, ``domid`` and ``vcpu`` where it is not
known who ran. ``extra`` holds the words that no field is declared for. Integers have up to 64 bits: addresses.
``unix_ns``, where asked for, is ns since the epoch by the recording host's clock. ``symbol`` names the function that
``rip`` or ``eip`` is in, where symbols are given.
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from traces.account import UNKNOWN_DOMID
from traces.analyses.elapsed import UNTIMED
from traces.answers import Report
from traces.exporters.details import CODE, Naming, naming
from traces.exporters.payload import nones
from traces.exporters.rows import Chooser, Group, groups, is_declared, of_events, strangers
from traces.symbols import Symbols
from traces.table import EventTable
from traces.xen.formats import events as xentrace

_encode = json.JSONEncoder().encode
_HEAD = '{"byte_offset":%d,"tsc":%d,"ns":%s,"pcpu":%d,"domid":%s,"vcpu":%s'


def write(
    tables: Iterable[EventTable],
    report: Report,
    output: BinaryIO,
    *,
    symbols: Symbols | None = None,
    wall: bool = False,
) -> None:
    """Write the records of a trace, in order of time.

    :param report: on the same trace: its clock, and the names of its exits, and what of it is wanted
    :param wall: tell ``unix_ns`` as well, where the report has the wall clock
    """
    names = naming(report, symbols)
    epoch_ns = report.recorded.ns if wall and report.recorded else None
    chooser = Chooser(report.where, report.clock.hz, timing=True, account=report.account)
    output.writelines(
        "".join(lines(part, ns, names, chooser.took, epoch_ns)).encode("ascii") for part, ns in chooser.parts(tables)
    )


def lines(
    table: EventTable,
    ns: NDArray[np.int64],
    naming: Naming,
    took: NDArray[np.int64] | None = None,
    epoch_ns: int | None = None,
) -> list[str]:
    """Give a line a record, with its end.

    :param ns: of each record, since the first one of the trace
    :param took: nanoseconds of what each record ends, see ``Chooser``
    :param epoch_ns: of the first record, where the wall clock is wanted
    """
    found = np.empty(len(table), object)
    found[:] = _heads(table, ns)
    if epoch_ns is not None:
        # In Python's integers: a damaged time stamp may lie anywhere.
        found += [f',"unix_ns":{"null" if one == UNTIMED else epoch_ns + one}' for one in ns.tolist()]
    for group in groups(table, naming, of_events(table, is_declared)):
        found[group.index] += _tails(table, group, naming.symbols)
    strange, called = strangers(table)
    found[strange] += _strange_tails(table, strange, called)
    made: list[str] = found.tolist()
    if took is not None:
        ends = np.flatnonzero(took != UNTIMED)
        for row, one in zip(ends.tolist(), took[ends].tolist(), strict=True):
            made[row] = f'{made[row][:-2]},"took_ns":{one}}}\n'
    return made


def _heads(table: EventTable, ns: NDArray[np.int64]) -> list[str]:
    nobody = table.domid == UNKNOWN_DOMID
    return list(
        map(
            _HEAD.__mod__,
            zip(
                table.offset.tolist(),
                table.tsc.tolist(),
                _nullable(ns, ns == UNTIMED),
                table.pcpu.tolist(),
                _nullable(table.domid, nobody),
                _nullable(table.vcpu, nobody),
                strict=True,
            ),
        )
    )


def _nullable(values: NDArray[Any], null: NDArray[np.bool_]) -> list[Any]:
    found: list[Any] = values.tolist()
    for row in np.flatnonzero(null).tolist():
        found[row] = "null"
    return found


def _tails(table: EventTable, group: Group, symbols: Symbols | None) -> Any:  # noqa: ANN401 - a text for all, or an array of texts
    constants = {"event": group.event, "name": group.name, **group.constants}
    template = "".join([f",{_key(name)}:{_value(value)}" for name, value in constants.items()])
    template = template.replace("%", "%%")
    absent = nones(group.event, group.words)
    columns = [
        _nullable(column, column == absent[name]) if name in absent else column.tolist()
        for name, column in group.columns.items()
    ]
    template += "".join(f",{_key(name)}:%{'s' if name in absent else 'd'}" for name in group.columns)
    if symbols is not None:
        for name in CODE & group.columns.keys():
            template += ',"symbol":%s'
            columns.append([json.dumps(symbols.name(address)) for address in group.columns[name].tolist()])
    beyond = _beyond(group)
    if beyond:
        template += f',"extra":[{",".join(["%d"] * len(beyond))}]'
        columns += [table.word(group.rows, index).tolist() for index in beyond]
    template += "}\n"
    if not columns:
        return template % ()
    if len(group.rows) == 1:
        return template % tuple([column[0] for column in columns])
    tails = np.empty(len(group.rows), object)
    tails[:] = list(map(template.__mod__, zip(*columns, strict=True)))
    return tails


@lru_cache(maxsize=4096)
def _key(name: str) -> str:
    return json.dumps(name)


def _value(value: object) -> str:
    # As ``json.dumps`` says it, in a third of its time.
    return str(value) if type(value) is int else _encode(value)


def _strange_tails(table: EventTable, rows: NDArray[np.intp], names: list[str]) -> NDArray[np.object_]:
    found = np.empty(len(rows), object)
    heads = zip(table.event[rows].tolist(), names, strict=True)
    found[:] = [f',"event":{event},"name":{json.dumps(name)}' for event, name in heads]
    words = table.words[rows]
    for index in range(int(words.max(initial=0))):
        longer = words > index
        before = "," if index else ',"extra":['
        found[longer] += np.array([f"{before}{word}" for word in table.word(rows[longer], index).tolist()], object)
    found[words > 0] += "]"
    found += "}\n"
    return found


def _beyond(group: Group) -> range:
    # A hypercall's arguments are no part of its layout.
    base = xentrace.base_id(group.event)
    if base in (xentrace.PV_HYPERCALL_V2, xentrace.PV_HYPERCALL_SUBCALL):
        return range(0)
    return group.beyond
