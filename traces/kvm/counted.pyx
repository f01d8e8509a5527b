# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Records of all processors in order of time, counted by what KVM's and the scheduler's events mean. One pass.

Law: conservation. The time of every thread that runs a vCPU is in exactly one run state, from the first record to the
last: what can't be known is ``lost``. Memory is bounded: what has no room is counted as ``uncounted``.

A vCPU is a thread: KVM's events say which one of its machine's it is. Running is split by where the thread is: in the
guest from an entry to the next exit, else in the kernel, and from a ``kvm_userspace_exit`` to the next entry in the
process, since nothing records when it asks the kernel to run the guest again.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset

import os

from traces.kvm.places import FIELDS

from traces.counting cimport counter
from traces.counting.bucket cimport bucket_of
from traces.counting.counter cimport Counter, Room, Slot
from traces.counting.states cimport BLOCKED, LOST, RUNNABLE, RUNNING
from traces.counting.states cimport STATES as STATES_
from traces.kvm.decode.cursor cimport Cursor, advance, word
from traces.kvm.decode.merged cimport sink, until
from traces.kvm.decode.streams cimport Streams
from traces.kvm.kinds cimport (
    ADDRESS_BITS, ENTERED_IO, ENTERED_MMIO, ENTRIES, ENTRY, ENTRY_VCPU, EVENTS, EXIT, EXITS, EXITS_AWAY, EXITS_TOOK,
    EXITS_USER, EXIT_ISA, EXIT_REASON, EXIT_VCPU, FAST_MMIO, FAST_MMIO_ADDRESS, INJECTED, INJECTED_VECTOR,
    INTERRUPTED, INTERRUPTS, IO_MEMORY, IO_PORTS, ISA_AMD, KEYS_MAX, KEYS_NEAR, KINDS_MAX, MMIO, MMIO_ADDRESS, MMIO_READ,
    MMIO_TYPE, MMIO_WRITE, MSR, MSRS, MSR_NUMBER, MSR_WRITE, NEAR, OTHER, PIDS_MAX, PIO, PIO_PORT, PIO_RW, PLACES,
    PLACES_RUN, STOPPED, SWITCH, SWITCH_FROM, SWITCH_STATE, SWITCH_TO, TABLES, THREADS_MAX, TO_USER, UNKNOWN,
    USER_ERRNO, USER_REASON, VCPUS_MAX, VCPU_MAX, WAKEUP, WAKEUP_PID,
)
from traces.kvm.task cimport (
    GUEST, KERNEL, NO_TABLE, USER, Task, begin, buckets_of, enter, exit_now, move, octaves_of, runs,
)

cdef extern from *:
    """
    /* A damaged time stamp may lie anywhere; sums of two of these still fit: as ``analyses.elapsed`` has it. */
    #define XT_SPAN_MAX (UINT64_C(1) << 61)
    """
    const uint64_t NEVER "UINT64_MAX"
    const uint64_t SPAN_MAX "XT_SPAN_MAX"

cdef struct Near:
    # A thread, and its index.
    uint32_t pid
    uint32_t task

KINDS = {
    "kvm_entry": <int>ENTRY,
    "kvm_exit": <int>EXIT,
    "kvm_userspace_exit": <int>TO_USER,
    "sched_switch": <int>SWITCH,
    "sched_wakeup": <int>WAKEUP,
    "sched_wakeup_new": <int>WAKEUP,
    "kvm_pio": <int>PIO,
    "kvm_mmio": <int>MMIO,
    "kvm_inj_virq": <int>INJECTED,
    "kvm_fast_mmio": <int>FAST_MMIO,
    "kvm_msr": <int>MSR,
}
#: What a vCPU's thread may do, in the order of ``Thread.states``.
STATES = ("running", "runnable", "blocked", "offline", "lost")


def of(trace):
    """Make a count of what a ``tracedat.TraceDat`` tells; then ``run`` it."""
    layouts = {one.name: one.fields for one in trace.layouts.values()}
    kinds = {number: KINDS.get(one.name, <int>OTHER) for number, one in trace.layouts.items()}
    places = [layouts[event][field].offset if field in layouts.get(event, ()) else -1 for event, field in FIELDS]
    return Counted([one.page_size for one in trace.streams], [one.cpu for one in trace.streams], kinds, places)


