"""Records as lines for people, as strace shows system calls: when, where, who, what.

``0.000123456  p0  d1v0  mmu_update(count=4)``. Seconds count from the first record. Hypercalls look like calls, run
states like changes; other events are their name and fields. What no field is declared for follows as hex words; ``...``
stands where Xen records none of a hypercall's arguments.
What ends a wait for a pCPU or a VM exit says how long that took, as ``strace -T`` does: ``hvm_vmentry <27.2 µs>``.
"""

from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from traces.account import IDLE_DOMID, UNKNOWN_DOMID
from traces.analyses.elapsed import UNTIMED
from traces.answers import Report
from traces.choice.classes import classes_of
from traces.counting.wallclock import Recorded
from traces.exporters.details import CODE, Naming, naming
from traces.exporters.payload import nones
from traces.exporters.rows import Chooser, Group, groups, is_declared, of_events, strangers
from traces.exporters.words import duration, marked, time
from traces.symbols import Symbols
from traces.table import EventTable
from traces.xen.formats.events import (
    CONTINUE_RUNNING,
    HVM_SVM_EXIT,
    HVM_VMMCALL,
    HVM_VMX_EXIT,
    PV_HYPERCALL_SUBCALL,
    PV_HYPERCALL_V2,
    RUNSTATE_CHANGE,
    base_id,
)

_UNTIMED_TEXT = "-"
_NS = 1_000_000_000
#: Fields of more than this many bits are addresses or masks.
_DECIMAL_BYTES = 4
_HEX = frozenset({"eip", "rip", "errorcode", "error_code", "cr2", "mfn", "gfn", "va", "gpa", "addr", "flags"})
_WHO = {"target_domid", "target_vcpu"}
_WHO_WIDTH = 7

#: Writes when a record was made, by its ns since the first one or ``UNTIMED``; always as wide.
Stamp = Callable[[int], str]
#: Gives a text in the colours of its record's classes (``traces.choice.classes``).
Paint = Callable[[str, frozenset[str]], str]


def plain(text: str, classes: frozenset[str]) -> str:
    """Give the text as it is."""
    del classes
    return text


def write(
    tables: Iterable[EventTable],
    report: Report,
    output: BinaryIO,
    *,
    paint: Paint = plain,
    symbols: Symbols | None = None,
    stamp: Stamp | None = None,
) -> None:
    """Write the records of a trace, in order of time.

    :param report: on the same trace: its clock, and the names of its exits, and what of it is wanted
    :param stamp: writes when a record was made; by default seconds since the first one
    """
    names = naming(report, symbols)
    pcpu_width = len(str(max(report.account.pcpus, default=0)))
    chooser = Chooser(report.where, report.clock.hz, timing=True, account=report.account)
    with marked(report.clock):
        output.writelines(
            "".join(lines(part, ns, names, pcpu_width, paint, chooser.took, stamp)).encode()
            for part, ns in chooser.parts(tables)
        )


def lines(
    table: EventTable,
    ns: NDArray[np.int64],
    naming: Naming,
    pcpu_width: int = 1,
    paint: Paint = plain,
    took: NDArray[np.int64] | None = None,
    stamp: Stamp | None = None,
) -> list[str]:
    """Give a line a record, with its end.

    :param ns: of each record, since the first one of the trace
    :param took: nanoseconds of what each record ends, see ``Chooser``
    """
    found = np.empty(len(table), object)
    found[:] = _heads(table, ns, pcpu_width, stamp or _seconds)
    for group in groups(table, naming, of_events(table, is_declared)):
        found[group.index] += _tails(table, group, paint, naming.symbols)
    strange, called = strangers(table)
    found[strange] += _strange_tails(table, strange, called, paint)
    made: list[str] = found.tolist()
    if took is not None:
        ends = np.flatnonzero(took != UNTIMED)
        for row, one in zip(ends.tolist(), took[ends].tolist(), strict=True):
            made[row] = f"{made[row][:-1]} <{duration(one / 1e9)}>\n"
    return made


def _heads(table: EventTable, ns: NDArray[np.int64], pcpu_width: int, stamp: Stamp) -> list[str]:
    who = {key: _who(key >> 16, key & 0xFFFF) for key in np.unique(_keys(table)).tolist()}
    return [
        f"{stamp(at)}  p{pcpu:<{pcpu_width}}  {who[key]:<{_WHO_WIDTH}} "
        for at, pcpu, key in zip(ns.tolist(), table.pcpu.tolist(), _keys(table).tolist(), strict=True)
    ]


def _keys(table: EventTable) -> NDArray[np.uint32]:
    return table.domid.astype(np.uint32) << np.uint32(16) | table.vcpu


def _seconds(ns: int) -> str:
    text = _UNTIMED_TEXT if ns == UNTIMED else time(f"{ns // _NS}.{ns % _NS:09}")
    return f"{text:>14}"


