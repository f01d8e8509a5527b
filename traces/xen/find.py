"""Where in a table of records hypercalls, exits and the like are: rows, and what they are about."""

import numpy as np
from numpy.typing import NDArray

from traces.table import EventTable
from traces.xen.formats import events as xentrace
from traces.xen.formats.exits import AMDS_ID, NESTED
from traces.xen.formats.names import (
    EVENT_CHANNEL_OP,
    EVENT_CHANNEL_OP_COMPAT,
    GRANT_TABLE_OP,
    HYPERV,
    HYPERV_CODE,
    HYPERV_ZEROS,
    MMU_UPDATE,
    MMUEXT_OP,
)

_EXIT_FLAGS = np.uint32(xentrace.FLAG_64 | xentrace.FLAG_NESTED)
_WITH_ARGUMENTS = (xentrace.PV_HYPERCALL_V2, xentrace.PV_HYPERCALL_SUBCALL)
_HAS_ARG0, _HAS_ARG1 = (np.uint32(3 << xentrace.HYPERCALL_ARG_SHIFT + 2 * i) for i in range(2))
#: Above these is what Xen puts there when it preempts (MMU_UPDATE_PREEMPTED, GNTTABOP_CONTINUATION_ARG_SHIFT).
_COUNT_MASK, _CMD_MASK = np.uint32(0x7FFFFFFF), np.uint32(0xFFF)
_EXITS = (xentrace.HVM_VMX_EXIT, xentrace.HVM_SVM_EXIT)
#: From blocked, or from offline as a vCPU is that waits for its device model, to runnable.
_WOKEN = tuple(
    xentrace.RUNSTATE_CHANGE | old << xentrace.RUNSTATE_OLD_SHIFT | 1 << xentrace.RUNSTATE_NEW_SHIFT for old in (2, 3)
)


def event_channel_calls(table: EventTable) -> NDArray[np.bool_]:
    """Tell which records of a table are event channel hypercalls."""
    found = np.zeros(len(table), bool)
    for events, mask in ((_WITH_ARGUMENTS, xentrace.HYPERCALL_OP_MASK), ((xentrace.HVM_VMMCALL,), 0xFFFFFFFF)):
        rows = np.flatnonzero(np.isin(table.event, events) & (table.words > 0))
        found[rows] = np.isin(table.word(rows, 0) & np.uint32(mask), (EVENT_CHANNEL_OP, EVENT_CHANNEL_OP_COMPAT))
    return found


def wakes(table: EventTable) -> NDArray[np.bool_]:
    """Tell which records of a table say that a vCPU was woken."""
    woken: NDArray[np.bool_] = np.isin(table.event, _WOKEN) & (table.words > 0)
    woken |= (table.event == xentrace.SCHED_WAKE) & (table.words > 1)
    return woken


def hypercalls(table: EventTable) -> tuple[NDArray[np.intp], NDArray[np.uint32]]:
    """Find the hypercalls of a table, without those in multicalls: their rows and numbers."""
    pv = table.event == xentrace.PV_HYPERCALL_V2
    rows = np.flatnonzero((pv | (table.event == xentrace.HVM_VMMCALL)) & (table.words > 0))
    rows = rows[~restarts(table, rows)]
    numbers = table.word(rows, 0)
    return rows, np.where(pv[rows], numbers & np.uint32(xentrace.HYPERCALL_OP_MASK), hypercall_nrs(numbers))


def hypercall_nrs(eax: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Do what ``names.hypercall_nr`` does, of many."""
    hyperv = (eax & np.uint32(HYPERV | HYPERV_ZEROS)) == np.uint32(HYPERV)
    return np.where(hyperv, eax & np.uint32(HYPERV | HYPERV_CODE), eax)


def subcalls(table: EventTable) -> tuple[NDArray[np.intp], NDArray[np.uint32]]:
    """Find the hypercalls in multicalls of a table: their rows and numbers."""
    rows = np.flatnonzero((table.event == xentrace.PV_HYPERCALL_SUBCALL) & (table.words > 0))
    rows = rows[~restarts(table, rows)]
    return rows, table.word(rows, 0) & np.uint32(xentrace.HYPERCALL_OP_MASK)


def first_words(table: EventTable, event: int) -> tuple[NDArray[np.intp], NDArray[np.uint32]]:
    """Find the records of an event that have words: their rows and first words."""
    rows = np.flatnonzero((table.event == event) & (table.words > 0))
    return rows, table.word(rows, 0)


def restarts(table: EventTable, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell which hypercalls, those in multicalls too, are ones that go on after Xen preempted them."""
    found = np.zeros(len(rows), bool)
    told = (table.words[rows] > 1) & np.isin(table.event[rows], _WITH_ARGUMENTS)
    op, first = table.word(rows[told], 0), table.word(rows[told], 1)
    nr = op & np.uint32(xentrace.HYPERCALL_OP_MASK)
    batch = np.isin(nr, (MMU_UPDATE, MMUEXT_OP)) & (op & _HAS_ARG1 > 0) & (first > _COUNT_MASK)
    found[told] = batch | (nr == GRANT_TABLE_OP) & (op & _HAS_ARG0 > 0) & (first > _CMD_MASK)
    return found


def exits(table: EventTable) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Find the VM exits of a table: their rows, and of each the ``formats.exits.key_of``."""
    found = np.isin(table.event & ~_EXIT_FLAGS, _EXITS) & (table.words > 1)
    rows = np.flatnonzero(found)
    events = table.event[rows]
    keys = table.word(rows, 0).astype(np.int64)
    keys |= np.where(events & np.uint32(xentrace.FLAG_NESTED), NESTED, 0)
    return rows, keys | np.where(events & ~_EXIT_FLAGS == xentrace.HVM_SVM_EXIT, AMDS_ID, 0)