cdef inline uint64_t _after(uint64_t first, uint64_t ticks) noexcept nogil:
    return first + ticks if ticks < NEVER - first else NEVER


@cython.final
cdef class Thread:
    """What one thread that runs a vCPU did, in ticks of the clock."""

    cdef readonly object pid, vcpu, migrations
    cdef readonly list states           # of each of STATES: how many were seen whole, all their time, that of others
    cdef readonly list stays            # of each of STATES: how many that were seen whole took 2 ** i or more, by i
    cdef readonly list modes            # guest, kernel, user
    cdef readonly tuple longest_wait    # how long, since when, and on which processor it ended
    cdef readonly tuple wake_to_run     # by buckets, the longest, all
    cdef readonly tuple preempted_to_run


_TABLES = {
    "events": <int>EVENTS,
    "exits": <int>EXITS,
    "exits_user": <int>EXITS_USER,
    "exits_away": <int>EXITS_AWAY,
    "exits_took": <int>EXITS_TOOK,
    "ports": <int>IO_PORTS,
    "memory": <int>IO_MEMORY,
    "interrupts": <int>INTERRUPTS,
    "msrs": <int>MSRS,
    "entries": <int>ENTRIES,
    "pcpus": <int>PLACES_RUN,
}


@cython.final
cdef class Counted(Streams):
    """Counts what ``run`` is given; then read it off.

    :param page_sizes: of each stream, in bytes
    :param cpus: whose the streams are
    :param kinds: by number of an event, one of KINDS' values, for all that formats tell of
    :param places: of each of FIELDS, at which byte of a record it is, -1 where there is none
    """

    cdef uint8_t kinds[1 << 16]
    cdef int32_t places[PLACES]
    cdef Room room
    cdef Counter tables[TABLES]
    cdef Counter pids           # thread's number -> index into tasks
    cdef Near near[NEAR + 1]    # of those that were asked for last
    # Where in their tables keys were that were counted last.
    cdef uint32_t near_events[KEYS_NEAR + 1]
    cdef uint32_t near_exits[KEYS_NEAR + 1]
    cdef uint32_t near_took[KEYS_NEAR + 1]
    cdef Task *tasks
    cdef Py_ssize_t task_count, vcpu_count, task_room
    cdef uint64_t now, first_
    cdef readonly uint64_t records
    cdef uint64_t uncounted_, short_, first_short, unknown_, first_unknown
    cdef bint amd_, switched_
    # What is counted, in ticks: from where on, up to where, and which of both comes next.
    cdef uint64_t begin_, end_, edge, floor, opened, closed
    cdef uint64_t watched       # when to look at these again; 0: before the first record
    cdef bint counting, over

    def __cinit__(self, _page_sizes, _cpus, dict kinds, places):
        cdef Py_ssize_t i
        memset(self.kinds, UNKNOWN, sizeof(self.kinds))
        for number, kind in kinds.items():
            self.kinds[<uint16_t>number] = kind
        for i in range(<int>PLACES):
            self.places[i] = places[i]
        for i in range(<int>NEAR + 1):
            # A number whose place this is not.
            self.near[i].pid = ~<uint32_t>i
        self.end_ = self.edge = self.floor = NEVER
        self.room.left = KEYS_MAX
        self.room.steps = 0
        self.room.seed = int.from_bytes(os.urandom(8), "little")
        for i in range(<int>TABLES):
            if not counter.make(&self.tables[i], &self.room, 256, KINDS_MAX if i in (EXITS, INTERRUPTS) else KEYS_MAX):
                raise MemoryError
        if not counter.make(&self.pids, &self.room, 256, THREADS_MAX):
            raise MemoryError

    def __dealloc__(self):
        cdef Py_ssize_t i
        cdef int state
        for i in range(self.task_count):
            for state in range(STATES_):
                free(self.tasks[i].stays[state])
            free(self.tasks[i].wake.buckets)
            free(self.tasks[i].preempt.buckets)
        free(self.tasks)
        for i in range(<int>TABLES):
            free(self.tables[i].slots)
        free(self.pids.slots)

    def window(self, uint64_t begin, end=None):
        """Count only a stretch of time, before anything is counted.

        States of before are known when it begins. A wait belongs to where it ends, an exit to where it begins; of one
        that goes on beyond the end, the time is not known.

        :param begin: its first tick since the first record
        :param end: the first behind it
        """
        self.begin_, self.end_ = begin, NEVER if end is None else end

    def run(self, pieces):
        """Read all streams to their ends."""
        self.go_on(pieces)
        self.close()

    def go_on(self, pieces, uint64_t limit=NEVER):
        """Count what there is up to a time; what is later, or not there yet, may be counted in another call."""
        cdef Py_ssize_t dry
        self.start(pieces)
        while self.merged.heaped:
            with nogil:
                dry = self._go_on(limit)
            if dry < 0:
                break
            self.follow(dry, pieces)

    cdef Py_ssize_t _go_on(self, uint64_t limit) noexcept nogil:
        # Count until a stream runs dry, and say which; -1: what comes next is later.
        cdef uint32_t i
        cdef uint64_t turn
        cdef Cursor *c
        while True:
            i = self.merged.heap[0]
            c = &self.merged.cursors[i]
            if c.ts > limit:
                return -1
            turn = min(until(&self.merged), limit)
            while True:
                self._count(c)
                if not advance(c):
                    return i
                if c.ts >= turn:
                    break
            sink(&self.merged)

    cdef inline void _count(self, Cursor *c) noexcept nogil:
        cdef uint16_t event
        cdef uint32_t pid
        cdef Py_ssize_t who
        cdef uint64_t offset = <uint64_t>(c.base + (c.record - c.data))
        cdef int kind
        memcpy(&event, c.record, 2)
        pid = word(c.record + 4)
        # A processor whose pages go back in time ends nothing before it began.
        if c.ts > self.now:
            self.now = c.ts
        if self.now >= self.watched:
            self._watch()
        self.records += 1
        if self.over:
            self._know(c, self.kinds[event], pid)
            return
        who = self._task(pid)
        if self.counting:
            counter.count_near(&self.tables[<int>EVENTS], &self.near_events[(event ^ who << 5) & KEYS_NEAR],
                               <uint64_t>(who if who >= 0 else THREADS_MAX) << 16 | event, offset, 1)
        kind = self.kinds[event]
        if kind != OTHER:
            self._tell(c, kind, who, offset)

    cdef void _tell(self, Cursor *c, int kind, Py_ssize_t who, uint64_t offset) noexcept nogil:
        # Count what a kind of events means.
        cdef Task *task
        cdef Slot *slot
        if kind == SWITCH:
            self._switch(c)
            return
        if kind == WAKEUP:
            self._wake(c)
            return
        if kind == UNKNOWN:
            if self.unknown_ == 0:
                self.first_unknown = offset
            self.unknown_ += 1
            return
        if who < 0:
            return
        task = &self.tasks[who]
        if kind == ENTRY:
            self._vcpu(c, task, ENTRY_VCPU)
            self._runs(who, c.cpu)
            enter(task, GUEST, self.now)
            self._end_exit(task, who)
        elif kind == EXIT:
            self._vcpu(c, task, EXIT_VCPU)
            self._runs(who, c.cpu)
            enter(task, KERNEL, self.now)
            self._exit(c, task, who, offset)
        elif kind == TO_USER:
            self._runs(who, c.cpu)
            enter(task, USER, self.now)
            self._entered(c, task, who, offset)
        elif kind == INJECTED:
            if self.counting and self._has(c, INJECTED_VECTOR, 4):
                counter.count(&self.tables[<int>INTERRUPTS],
                              <uint64_t>who << 32 | word(c.record + self.places[<int>INJECTED_VECTOR]), offset)
        elif kind == MSR:
            if self.counting and self._has(c, MSR_NUMBER, 4) and self._has(c, MSR_WRITE, 4):
                slot = counter.count(&self.tables[<int>MSRS],
                                     <uint64_t>who << 32 | word(c.record + self.places[<int>MSR_NUMBER]), offset)
                slot.sum += word(c.record + self.places[<int>MSR_WRITE]) != 0
        elif self.counting:
            self._io(c, task, who, kind, offset)

    cdef void _know(self, Cursor *c, int kind, uint32_t pid) noexcept nogil:
        # Behind the stretch that is counted: whose vCPU a thread is that did something in it, or nothing that is known.
        cdef Py_ssize_t known = self.task_count, who
        if kind != ENTRY and kind != EXIT:
            return
        who = self._task(pid)
        if who < 0:
            return
        self._vcpu(c, &self.tasks[who], ENTRY_VCPU if kind == ENTRY else EXIT_VCPU)
        if who >= known:
            self.tasks[who].cycles[LOST] = self.tasks[who].clipped[LOST] = self.closed - self.opened

    cdef void _watch(self) noexcept nogil:
        # The first record, one at an edge of what is counted, or one that lies too far away.
        if self.records == 0:
            self.first_ = self.opened = self.closed = self.now
            self.edge = _after(self.first_, self.begin_)
        elif self.now - self.first_ > SPAN_MAX:
            self.now = self.first_ + SPAN_MAX
        while self.now >= self.edge:
            self._pass()
        self.watched = min(self.edge, _after(self.first_, SPAN_MAX))

    cdef void _pass(self) noexcept nogil:
        # From before the stretch that is counted into it, or behind it.
        cdef uint64_t now = self.now
        if self.counting:
            self.now = self.edge
            self.close()
            self.now = now
            self.counting, self.over, self.edge = False, True, NEVER
            return
        self.counting = True
        self.opened = self.edge
        self._from(self.edge)
        self.edge = _after(self.first_, self.end_)

    cdef void _from(self, uint64_t floor) noexcept nogil:
        cdef Py_ssize_t i
        self.floor = floor
        for i in range(self.task_count):
            self.tasks[i].floor = floor
            # What began before does not belong here.
            self.tasks[i].in_exit = False

    cdef inline bint _has(self, Cursor *c, int place, int size) noexcept nogil:
        cdef int32_t at = self.places[place]
        if at < 0:
            return False
        if <uint32_t>(at + size) > c.length:
            if self.short_ == 0:
                self.first_short = <uint64_t>(c.base + (c.record - c.data))
            self.short_ += 1
            return False
        return True

    cdef inline Py_ssize_t _task(self, uint32_t pid) noexcept nogil:
        # Its index; -1: there is no room.
        cdef Near *near = &self.near[pid & NEAR]
        return near.task if near.pid == pid else self._other_task(pid)

    cdef Py_ssize_t _other_task(self, uint32_t pid) noexcept nogil:
        # The same for one that is not near.
        cdef Slot *slot
        cdef Task *task
        cdef Py_ssize_t room
        cdef uint64_t known = self.pids.used
        slot = counter.count(&self.pids, pid, 0)
        if slot == &self.pids.spill:
            self.uncounted_ += 1
            return -1
        if self.pids.used == known:
            self.near[pid & NEAR] = Near(pid, <uint32_t>slot.sum)
            return <Py_ssize_t>slot.sum
        if self.task_count == self.task_room:
            room = 2 * self.task_room + 64
            task = <Task *>realloc(self.tasks, room * sizeof(Task))
            if task == NULL:
                self.uncounted_ += 1
                slot.sum = 0
                return -1
            self.tasks = task
            self.task_room = room
        slot.sum = <uint64_t>self.task_count
        task = &self.tasks[self.task_count]
        begin(task, pid, self.first_, self.floor)
        self.task_count += 1
        return self.task_count - 1

    cdef inline void _vcpu(self, Cursor *c, Task *task, int place) noexcept nogil:
        if task.vcpu < 0:
            if self.vcpu_count >= VCPUS_MAX or task.pid >= PIDS_MAX:
                self.uncounted_ += 1
                return
            self.vcpu_count += 1
            task.vcpu = 0
        if self._has(c, place, 4) and word(c.record + self.places[place]) < VCPU_MAX:
            task.vcpu = word(c.record + self.places[place])

    cdef void _switch(self, Cursor *c) noexcept nogil:
        cdef Py_ssize_t who
        cdef uint64_t stopped
        cdef Task *task
        if not (self._has(c, SWITCH_FROM, 4) and self._has(c, SWITCH_STATE, 8) and self._has(c, SWITCH_TO, 4)):
            return
        self.switched_ = True
        memcpy(&stopped, c.record + self.places[<int>SWITCH_STATE], 8)
        who = self._task(word(c.record + self.places[<int>SWITCH_FROM]))
        if who >= 0:
            task = &self.tasks[who]
            self._runs(who, c.cpu)
            self._move(who, BLOCKED if stopped & STOPPED else RUNNABLE)
            task.preempted = task.state == RUNNABLE
            task.woken = False
        who = self._task(word(c.record + self.places[<int>SWITCH_TO]))
        if who >= 0:
            self._runs(who, c.cpu)

    cdef void _wake(self, Cursor *c) noexcept nogil:
        cdef Py_ssize_t who
        if not self._has(c, WAKEUP_PID, 4):
            return
        who = self._task(word(c.record + self.places[<int>WAKEUP_PID]))
        if who >= 0 and self.tasks[who].state == BLOCKED:
            self._move(who, RUNNABLE)
            self.tasks[who].woken = True
            self.tasks[who].preempted = False

    cdef void _entered(self, Cursor *c, Task *task, Py_ssize_t who, uint64_t offset) noexcept nogil:
        # Why its process was entered: where a signal called it, the reason is an old one.
        cdef uint32_t reason
        if not self._has(c, USER_REASON, 4):
            return
        reason = word(c.record + self.places[<int>USER_REASON])
        if self._has(c, USER_ERRNO, 4) and word(c.record + self.places[<int>USER_ERRNO]) >> 31:
            reason = INTERRUPTED
        task.entries += reason == ENTERED_IO or reason == ENTERED_MMIO
        if self.counting:
            counter.count(&self.tables[<int>ENTRIES], <uint64_t>who << 32 | reason, offset)

    cdef inline void _runs(self, Py_ssize_t who, uint32_t cpu) noexcept nogil:
        runs(&self.tasks[who], cpu, self.now, &self.tables[<int>PLACES_RUN], who)

    cdef inline void _move(self, Py_ssize_t who, int state) noexcept nogil:
        move(&self.tasks[who], state, self.now, &self.tables[<int>PLACES_RUN], who)

    cdef void _exit(self, Cursor *c, Task *task, Py_ssize_t who, uint64_t offset) noexcept nogil:
        cdef Slot *slot
        cdef uint32_t reason
        # The last one was not ended by an entry that was recorded: it counts, and its time is not known.
        task.in_exit = False
        if not self._has(c, EXIT_REASON, 4):
            return
        reason = word(c.record + self.places[<int>EXIT_REASON])
        if self._has(c, EXIT_ISA, 4):
            self.amd_ = word(c.record + self.places[<int>EXIT_ISA]) == ISA_AMD
        if not self.counting:
            return
        slot = counter.count_near(&self.tables[<int>EXITS], &self.near_exits[(reason ^ who << 5) & KEYS_NEAR],
                                  <uint64_t>who << 32 | reason, offset, 1)
        if slot == &self.tables[<int>EXITS].spill:
            return
        exit_now(task, reason)

    cdef void _end_exit(self, Task *task, Py_ssize_t who) noexcept nogil:
        cdef uint64_t key = <uint64_t>who << 32 | task.reason
        cdef uint64_t kernel = task.exit_modes[<int>KERNEL]
        cdef int bucket
        cdef Slot *slot
        if not task.in_exit:
            return
        task.in_exit = False
        slot = counter.count_near(&self.tables[<int>EXITS], &self.near_exits[(task.reason ^ who << 5) & KEYS_NEAR], key, 0, 0)
        slot.sum += kernel
        if kernel > slot.most:
            slot.most = kernel
        bucket = bucket_of(kernel)
        counter.count_near(&self.tables[<int>EXITS_TOOK],
                           &self.near_took[(bucket ^ task.reason << 3 ^ who << 5) & KEYS_NEAR],
                           key << 9 | <uint64_t>bucket, 0, 1)
        if task.exit_modes[<int>USER]:
            slot = counter.count(&self.tables[<int>EXITS_USER], key, 0)
            slot.sum += task.exit_modes[<int>USER]
        if task.exit_away:
            slot = counter.count(&self.tables[<int>EXITS_AWAY], key, 0)
            slot.sum += task.exit_away
        if task.entries and task.io_table != NO_TABLE:
            slot = counter.add(&self.tables[task.io_table], task.io_key, 0, 0)
            slot.most += 1

    cdef void _io(self, Cursor *c, Task *task, Py_ssize_t who, int kind, uint64_t offset) noexcept nogil:
        cdef uint64_t address = 0
        cdef uint32_t direction
        cdef int table = IO_PORTS if kind == PIO else IO_MEMORY
        cdef Slot *slot
        if who >> (64 - ADDRESS_BITS):
            self.uncounted_ += 1
            return
        if kind == PIO:
            if not (self._has(c, PIO_RW, 4) and self._has(c, PIO_PORT, 4)):
                return
            address = word(c.record + self.places[<int>PIO_PORT])
            direction = word(c.record + self.places[<int>PIO_RW])
        elif kind == FAST_MMIO:
            if not self._has(c, FAST_MMIO_ADDRESS, 8):
                return
            direction = True
            memcpy(&address, c.record + self.places[<int>FAST_MMIO_ADDRESS], 8)
        else:
            if not (self._has(c, MMIO_TYPE, 4) and self._has(c, MMIO_ADDRESS, 8)):
                return
            direction = word(c.record + self.places[<int>MMIO_TYPE])
            # What no device answers in the kernel is told a second time when user space has answered.
            if direction != MMIO_READ and direction != MMIO_WRITE:
                return
            direction = direction == MMIO_WRITE
            memcpy(&address, c.record + self.places[<int>MMIO_ADDRESS], 8)
        if address >> ADDRESS_BITS:
            self.uncounted_ += 1
            return
        task.io_table, task.io_key = table, <uint64_t>who << ADDRESS_BITS | address
        slot = counter.count(&self.tables[table], task.io_key, offset)
        slot.sum += direction != 0

    cpdef void close(self) noexcept nogil:
        """End what every thread was in: nothing comes any more."""
        cdef Py_ssize_t i
        cdef Task *task
        if self.over:
            return
        self.closed = self.now if self.counting else self.opened
        for i in range(self.task_count):
            task = &self.tasks[i]
            task.in_exit = False
            task.seen = False
            # Into a state that none is in, so that the last one ends.
            self._move(i, STATES_)

    def items(self, str table):
        """Read off a table: (key, count, sum, most, first offset) of each."""
        cdef Counter *of = &self.tables[<int>_TABLES[table]]
        cdef uint64_t i
        cdef list found = []
        for i in range(of.mask + 1):
            if of.slots[i].used:
                found.append((of.slots[i].key, of.slots[i].count, of.slots[i].sum, of.slots[i].most, of.slots[i].first))
        return found

    @property
    def threads(self):
        """All threads by their index in the tables."""
        cdef Py_ssize_t i
        cdef int s
        cdef Task *task
        cdef Thread one
        found = []
        for i in range(self.task_count):
            task = &self.tasks[i]
            one = Thread.__new__(Thread)
            one.pid = task.pid
            one.vcpu = None if task.vcpu < 0 else task.vcpu
            found.append(one)
            if task.vcpu < 0:
                # Of these no more is told.
                continue
            one.migrations = task.migrations
            one.states = []
            for s in range(STATES_):
                one.states.append((task.counts[s], task.cycles[s], task.clipped[s]))
            one.stays = [octaves_of(task.stays[s]) for s in range(STATES_)]
            one.modes = [task.modes[<int>GUEST], task.modes[<int>KERNEL], task.modes[<int>USER]]
            one.longest_wait = (task.wait_longest, task.wait_since - self.first_, task.wait_cpu)
            one.wake_to_run = (buckets_of(&task.wake), task.wake.longest, task.wake.sum)
            one.preempted_to_run = (buckets_of(&task.preempt), task.preempt.longest, task.preempt.sum)
        return found

    @property
    def span(self):
        """How many ticks are counted."""
        return self.closed - self.opened if self.closed > self.opened else 0

    @property
    def first(self):
        return self.first_

    @property
    def amd(self):
        """Whether exits have AMD's numbers."""
        return bool(self.amd_)

    @property
    def switched(self):
        """Whether it is recorded who runs."""
        return bool(self.switched_)

    @property
    def uncounted(self):
        cdef int i
        cdef uint64_t all_ = self.uncounted_
        for i in range(<int>TABLES):
            all_ += self.tables[i].uncounted
        return all_

    @property
    def short(self):
        """Records that are shorter than their events, and where the first lies."""
        return self.short_, self.first_short

    @property
    def unknown(self):
        return self.unknown_, self.first_unknown
