"""The phases of a trace of Xen: what a guest, and dom0 for it, did between the marks that the guest's kernel made.

A guest without a serial port marks by a hypercall that nothing else makes: its kernel writes its log by ``console_io``
as well (``earlyprintk=xen,keep``), which Xen refuses a guest and records all the same. Which mark it is only the
guest's console tells, so the phases are handed in.

Law: sans I/O, tables in order of time. Nothing in the input raises.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from traces.analyses.elapsed import Elapsed
from traces.analyses.phases.counts import PhaseCounts, Taken, Tally, between
from traces.analyses.phases.marks import Phase
from traces.table import EventTable
from traces.xen import find
from traces.xen.formats import events as xentrace
from traces.xen.formats.exits import AMDS_ID, Vendor, exit_name
from traces.xen.formats.names import EVENT_CHANNEL_OP, GRANT_TABLE_OP, MMU_UPDATE, MMUEXT_OP, hypercall_name

#: What a trace of Xen can tell of, by the guest's mode.
_ALWAYS = ("doorbells", "completions", "hypercalls", "grant_maps", "grant_unmaps", "grant_copies", "page_tables")
TOLD = {"pv": _ALWAYS, "pvh": (*_ALWAYS, "exits")}
CONSOLE_IO = 18
_UPDATE_VA_MAPPING = 14
_PAGING_CALLS = (MMU_UPDATE, _UPDATE_VA_MAPPING, MMUEXT_OP)
#: PV: what Xen does for the sake of page tables without having been called. It takes all page faults first.
_PAGING_EVENTS = {
    xentrace.PV_PAGE_FAULT: "page fault",
    xentrace.PV_PTWR_EMULATION: "write emulated",
    xentrace.PV_PTWR_EMULATION_PAE: "write emulated",
}
#: PVH and HVM: exits for it, as Xen calls them.
_PAGING_EXITS = frozenset({"NPF", "EPT_VIOLATION", "EPT_MISCONFIG"})
_FLAG_64 = np.uint32(xentrace.FLAG_64)
_COPY = 5
#: Arguments of a grant table call that are recorded: which operation, and how many.
_CMD_WORD, _COUNT_WORD = 1, 2
_STATES = ("running", "waiting", "blocked", "blocked")
_CHANGES = tuple(xentrace.RUNSTATE_CHANGE | old << 8 | new << 4 for old in range(4) for new in range(4))
_SWITCHES = (xentrace.HVM_VMENTRY, xentrace.HVM_VMX_EXIT, xentrace.HVM_SVM_EXIT)
_NOTHING = ""


class Phases:
    """Counts what a guest does in its phases.

    :param domid: the guest's
    :param mode: "pv" or "pvh"
    :param vcpus: how many it has
    :param works: what its marks said, in order: each phase's work and requests
    :param hz: cycles a second
    :param vendor: whose VM exits they are, unless their records say so
    """

    def __init__(
        self, domid: int, mode: str, vcpus: int, works: Sequence[tuple[str, int]], hz: float, vendor: Vendor
    ) -> None:
        self._domid, self._vcpus, self._hz, self._vendor = domid, vcpus, hz, vendor
        self.told = TOLD[mode]
        self._pv = mode == "pv"
        self._works = deque(works)
        self._tally = Tally()
        self._elapsed = Elapsed()
        self._begun: tuple[int, Taken] | None = None
        #: Marks that were seen, two a phase.
        self.marks = 0

    def feed(self, tables: Iterable[EventTable]) -> Iterator[PhaseCounts]:
        """Take tables in order of time; give each phase once its end is seen."""
        for whole in tables:
            for table in whole.pieces():
                yield from self._piece(table)

    def _piece(self, table: EventTable) -> Iterator[PhaseCounts]:
        cycles = self._elapsed.of(table)
        rows, numbers = find.hypercalls(table)
        marks = rows[(numbers == CONSOLE_IO) & (table.domid[rows] == self._domid)]
        start = 0
        for mark in marks.tolist():
            self._count(table.take(np.arange(start, mark)), cycles[start:mark])
            now = int(cycles[mark])
            taken = self._tally.taken(now)
            self.marks += 1
            if self._begun is None:
                self._begun = now, taken
            else:
                begin, before = self._begun
                self._begun = None
                if self._works:
                    phase = Phase(*self._works.popleft(), begin, now)
                    yield between(phase, before, taken, self.told, hz=self._hz, vcpus=self._vcpus)
            start = mark + 1
        self._count(table.take(np.arange(start, len(table))), cycles[start:])

    def _count(self, table: EventTable, cycles: NDArray[np.int64]) -> None:
        if not len(table):
            return
        of_guest, of_dom0 = table.domid == self._domid, table.domid == 0
        for rows, numbers in (find.hypercalls(table), find.subcalls(table)):
            self._calls(numbers[of_guest[rows]])
        self._exits(table, of_guest)
        self._dom0(table, of_dom0)
        if self._pv:
            events = table.event[of_guest] & ~_FLAG_64
            for event, kind in _PAGING_EVENTS.items():
                self._add("page_tables", kind, int((events == event).sum()))
        self._times(table, cycles)

    def _add(self, figure: str, kind: str, times: int) -> None:
        if times:
            self._tally.count(figure, kind, times)

    def _calls(self, own: NDArray[np.uint32]) -> None:
        for number, count in zip(*(each.tolist() for each in np.unique(own, return_counts=True)), strict=True):
            name = hypercall_name(number)
            self._add("hypercalls", name, count)
            if number == EVENT_CHANNEL_OP:
                self._add("doorbells", name, count)
            if number in _PAGING_CALLS:
                self._add("page_tables", name, count)

    def _exits(self, table: EventTable, of_guest: NDArray[np.bool_]) -> None:
        rows, keys = find.exits(table)
        own = keys[of_guest[rows]]
        for key, count in zip(*(each.tolist() for each in np.unique(own, return_counts=True)), strict=True):
            name = exit_name(key, "amd" if key & AMDS_ID else self._vendor)
            self._add("exits", name, count)
            if name in _PAGING_EXITS:
                self._add("page_tables", name, count)

    def _dom0(self, table: EventTable, of_dom0: NDArray[np.bool_]) -> None:
        for figure, event in (("grant_maps", xentrace.GRANT_MAP), ("grant_unmaps", xentrace.GRANT_UNMAP)):
            rows, granters = find.first_words(table, event)
            self._add(figure, _NOTHING, int((of_dom0[rows] & (granters == self._domid)).sum()))
        for rows, numbers in (find.hypercalls(table), find.subcalls(table)):
            own = of_dom0[rows]
            copies = rows[own & (numbers == GRANT_TABLE_OP) & (table.words[rows] > _COUNT_WORD)]
            copies = copies[table.word(copies, _CMD_WORD) == _COPY]
            self._add("grant_copies", _NOTHING, int(table.word(copies, _COUNT_WORD).sum()))

        self._add("completions", "woken by dom0", self._woken(table, of_dom0))

    def _woken(self, table: EventTable, of_dom0: NDArray[np.bool_]) -> int:
        # An event channel hypercall of dom0's says not for whom it is; but if its pCPU's next record is a wake of the
        # guest, it was for that.
        called = np.zeros(len(table), bool)
        rows, numbers = find.hypercalls(table)
        called[rows[of_dom0[rows] & (numbers == EVENT_CHANNEL_OP)]] = True
        woken = np.zeros(len(table), bool)
        rows, domids = find.first_words(table, xentrace.SCHED_WAKE)
        woken[rows[domids == self._domid]] = True
        order = np.argsort(table.pcpu, kind="stable")
        same = table.pcpu[order][1:] == table.pcpu[order][:-1]
        return int((woken[order][1:] & called[order][:-1] & same).sum())

    def _times(self, table: EventTable, cycles: NDArray[np.int64]) -> None:
        changes = np.isin(table.event, _CHANGES) & (table.words > 0)
        events = table.event & ~np.uint32(xentrace.FLAG_64 | xentrace.FLAG_NESTED)
        own = np.isin(events, _SWITCHES) & (table.domid == self._domid)
        rows = np.flatnonzero((changes | own) & (cycles >= 0))
        words = np.zeros(len(rows), np.uint32)
        words[changes[rows]] = table.word(rows[changes[rows]], 0)
        columns = (changes[rows], events[rows], words, table.vcpu[rows], cycles[rows])
        for change, event, word, vcpu, now in zip(*(column.tolist() for column in columns), strict=True):
            if change:
                self._change(word >> 16, word & 0xFFFF, _STATES[event >> 4 & 3], now)
            else:
                doing = "guest" if event == xentrace.HVM_VMENTRY else "hypervisor"
                self._tally.move((self._domid, vcpu), doing, now)

    def _change(self, domid: int, vcpu: int, state: str, now: int) -> None:
        if domid == self._domid:
            # An HVM guest's vCPU runs the hypervisor until it is entered. Of a PV guest's nothing tells them apart.
            running = "guest" if self._pv else "hypervisor"
            self._tally.move((domid, vcpu), running if state == "running" else state, now)
        elif domid == 0:
            self._tally.move((domid, vcpu), "backend" if state == "running" else _NOTHING, now)
