"""What a record's words mean beyond their layout: hypercalls, run states, exits and traps, with their names.

Law: only what Xen records; an argument that it leaves out is absent here.

Ref: xen/common/trace.c (__trace_hypercall), xen/common/sched/core.c (trace_runstate_change), see ``formats.events``
"""

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from traces.answers import Numbering, Report
from traces.exporters.payload import Field, alone, fields, read
from traces.symbols import Symbols
from traces.xen.formats import events as xentrace
from traces.xen.formats.event import Release, release
from traces.xen.formats.exits import key_of
from traces.xen.formats.names import (
    GRANT_TABLE_OP,
    MMU_UPDATE,
    MMUEXT_OP,
    MULTICALL,
    SUBOPS,
    hypercall_name,
    hypercall_nr,
    subop_name,
    trap_name,
)

if TYPE_CHECKING:
    # What is compiled asks for meanings only, and begins without numpy.
    import numpy as np
    from numpy.typing import NDArray

    from traces.table import EventTable

#: Fields that say where in its code a guest was.
CODE = frozenset({"rip", "eip"})

Constants = dict[str, Any]
Columns = dict[str, "NDArray[np.integer[Any]]"]

#: What the recorded arguments of a hypercall are, by its number, then the argument's.
_ARGS: Mapping[int, Mapping[int, str]] = {
    MMU_UPDATE: {1: "count"},
    MULTICALL: {1: "calls"},
    20: {0: "cmd", 2: "count"},
    24: {0: "cmd", 1: "target_vcpu"},
    MMUEXT_OP: {1: "count"},
    29: {0: "cmd"},
}
_ARGS_MAX = 6
_ARG_BITS = 2
#: Above a sub-operation's number is how far a preempted one has come (xen/common/grant_table.c).
_CMD_MASK = 0xFFF
#: Set in a count when the call goes on after a preemption (MMU_UPDATE_PREEMPTED).
_PREEMPTED = 0x8000_0000
#: Of a trap's number; the bit above says that its error code counts.
_VECTOR_MASK = 0x7FFF
_HAS_ERROR_CODE = 0x8000

#: The first word of a hypercall's record.
_OPERATION = Field("op", 0, 4)
_HYPERCALLS = (xentrace.PV_HYPERCALL_V2, xentrace.PV_HYPERCALL_SUBCALL)
_EXITS = (xentrace.HVM_VMX_EXIT, xentrace.HVM_SVM_EXIT)
_PV_HYPERCALL_V1 = 0x00201001
_TOLD_BY = {
    **dict.fromkeys(_EXITS, "reason"),
    xentrace.HVM_VMMCALL: "eax",
    xentrace.PV_TRAP: "trapnr",
    _PV_HYPERCALL_V1: "nr",
}


class Naming(NamedTuple):
    """What names need to know beyond their record.

    exits    whose reasons VM exits have
    release  of Xen, if that is known
    symbols  functions of the guest's kernel
    """

    exits: Numbering
    release: Release | None = None
    symbols: Symbols | None = None


class Meaning(NamedTuple):
    """What records have in common that are alike in event, length and ``told_by``, and where lies what differs."""

    constants: Constants
    fields: dict[str, Field]


def told_by(event: int, words: int) -> Field | Literal["hypercall"] | None:
    """Give what records of one event and length are told apart by, a field or what ``told`` says of hypercalls.

    None where they are all of one kind.
    """
    base = xentrace.base_id(event)
    if not words:
        return None
    if base in _HYPERCALLS:
        return "hypercall"
    name = _TOLD_BY.get(base)
    return None if name is None else next((field for field in fields(event, words) if field.name == name), None)


def selector(table: "EventTable", rows: "NDArray[np.intp]", event: int, words: int) -> "NDArray[np.uint64] | None":
    """Read of each record what ``told_by`` names; None where they are all of one kind."""
    import numpy as np  # noqa: PLC0415 - see above

    by = told_by(event, words)
    if by is None:
        return None
    return _hypercall_selector(table, rows, words) if by == "hypercall" else read(table, rows, by).astype(np.uint64)


