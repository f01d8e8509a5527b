"""Records of a trace of KVM as lines for people and as JSON lines.

``0.000123456  p0  d1127v0  kvm_exit exit=msr rip=0xffffffff8107e914 ...``. Seconds count from the first record. Fields
that have names in the event's print format have those. A field beyond its record's end, or a name that there
is not, is left out, or null.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from traces.analyses.elapsed import UNTIMED
from traces.exporters.around import Written
from traces.exporters.kvm.groups import Group, Groups, Trace
from traces.exporters.rows import Chooser
from traces.exporters.words import time
from traces.foreign import printable
from traces.kvm.table import NOBODY, RecordTable, Values

_NS = 1_000_000_000
_WHO_WIDTH = 9
#: Fields that people read as addresses or masks.
_HEX = frozenset(
    {"rip", "guest_rip", "info1", "info2", "gpa", "fault_address", "error_code", "intr_info", "ecx", "address"}
)
_HEAD = '{"byte_offset":%d,"tsc":%d,"ns":%s,"pcpu":%d,"domid":%s,"vcpu":%s,"pid":%d,"comm":%s'
_Lines = NDArray[np.object_]


def write(tables: Iterable[RecordTable], trace: Trace, output: BinaryIO) -> None:
    """Write JSON lines of what is wanted of a trace."""
    groups, chooser = Groups(trace), _chooser(trace, timing=True)
    output.writelines(
        "".join(_objects(part, ns, groups, trace, chooser.took)).encode("ascii") for part, ns in chooser.parts(tables)
    )


def write_text(tables: Iterable[RecordTable], trace: Trace, output: BinaryIO) -> None:
    """Write lines for people of what is wanted of a trace."""
    groups, width = Groups(trace), _width(trace)
    output.writelines("".join(_texts(part, ns, groups, width)).encode() for part, ns in _chooser(trace).parts(tables))


class Lines:
    """Writes what is wanted of a trace's tables as they come: for people, or as JSON."""

    def __init__(self, trace: Trace, *, as_json: bool) -> None:
        self._trace, self._as_json = trace, as_json
        self._groups, self._chooser, self._width = Groups(trace), _chooser(trace, timing=True), _width(trace)

    def of(self, table: RecordTable) -> Iterator[str]:
        """Give the lines of the next table."""
        for part, ns in self._chooser.of(table):
            if self._as_json:
                yield from _objects(part, ns, self._groups, self._trace, self._chooser.took)
            else:
                yield from _texts(part, ns, self._groups, self._width)


def forms(trace: Trace) -> Written:
    """Give what writes records in both forms, see ``around``."""
    groups, width = Groups(trace), _width(trace)

    def written(table: RecordTable, ns: NDArray[np.int64]) -> Iterable[tuple[str, str]]:
        return zip(_texts(table, ns, groups, width), _objects(table, ns, groups, trace, None), strict=True)

    return written


def _width(trace: Trace) -> int:
    return len(str(max((*trace.report.account.pcpus, 0))))


def _chooser(trace: Trace, *, timing: bool = False) -> Chooser:
    report = trace.report
    return Chooser(report.where, report.clock.hz, timing=timing, account=report.account, source=report.source)


def _objects(
    table: RecordTable, ns: NDArray[np.int64], groups: Groups, trace: Trace, took: NDArray[np.int64] | None
) -> list[str]:
    known = table.domid != NOBODY
    comms = {pid: json.dumps(trace.comms.get(pid)) for pid in np.unique(table.pid).tolist()}
    heads = zip(
        table.offset.tolist(),
        table.tsc.tolist(),
        ns.tolist(),
        table.pcpu.tolist(),
        _nullable(table.domid, known),
        _nullable(table.vcpu, known),
        table.pid.tolist(),
        [comms[pid] for pid in table.pid.tolist()],
        strict=True,
    )
    found = _empty(len(table))
    found[:] = list(map(_HEAD.__mod__, heads))
    for group in groups.of(table):
        found[group.rows] += _tails(group)
    made: list[str] = found.tolist()
    if took is not None:
        for row in np.flatnonzero(took != UNTIMED).tolist():
            made[row] = f'{made[row][:-2]},"took_ns":{took[row]}}}\n'
    return made


def _tails(group: Group) -> _Lines:
    head = f',"event":{group.event},"name":{json.dumps(group.name)},"fields":{{'.replace("%", "%%")
    template = head + ",".join(f"{json.dumps(name)}:%s" for name in group.fields) + "}}\n"
    columns = [as_json(values) for values in group.fields.values()]
    tails = _empty(len(group.rows))
    tails[:] = list(map(template.__mod__, zip(*columns, strict=True))) if columns else template % ()
    return tails


def as_json(of: Values) -> list[Any]:
    """Give a field's values as JSON has them; null where a record does not have it."""
    if isinstance(of.values, list):
        found: list[Any] = [json.dumps(one) for one in of.values]
    else:
        found = of.values.tolist()
    return found if of.there is None else _without(found, of.there, "null")


def _texts(table: RecordTable, ns: NDArray[np.int64], groups: Groups, width: int) -> list[str]:
    known = (table.domid != NOBODY).tolist()
    heads = [
        f"{time(f'{one // _NS}.{one % _NS:09}'):>14}  p{pcpu:<{width}}  "
        f"{f'd{domid}v{vcpu}' if is_known else f't{pid}':<{_WHO_WIDTH}}"
        for one, pcpu, is_known, domid, vcpu, pid in zip(
            ns.tolist(),
            table.pcpu.tolist(),
            known,
            table.domid.tolist(),
            table.vcpu.tolist(),
            table.pid.tolist(),
            strict=True,
        )
    ]
    found = _empty(len(table))
    found[:] = heads
    for group in groups.of(table):
        columns = [_shown(name, values) for name, values in group.fields.items()]
        tails = _empty(len(group.rows))
        rows = zip(*columns, strict=True) if columns else ((),) * len(group.rows)
        tails[:] = [" ".join((f" {group.name}", *filter(None, fields))) + "\n" for fields in rows]
        found[group.rows] += tails
    made: list[str] = found.tolist()
    return made


def _shown(name: str, of: Values) -> list[str]:
    if isinstance(of.values, list):
        found = [f"{name}={printable(one)}" for one in of.values]
    elif name in _HEX and (not len(of.values) or of.values.min() >= 0):
        found = [f"{name}={one:#x}" for one in of.values.tolist()]
    else:
        found = [f"{name}={one}" for one in of.values.tolist()]
    return found if of.there is None else _without(found, of.there, "")


def _nullable(values: NDArray[np.unsignedinteger[Any]], there: NDArray[np.bool_]) -> list[Any]:
    return _without(values.tolist(), there, "null")


def _without(values: list[Any], there: NDArray[np.bool_], instead: str) -> list[Any]:
    for row in np.flatnonzero(~there).tolist():
        values[row] = instead
    return values


def _empty(count: int) -> _Lines:
    return np.empty(count, object)