def wall_stamps(recorded: Recorded, detail: int) -> Stamp:
    """Give what writes wall clock time as strace does: 1, -t: 12:34:56; 2, -tt: microseconds too; 3, -ttt: since 1970.

    The time of day is that of the recording host's time zone.
    """
    offset_ns = recorded.ns + (0 if detail > 2 else recorded.utc_offset_s * _NS)

    def stamp(ns: int) -> str:
        seconds, rest = divmod(offset_ns + ns, _NS)
        if detail > 2:
            text = f"{seconds}.{rest // 1000:06}"
        else:
            text = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
            text += f".{rest // 1000:06}" if detail > 1 else ""
        return f"{_UNTIMED_TEXT:>{len(text)}}" if ns == UNTIMED else time(text)

    return stamp


def _who(domid: int, vcpu: int) -> str:
    if domid == UNKNOWN_DOMID:
        return "-"
    return f"idle v{vcpu}" if domid == IDLE_DOMID else f"d{domid}v{vcpu}"


def _tails(table: EventTable, group: Group, paint: Paint, symbols: Symbols | None) -> Any:  # noqa: ANN401 - a text for all, or an array of texts
    base = base_id(group.event)
    classes = frozenset() if paint is plain else classes_of(group.event, group.constants.get("nr"))
    named = dict(group.columns)
    fields, columns = [], []
    if named.keys() >= _WHO:
        fields = ["%s"]
        pairs = zip(*(named.pop(name).tolist() for name in ("target_domid", "target_vcpu")), strict=True)
        columns = [[_who(*pair) for pair in pairs]]
    absent = nones(group.event, group.words)
    for name, column in named.items():
        fields.append(_field(name, column))
        columns.append(column.tolist())
        if name in absent and (column == absent[name]).any():
            form, fields[-1] = fields[-1].partition("=")[2], f"{name}=%s"
            columns[-1] = ["none" if value == absent[name] else form % value for value in column.tolist()]
        if symbols is not None and name in CODE:
            fields[-1] += "%s"
            found = [symbols.name(address) for address in column.tolist()]
            columns.append([f" <{function}>" if function else "" for function in found])
    if base in (PV_HYPERCALL_V2, PV_HYPERCALL_SUBCALL, HVM_VMMCALL) and "hypercall" in group.constants:
        if base == HVM_VMMCALL:
            fields, columns = [], []  # eax is the number again
        told = [group.constants["subop"]] if "subop" in group.constants else []
        told += ["preempted"] if "preempted" in group.constants else []
        indent = "  " if base == PV_HYPERCALL_SUBCALL else ""
        # Arguments there are, but for iret, of which all is on the stack.
        untold = [] if told or fields or group.constants["hypercall"] == "iret" else ["..."]
        text = f"{indent}{paint(group.constants['hypercall'], classes)}({', '.join([*told, *fields, *untold])})"
    else:
        text = " ".join([paint(_name(base, group), classes), *fields])
        text += "".join(" +0x%x" for _ in group.beyond)
        columns += [table.word(group.rows, index).tolist() for index in group.beyond]
    if not columns:
        return text + "\n"
    if len(group.rows) == 1:
        return (text + "\n") % tuple([column[0] for column in columns])
    tails = np.empty(len(group.rows), object)
    tails[:] = list(map((text + "\n").__mod__, zip(*columns, strict=True)))
    return tails


def _strange_tails(table: EventTable, rows: NDArray[np.intp], names: list[str], paint: Paint) -> NDArray[np.object_]:
    found = np.empty(len(rows), object)
    if paint is plain:
        found[:] = names
    else:
        events = table.event[rows].tolist()
        found[:] = [paint(name, classes_of(event)) for name, event in zip(names, events, strict=True)]
    words = table.words[rows]
    for index in range(int(words.max(initial=0))):
        longer = words > index
        found[longer] += np.array([f" +{word:#x}" for word in table.word(rows[longer], index).tolist()], object)
    found += "\n"
    return found


def _name(base: int, group: Group) -> str:
    known = group.constants
    if base == RUNSTATE_CHANGE:
        return f"{known['old']} → {known['new']}"
    if base == CONTINUE_RUNNING:
        return "running → running"
    if base in (HVM_VMX_EXIT, HVM_SVM_EXIT) and "exit" in known:
        return f"exit {known['exit']}"
    named = " ".join(f"{name}={value}" for name, value in known.items())
    return f"{group.name} {named}".rstrip()


def _field(name: str, column: NDArray[np.integer[Any]]) -> str:
    hexadecimal = name in _HEX or column.dtype.itemsize > _DECIMAL_BYTES
    return f"{name}={'0x%x' if hexadecimal else '%d'}"