def meaning(event: int, words: int, payload: bytes, naming: Naming) -> Meaning:
    """Name what records have in common that are alike in event, length and ``told_by``.

    :param payload: of any of them
    """
    base = xentrace.base_id(event)
    if base in _HYPERCALLS and words:
        return _hypercall(payload, words)
    if base not in xentrace.BY_ID:
        return Meaning({}, {})
    found = {field.name: field for field in fields(event, words, naming.release)}
    constants: Constants = {}
    if base == xentrace.RUNSTATE_CHANGE:
        constants["old"] = xentrace.RUNSTATES[event >> xentrace.RUNSTATE_OLD_SHIFT & 3]
        constants["new"] = xentrace.RUNSTATES[event >> xentrace.RUNSTATE_NEW_SHIFT & 3]
    elif base == xentrace.HVM_VMMCALL and found:
        constants = _called(hypercall_nr(found["eax"].of(payload)))
    elif base == _PV_HYPERCALL_V1 and "nr" in found:
        constants = _called(found.pop("nr").of(payload))
    elif base in _EXITS and found:
        nested = bool(event & xentrace.FLAG_NESTED)
        key = key_of(found["reason"].of(payload), nested=nested, amds_id=base == xentrace.HVM_SVM_EXIT)
        constants["exit"] = naming.exits.name(key)
    elif base == xentrace.PV_TRAP and "trapnr" in found:
        trapnr = found.pop("trapnr").of(payload)
        constants = {"vector": trapnr & _VECTOR_MASK, "trap": trap_name(trapnr & _VECTOR_MASK)}
        if not trapnr & _HAS_ERROR_CODE:
            found.pop("error_code", None)
    return Meaning(constants, found)


def details(
    table: "EventTable",
    rows: "NDArray[np.intp]",
    event: int,
    words: int,
    naming: Naming,
    only: Container[str] | None = None,
) -> tuple[Constants, Columns]:
    """Say what ``meaning`` does of the given records, and read what differs.

    :param only: of that, the fields that are wanted; all if not given
    """
    payload = table.payload_bytes(int(rows[0]))
    constants, found = meaning(event, words, payload, naming)
    if only is not None:
        found = {name: field for name, field in found.items() if name in only}
    if len(rows) == 1:
        # In a hostile trace every record may be of a kind of its own.
        return constants, {name: alone(payload, field) for name, field in found.items()}
    return constants, {name: read(table, rows, field) for name, field in found.items()}


def untold(table: "EventTable", rows: "NDArray[np.intp]", event: int, words: int) -> Columns:
    """Read of records what ``told_by`` names, where there are too many kinds to ask ``details`` of each."""
    by = told_by(event, words)
    if by is None:
        return {}
    field = _OPERATION if by == "hypercall" else by
    return {field.name: read(table, rows, field)}


def naming(report: Report, symbols: Symbols | None = None) -> Naming:
    """Give what names of a trace's records need: its exits' in AMD's or Intel's numbering, as the report found."""
    return Naming(report.exits, release(report.xen_version) or report.newest_release, symbols)


def _called(nr: int) -> Constants:
    return {"nr": nr, "hypercall": hypercall_name(nr)}


def _arguments(op: int, words: int) -> list[tuple[str, Field]]:
    # Arguments follow the first word in their order, as many as the record has room for.
    if words == 1:
        return []
    nr = op & xentrace.HYPERCALL_OP_MASK
    present = [i for i in range(_ARGS_MAX) if op >> xentrace.HYPERCALL_ARG_SHIFT + _ARG_BITS * i & 3]
    names = [_ARGS.get(nr, {}).get(i, f"arg{i}") for i in present]
    return [(name, Field(name, 4 + 4 * place, 4)) for place, name in enumerate(names[: words - 1])]


def _hypercall_selector(table: "EventTable", rows: "NDArray[np.intp]", words: int) -> "NDArray[np.uint64]":
    import numpy as np  # noqa: PLC0415 - see above

    op = table.word(rows, 0)
    found = op.astype(np.uint64)
    if words > 1:
        nr = op & xentrace.HYPERCALL_OP_MASK
        first = table.word(rows, 1)
        # The first recorded argument tells the sub-operation, or whether a batch goes on.
        told = np.where(np.isin(nr, tuple(SUBOPS)), first & _CMD_MASK, np.uint32(0))
        told |= np.where(np.isin(nr, (MMU_UPDATE, MMUEXT_OP)), first & np.uint32(_PREEMPTED), np.uint32(0))
        told |= np.where((nr == GRANT_TABLE_OP) & (first > np.uint32(_CMD_MASK)), np.uint32(_PREEMPTED), np.uint32(0))
        found |= told.astype(np.uint64) << np.uint64(32)
    return found


def _hypercall(payload: bytes, words: int) -> Meaning:
    op = int.from_bytes(payload[:4], "little")
    nr = op & xentrace.HYPERCALL_OP_MASK
    constants = _called(nr)
    found = dict(_arguments(op, words))
    if nr in SUBOPS and "cmd" in found:
        cmd = found.pop("cmd").of(payload)
        constants["cmd"] = cmd & _CMD_MASK
        if nr == GRANT_TABLE_OP and cmd > _CMD_MASK:
            constants["preempted"] = True
        constants["subop"] = subop_name(nr, constants["cmd"])
    elif nr in (MMU_UPDATE, MMUEXT_OP) and "count" in found:
        if found["count"].of(payload) & _PREEMPTED:
            constants["preempted"] = True
        found["count"] = found["count"]._replace(mask=~_PREEMPTED & 0xFFFF_FFFF)
    return Meaning(constants, found)
