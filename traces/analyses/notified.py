"""Event channel notifications, as ``xen.lane`` infers them: a call, right after which somebody wakes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from traces.account import UNKNOWN_DOMID
from traces.table import EventTable
from traces.xen.find import event_channel_calls, wakes


class Notified(NamedTuple):
    """What a table holds of notifications.

    rows     of the wakes
    sources  of each, who notified (domid)
    calls    of each, where in the file the call is, in bytes
    open     rows of calls of which the next table may hold the wake
    """

    rows: NDArray[np.intp]
    sources: NDArray[np.uint16]
    calls: NDArray[np.uint64]
    open: NDArray[np.intp]


class Notifiers:
    """Finds notifications; ask it of every table in order of time."""

    def __init__(self) -> None:
        #: By pCPU, the domain whose event channel hypercall is its last record so far, and where that is.
        self._last: dict[int, tuple[int, int]] = {}

    def of(self, table: EventTable) -> Notified:
        """Find those whose wakes are in the next table."""
        if table.restart:
            self._last = {}
        order = np.lexsort((table.offset, table.pcpu))
        pcpu, domid, offset = table.pcpu[order], table.domid[order], table.offset[order]
        calls = event_channel_calls(table)[order]
        before = np.full(len(order), UNKNOWN_DOMID, np.uint16)
        called = np.zeros(len(order), np.uint64)
        follows = np.flatnonzero(pcpu[1:] == pcpu[:-1]) + 1
        before[follows] = np.where(calls[follows - 1], domid[follows - 1], UNKNOWN_DOMID)
        called[follows] = offset[follows - 1]
        firsts = np.flatnonzero(np.append(True, pcpu[1:] != pcpu[:-1])) if len(order) else order
        lasts = np.append(firsts[1:], len(order))[: len(firsts)] - 1
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
            before[first], called[first] = self._last.pop(int(pcpu[first]), (UNKNOWN_DOMID, 0))
            if calls[last]:
                self._last[int(pcpu[first])] = int(domid[last]), int(offset[last])
        found = (before != UNKNOWN_DOMID) & wakes(table)[order]
        return Notified(order[found], before[found], called[found], order[lasts[calls[lasts]]])
