"""When each vCPU was in which run state, and in which VM exit: what ``counting.fold`` adds up, one by one.

Law: the same rules as ``fold``. For each vCPU the intervals that are ``counted`` are as many and as long as those
that the report counts; together with the others they cover the whole trace. Exits of which nobody says whose they are
go by the pCPU's number under ``UNKNOWN_DOMID``, as everywhere.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from traces.account import IDLE_DOMID, UNKNOWN_DOMID
from traces.analyses.elapsed import UNTIMED, Elapsed
from traces.table import EventTable
from traces.xen.formats import events as xentrace
from traces.xen.formats.exits import key_of

RUNNING = 0
OFFLINE = 3
LOST = 4
#: As in ``fold``.
VCPUS_MAX = 1 << 13
STATES = (*xentrace.RUNSTATES, "lost")

_EXIT_FLAGS = np.uint32(xentrace.FLAG_64 | xentrace.FLAG_NESTED)
_SWITCHES = (xentrace.SCHED_SWITCH, xentrace.SWITCH_INFCONT)
#: How many records were lost, who ran, and the time stamp of the first.
_LOSS = struct.Struct("<IIQ")
_STATES = (xentrace.RUNSTATE_CHANGE, xentrace.CONTINUE_RUNNING)
_VCPU_MAX = 0xFFFF
_NEVER = 1 << 62
_BIRTHS = (xentrace.DOM0_DOM_ADD, xentrace.SCHED_DOM_ADD)
_ENDS = (xentrace.DOM0_DOM_REM, xentrace.SCHED_DOM_REM)
_EXITS = (xentrace.HVM_VMX_EXIT, xentrace.HVM_SVM_EXIT)
_EXITS_AND_ENTRIES = (xentrace.HVM_VMENTRY, *_EXITS)
#: The least words of a record that tells something here, by event without its flags.
_WORDS = {
    xentrace.RUNSTATE_CHANGE: 1,
    xentrace.CONTINUE_RUNNING: 1,
    xentrace.LOST_RECORDS: 4,
    xentrace.SCHED_SWITCH: 4,
    xentrace.SWITCH_INFCONT: 4,
    xentrace.HVM_VMX_EXIT: 2,
    xentrace.HVM_SVM_EXIT: 2,
    xentrace.HVM_VMENTRY: 0,
    **dict.fromkeys(_BIRTHS + _ENDS, 1),
}


class Interval(NamedTuple):
    """A run state of a vCPU; ``begin`` and ``end`` in cycles of ``Elapsed``; ``pcpu`` is where it runs or ran last.

    ``row`` is that of the record that ended it, in the table that was fed last, or -1; ``ran`` whether it ran then.
    """

    domid: int
    vcpu: int
    state: int
    begin: int
    end: int
    counted: bool
    pcpu: int
    row: int = -1
    ran: bool = False


class TimedExit(NamedTuple):
    """A VM exit on a pCPU up to the entry that ended it; ``begin`` and ``end`` in cycles of ``Elapsed``.

    ``key`` is that of ``formats.exits.key_of``.
    ``away`` is how many of these cycles the vCPU was descheduled; ``row`` is the entry's in the table fed last.
    ``rip`` is where in its code the guest was, None where that is not told.
    """

    domid: int
    vcpu: int
    key: int
    begin: int
    end: int
    pcpu: int
    away: int
    row: int = -1
    rip: int | None = None


class _Vcpu:
    def __init__(self, domid: int, vcpu: int, state: int, since: int) -> None:
        self.domid = domid
        self.vcpu = vcpu
        self.pcpu = 0
        self.exit_end = 0
        self.restless = False
        self.places = 0
        self.begin(state, since)

    def begin(self, state: int, since: int) -> None:
        self.heard = True  # in this run of the clock
        self.gone = False  # with its domain, and not heard of since
        self.state = state
        self.since = since
        self.counting = False
        self.exit: tuple[int, int, int, int] | None = None  # key, cycles, pCPU, rip
        self.away = 0  # descheduled during the open exit
        self.away_since = 0


class Intervals:
    """Tells intervals as they end; ``feed`` it every table in order of time, then ``finish``.

    :param exits: whether to tell VM exits as well, which are many
    """

    def __init__(self, *, exits: bool = True) -> None:
        self._exits_wanted = exits
        self._vcpus: dict[tuple[int, int], _Vcpu] = {}
        #: Of this run of the clock; and of these, who may have to be lost, as ``fold`` has them.
        self._heard: list[_Vcpu] = []
        self._restless: list[_Vcpu] = []
        self._running: dict[int, _Vcpu] = {}
        #: By domid: vCPUs heard of since it was destroyed last, and when it was created, of those that are there.
        self._living: dict[int, list[_Vcpu]] = {}
        self._born: dict[int, int] = {}
        #: By pCPU: an exit of nobody knows who (key, cycles, rip); and pCPUs that have run states.
        self._unowned: dict[int, tuple[int, int, int]] = {}
        self._stated: set[int] = set()
        self._first: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._start = 0
        self._row = -1
        self._found: list[Interval] = []
        self._exits: list[TimedExit] = []

    def feed(self, table: EventTable, cycles: NDArray[np.int64], elapsed: Elapsed) -> None:
        """Take the next table and its cycles; ``elapsed`` has just given them."""
        if table.restart:
            self._end_run(elapsed.begin)
        self._note_pcpus(table, cycles)
        kinds, rows = _relevant(table, cycles)
        kept = self._without_switches(table, kinds, rows)
        kinds, rows = kinds[kept], rows[kept]
        if not self._exits_wanted:
            kept = _without_exits(table, kinds, rows)
            kinds, rows = kinds[kept], rows[kept]
        columns = (cycles, table.pcpu, table.domid, table.vcpu, table.event)
        words = table.words[rows] > 0
        firsts = np.zeros(len(rows), np.uint32)
        firsts[words] = table.word(rows[words], 0)
        rips = _rips(table, kinds, rows)
        for kind, word, row, rip, now, pcpu, domid, vcpu, event in zip(
            *(column.tolist() for column in (kinds, firsts, rows, rips)),
            *(column[rows].tolist() for column in columns),
            strict=True,
        ):
            self._row = row
            if domid != UNKNOWN_DOMID:
                self._unowned.pop(pcpu, None)
            if kind == xentrace.RUNSTATE_CHANGE:
                old, new = event >> xentrace.RUNSTATE_OLD_SHIFT & 3, event >> xentrace.RUNSTATE_NEW_SHIFT & 3
                if old == RUNNING:
                    self._unowned.pop(pcpu, None)
                self._runstate(word >> 16, word & 0xFFFF, old, new, now, pcpu)
            elif kind == xentrace.CONTINUE_RUNNING:
                self._runstate(word >> 16, word & 0xFFFF, RUNNING, RUNNING, now, pcpu)
            elif kind == xentrace.LOST_RECORDS:
                self._unowned.pop(pcpu, None)
                _, who, first = _LOSS.unpack_from(table.payload_bytes(row))
                self._lost(pcpu, who & 0xFFFF, who >> 16, min(elapsed.at(first), now), now)
            elif kind in _BIRTHS:
                self._create(word, now)
            elif kind in _ENDS:
                self._destroy(word, now)
            elif kind in _SWITCHES:
                self._switch(kind, np.frombuffer(table.payload_bytes(row), "<u4").tolist(), now, pcpu)
            else:
                nested, amds_id = bool(event & xentrace.FLAG_NESTED), kind == xentrace.HVM_SVM_EXIT
                key = None if kind == xentrace.HVM_VMENTRY else key_of(word, nested=nested, amds_id=amds_id)
                self._exit_or_entry(domid, vcpu, key, rip, now, pcpu)
        self._row = -1

    def finish(self, end: int) -> None:
        """Close what is open: the trace has ended, after ``end`` cycles."""
        self._end_run(end)
        for vcpu in self._vcpus.values():
            # Those of earlier runs of the clock.
            vcpu.state = LOST
            self._close(vcpu, end)

    def taken(self) -> tuple[list[Interval], list[TimedExit]]:
        """Hand out what has ended since the last time; of one vCPU in order of time."""
        found = self._found, self._exits
        self._found, self._exits = [], []
        return found

    def open(self) -> Iterator[Interval]:
        """Tell the intervals that go on, up to where they are known to; so far none of them is ``counted``."""
        for vcpu in self._heard:
            end = self._last.get(vcpu.pcpu, 0)
            yield Interval(vcpu.domid, vcpu.vcpu, vcpu.state, vcpu.since, end, counted=False, pcpu=vcpu.pcpu)

    def _note_pcpus(self, table: EventTable, cycles: NDArray[np.int64]) -> None:
        timed = np.flatnonzero(cycles != UNTIMED)
        for pcpu, first in zip(*np.unique(table.pcpu[timed], return_index=True), strict=True):
            self._first.setdefault(int(pcpu), int(cycles[timed[first]]))
        for pcpu, last in zip(*np.unique(table.pcpu[timed[::-1]], return_index=True), strict=True):
            self._last[int(pcpu)] = int(cycles[timed[::-1][last]])

    def _find(self, domid: int, vcpu: int, state: int, now: int) -> _Vcpu | None:
        # ``state`` is the one it was in since this run of the clock began, or its domain, should this be the first
        # heard of it.
        # None: one more than there is room for.
        found = self._vcpus.get((domid, vcpu))
        if found is None:
            if len(self._vcpus) >= VCPUS_MAX:
                return None
            found = self._vcpus[domid, vcpu] = _Vcpu(domid, vcpu, state, self._start)
            if self._start:
                self._found.append(Interval(domid, vcpu, LOST, 0, self._start, counted=False, pcpu=0))
            self._begin(found, state)
        elif found.gone:
            # Another domain with this number. Offline until it was created, or where nobody says when, until now.
            self._close(found, self._born.get(domid, now))
            found.state = state
            self._close(found, now)
            found.gone = False
            # What comes now is seen from its beginning on.
            found.counting = True
            found.pcpu = 0
            self._living.setdefault(domid, []).append(found)
        elif not found.heard:
            if found.since < self._start:
                # Since an earlier run of the clock.
                found.state = LOST
                self._close(found, self._start)
            found.begin(state, self._start)
            self._begin(found, state)
        self._stir(found)
        return found

    def _begin(self, vcpu: _Vcpu, state: int) -> None:
        self._heard.append(vcpu)
        self._living.setdefault(vcpu.domid, []).append(vcpu)
        if vcpu.domid in self._born:
            vcpu.state = OFFLINE
            self._close(vcpu, self._born[vcpu.domid])
            vcpu.state = state

    def _stir(self, vcpu: _Vcpu) -> None:
        if not vcpu.restless:
            vcpu.restless = True
            self._restless.append(vcpu)

    def _create(self, domid: int, now: int) -> None:
        if domid < IDLE_DOMID:
            if self._living.get(domid):
                self._destroy(domid, now)
            self._born.setdefault(domid, now)

    def _destroy(self, domid: int, now: int) -> None:
        if domid >= IDLE_DOMID:
            return
        self._born.pop(domid, None)
        for vcpu in self._living.pop(domid, ()):
            self._close(vcpu, now)
            vcpu.state = OFFLINE
            vcpu.gone = True
            vcpu.counting = False
            vcpu.exit = None
            vcpu.away_since = 0
            if self._running.get(vcpu.pcpu) is vcpu:
                self._vacate(vcpu.pcpu)

    def _close(self, vcpu: _Vcpu, at: int, *, ran: bool = False) -> None:
        # A time stamp from the past ends an interval where it began.
        if at > vcpu.since:
            of = (vcpu.domid, vcpu.vcpu, vcpu.state, vcpu.since, at, vcpu.counting, vcpu.pcpu)
            self._found.append(Interval(*of, self._row, ran))
            vcpu.since = at

    def _runstate(self, domid: int, number: int, old: int, new: int, now: int, pcpu: int) -> None:
        vcpu = self._find(domid, number, old, now)
        if vcpu is None:
            return
        if old == RUNNING:
            vcpu.pcpu = pcpu
        if not vcpu.counting and new == RUNNING:
            # First seen running. If it was so all along (CONTINUE_RUNNING), it was from this pCPU's first record on.
            self._close(vcpu, self._first[pcpu] if old == RUNNING else now)
            vcpu.counting = True
            vcpu.away_since = 0
        else:
            self._close(vcpu, now, ran=new == RUNNING)
            if vcpu.state == RUNNING and new != RUNNING:
                vcpu.away_since = now
            elif vcpu.state != RUNNING and new == RUNNING and vcpu.away_since:
                vcpu.away += max(now - vcpu.away_since, 0)
                vcpu.away_since = 0
        vcpu.state = new
        if new == RUNNING:
            vcpu.pcpu = pcpu
            if self._running.get(pcpu) is not vcpu:
                self._vacate(pcpu)
                self._running[pcpu] = vcpu
                vcpu.places += 1
        elif self._running.get(pcpu) is vcpu:
            self._vacate(pcpu)

    def _vacate(self, pcpu: int) -> None:
        vcpu = self._running.pop(pcpu, None)
        if vcpu is not None:
            vcpu.places -= 1
            self._stir(vcpu)

    def _without_switches(
        self, table: EventTable, kinds: NDArray[np.uint32], rows: NDArray[np.intp]
    ) -> NDArray[np.bool_]:
        # Leaves out switches where run states say the same: on a pCPU that had some, and right before its first.
        kept = np.ones(len(rows), bool)
        switches = np.flatnonzero(np.isin(kinds, _SWITCHES))
        kept[switches] = False
        switches = switches[np.isin(table.pcpu[rows[switches]], list(self._stated), invert=True)]
        if len(switches):
            stated = table.event & ~np.uint32(xentrace.RUNSTATE_BITS) == xentrace.RUNSTATE_CHANGE
            stated |= table.event == xentrace.CONTINUE_RUNNING
            stated &= table.words > 0
            # In the file's order, since a pCPU's next record may bear the same time.
            order = np.lexsort((table.offset, table.pcpu))
            pcpus, stated = table.pcpu[order], stated[order]
            places = np.flatnonzero(stated)
            firsts = dict(zip(pcpus[places][::-1].tolist(), places[::-1].tolist(), strict=True))
            where = np.empty(len(order), np.intp)
            where[order] = np.arange(len(order))
            for index in switches.tolist():
                pcpu, place = int(table.pcpu[rows[index]]), int(where[rows[index]])
                kept[index] = place + 1 < firsts.get(pcpu, _NEVER)
            self._stated.update(firsts)
        else:
            self._stated.update(table.pcpu[rows[np.isin(kinds, _STATES)]].tolist())
        return kept

    def _exit_or_entry(self, domid: int, number: int, key: int | None, rip: int, now: int, pcpu: int) -> None:
        if domid == UNKNOWN_DOMID:
            if key is not None:
                self._unowned[pcpu] = (key, now, rip)
            elif pcpu in self._unowned and self._exits_wanted:
                key, since, rip = self._unowned.pop(pcpu)
                self._exits.append(TimedExit(domid, pcpu, key, since, max(now, since), pcpu, 0, self._row, rip))
        elif found := self._find(domid, number, RUNNING, now):
            if key is None:
                self._entry(found, now)
            else:
                self._exit(found, key, rip, now, pcpu)

    def _switch(self, kind: int, words: Sequence[int], now: int, pcpu: int) -> None:
        self._unowned.pop(pcpu, None)
        # Of one that goes on, it is to itself. Who leaves may be runnable or blocked.
        domid, number, next_domid, next_number = words if kind == xentrace.SCHED_SWITCH else [*words[:2], *words[:2]]
        if max(domid, next_domid) > IDLE_DOMID or max(number, next_number) > _VCPU_MAX:
            return
        if (domid, number) == (next_domid, next_number):
            self._runstate(domid, number, RUNNING, RUNNING, now, pcpu)
            return
        self._runstate(domid, number, RUNNING, LOST, now, pcpu)
        self._runstate(next_domid, next_number, LOST, RUNNING, now, pcpu)

    def _lost(self, pcpu: int, domid: int, number: int, first: int, now: int) -> None:
        # Who ran here, and who ran nowhere, may have done anything since: only those running elsewhere are known.
        self._vacate(pcpu)
        found, self._restless = self._restless, []
        for vcpu in found:
            vcpu.restless = False
            if not vcpu.places and vcpu.domid != IDLE_DOMID and not vcpu.gone:
                self._close(vcpu, first)
                vcpu.state = LOST
                vcpu.exit = None
        self._runstate(domid, number, LOST, RUNNING, now, pcpu)

    def _exit(self, vcpu: _Vcpu, key: int, rip: int, now: int, pcpu: int) -> None:
        vcpu.pcpu = pcpu
        vcpu.exit = (key, now, pcpu, rip)
        vcpu.away = vcpu.away_since = 0

    def _entry(self, vcpu: _Vcpu, now: int) -> None:
        if vcpu.exit is not None and self._exits_wanted:
            key, since, pcpu, rip = vcpu.exit
            since = max(since, vcpu.exit_end)
            vcpu.exit_end = max(now, since)
            away = min(vcpu.away, vcpu.exit_end - since)
            of = (vcpu.domid, vcpu.vcpu, key, since, vcpu.exit_end, pcpu, away)
            self._exits.append(TimedExit(*of, self._row, rip))
            vcpu.exit = None

    def _end_run(self, end: int) -> None:
        for pcpu, vcpu in self._running.items():
            # Who runs is seen to run up to the pCPU's last record.
            if vcpu.state == RUNNING:
                self._close(vcpu, self._last[pcpu])
        for vcpu in self._heard:
            vcpu.counting = vcpu.restless = False
            vcpu.exit = None
            vcpu.places = 0
            self._close(vcpu, end)
            vcpu.heard = False
        self._heard.clear()
        self._restless.clear()
        self._running.clear()
        self._unowned.clear()
        self._stated.clear()
        self._living.clear()
        self._born.clear()
        self._first.clear()
        self._last.clear()
        self._start = end


def _relevant(table: EventTable, cycles: NDArray[np.int64]) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
    # What tells something: its event without flags, and its row.
    kinds = table.event.copy()
    changes = kinds & ~np.uint32(xentrace.RUNSTATE_BITS) == xentrace.RUNSTATE_CHANGE
    kinds[changes] = xentrace.RUNSTATE_CHANGE
    plain = kinds & ~_EXIT_FLAGS
    exits = np.isin(plain, _EXITS_AND_ENTRIES)
    kinds[exits] = plain[exits]
    wanted = np.zeros(len(table), bool)
    for kind, words in _WORDS.items():
        wanted |= (kinds == kind) & (table.words >= words)
    rows = np.flatnonzero(wanted & (cycles != UNTIMED))
    return kinds[rows], rows


def _rips(table: EventTable, kinds: NDArray[np.uint32], rows: NDArray[np.intp]) -> NDArray[np.uint64]:
    # Of exits, where in its code the guest was: the low half, and where the record has it the high one.
    found = np.zeros(len(rows), np.uint64)
    for index in range(2):
        there = np.isin(kinds, _EXITS) & (table.words[rows] > 1 + index)
        there &= (index == 0) | (table.event[rows] & np.uint32(xentrace.FLAG_64) > 0)
        found[there] |= table.word(rows[there], 1 + index).astype(np.uint64) << np.uint64(32 * index)
    return found


def _without_exits(table: EventTable, kinds: NDArray[np.uint32], rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    # All but exits and entries, of which the first of each vCPU tells where it runs, should it not be known.
    kept = np.isin(kinds, _EXITS_AND_ENTRIES, invert=True)
    others = np.flatnonzero(~kept)
    at = rows[others]
    who = table.domid[at].astype(np.int64) << 32 | table.vcpu[at].astype(np.int64) << 16 | table.pcpu[at]
    # Entries don't say where.
    _, firsts = np.unique(who << 1 | (kinds[others] == xentrace.HVM_VMENTRY), return_index=True)
    kept[others[firsts]] = True
    return kept
