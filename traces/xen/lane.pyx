# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What the pCPUs of one lane recorded: counted where order over all pCPUs means nothing, else kept as rows for ``fold``.

Law: the answer does not depend on how many lanes share a trace, nor on the sizes of the pieces.

A count's key is who (domid << 16 | vcpu) and a value. What the values are is said at ``TABLES``.
Ref: xen/common/trace.c (__trace_hypercall), xen/arch/x86/pv/trace.c, xen/common/grant_table.c
"""

import os

cimport cython
from libc.errno cimport errno
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcpy, memset
from posix.unistd cimport pread

from traces.counting.bucket cimport BUCKET_BITS, bucket_of
from traces.counting.counter cimport Counter, Room, Slot, add, count, make
from traces.counting.states cimport (
    BLOCKED, IDLE_DOMID, LOST, OFFLINE, PCPUS, RUNNABLE, RUNNING, UNKNOWN_DOMID,
)
from traces.xen.kinds cimport *
from traces.xen.near cimport (
    CALL, COUNT_MASK, ELSEWHERE, NEAR_PLACES, Near, Nears, PLAIN_SHAPE, SPECIAL, call_of, place_of, prepare, shape_of,
)
from traces.counting.row cimport (
    ROW_BORN, ROW_ENDED, ROW_ENTRY, ROW_EXIT, ROW_INJECTED, ROW_LOST, ROW_RUNSTATE, Row, order,
)
from traces.xen.decode.cut cimport (
    BETWEEN, Cutter, DAMAGES, FOREIGN, LONGEST, MINE, Pcpu, Record, TRUNCATED, forget, jump, length_of,
    next_record, nobody, note,
)
from traces.xen.formats.ids cimport *

cdef extern from *:
    int __builtin_clzll(unsigned long long) nogil

cdef extern from "Python.h":
    object PyMemoryView_FromMemory(char *memory, Py_ssize_t size, int flags)
    int PyBUF_READ

#: Fewer pairs than so many, of each length by powers of two, tell the clock's rate.
CLOCK_PAIRS = CLOCK_PAIRS_MAX
DAMAGE_CODES = (
    "resync", "bad_pcpu", "record_straddles_window", "window_cut_short", "truncated", "tsc_backwards", "bad_tsc",
    "lost_records", "unattributed", "clock_restart", "out_of_order",
    "too_many_restarts",
)

cdef enum TableIndex:
    EVENTS
    HYPERCALLS
    SUBCALLS
    SUBOPS
    BATCHES
    TRAPS
    MAPS
    UNMAPS
    EXITS               # this and the next by ``flavour_of``, as is TOOK
    NESTED_EXITS
    AMDS_EXITS
    AMDS_NESTED_EXITS
    TOOK
    NESTED_TOOK
    AMDS_TOOK
    AMDS_NESTED_TOOK
    NOTIFICATIONS
    IRQS
    IRQ_TOOK
    RESTARTS
    SUBCALL_RESTARTS
    PORT_READS
    PORT_WRITES
    MEMORY_READS
    MEMORY_WRITES
    HIGH_READS
    HIGH_WRITES
    ROOTS
    INJECTIONS
    VENDORS
    TABLE_COUNT

#: Keys of all tables of a trace together, and of one table: a real trace has some hundred, on a large host ten thousands.
#: What a hostile one has more is counted together (``uncounted``), since a report tells each of them.
ROOM = 1 << 19
KINDS_MAX = 1 << 16
#: Other tables have more, since they are added up, or fewer, since each is told at length.
KINDS_MAX_OF = {
    "events": 1 << 17,
    "irq_took": 1 << 17,
    "irqs": 1 << 13,
    **dict.fromkeys(("exits", "nested_exits", "amds_exits", "amds_nested_exits"), 1 << 15),
    **dict.fromkeys(("took", "nested_took", "amds_took", "amds_nested_took"), 1 << 18),
}

#: Of each table, what a value is; and what is summed, where that is something.
TABLES = (
    "events",           # event id with its flags
    "hypercalls",       # number, those of HVM guests too
    "subcalls",         # number of a call in a multicall
    "subops",           # number << 12 | sub-operation
    "batches",          # number of a batching hypercall; sum: of the operations that it asked for
    "traps",            # vector
    "maps",             # domid of the granter; who is the mapper
    "unmaps",
    "exits",            # reason, of exits without a change of run state; sum and most: cycles until the entry
    "nested_exits",     # the same of a nested guest
    "amds_exits",       # under AMD's own event id
    "amds_nested_exits",
    "took",             # of the same exits, those that an entry ended: squeezed reason << 9 | bucket of these cycles
    "nested_took",
    "amds_took",
    "amds_nested_took",
    "notifications",    # domid of the notified; who >> 16 is the notifier
    "irqs",             # number; who is the pCPU; sum and most: cycles that Xen took
    "irq_took",         # number << 9 | bucket of these cycles
    "restarts",         # number of a hypercall that goes on after it was preempted; "hypercalls" has it, too
    "subcall_restarts",
    "port_reads",       # port
    "port_writes",
    "memory_reads",     # address of emulated memory
    "memory_writes",
    "high_reads",       # the same above 4 GiB: address >> 12
    "high_writes",
    "roots",            # cr3 >> 12, as written by an HVM guest
    "injections",       # vector of an interrupt that an HVM guest is given
    "vendors",          # of CPUID's leaf 0: ebx, the first letters of the vendor's name
)

cdef enum:
    # No domain has this number.
    NOBODY = UNKNOWN_DOMID
    NO_VCPU = 0xFFFFFFFF
    # Above a grant table sub-operation's number is how far a preempted one has come.
    CMD_MASK = 0xFFF
    CR3 = 3
    # Shorter runs are mostly delays.
    RAN_MIN_NS = 1000
    # As a part of the run that follows it, one over so much is as long as a switch itself takes at most.
    SHORT_SWITCH = 64
    CLOCK_PAIRS_MAX = 1 << 9
    LENGTHS = 64
    REMOVED_MAX = 4096
    # VMX's flags are the seven bits above (``formats.exits``).
    SQUEEZED_OUT = 0x01FF0000
    SIGNS = 0x7F
    # Read at once from a file: stays in a core's own cache until it is walked.
    PIECE = 1 << 18

cdef struct Seat:
    # What one pCPU's records so far say of its next ones.
    uint32_t who
    uint32_t notifier       # domain whose last record here was an event channel hypercall
    uint64_t exit_tsc
    uint64_t exit_offset
    Counter *exit_tables    # it counts where it began
    uint32_t exit_reason
    uint8_t exit_flavour
    bint exit_open
    bint settled            # who runs here has entered since it came: its exits are timed here and not in order
    uint64_t left_tsc       # when somebody was last switched out here, and where the record of that ends
    uint64_t left_end
    uint64_t switch_tsc
    uint64_t switch_who
    bint held               # a switch, until it is known that no run state says the same
    uint32_t held_from
    uint32_t held_to
    uint64_t held_tsc
    uint64_t held_offset
    bint injected           # something, since the guest was entered last; what, when, and where that is
    bint unentered          # and others before it, of which rows have told
    uint32_t vector         # injected last since this vCPU came; again, it tells nothing new
    bint told
    uint64_t injected_tsc
    uint64_t injected_offset

cdef struct ClockPair:
    uint64_t lot            # by which it is kept or not
    uint64_t cycles
    uint32_t ns

cdef struct ClockPairs:
    ClockPair kept[CLOCK_PAIRS_MAX]
    int count
    int bits                # of so many pairs, each with a lot of so many leading zeros is kept


@cython.final
cdef class Lane:
    """Walks the windows of every ``lanes``-th pCPU, beginning with number ``lane``."""

    cdef Cutter cut
    cdef Seat *seats
    cdef Room room              # of all tables
    cdef Counter *tables        # those that count the record at hand
    cdef Counter counted[TABLE_COUNT]
    cdef Counter passed[TABLE_COUNT]    # what was not chosen
    cdef Nears *nears           # of what is counted, the part that is not in ``counted`` yet; empty between pieces
    cdef bint partial
    cdef uint64_t begin
    cdef uint64_t end
    cdef uint8_t *pcpus_chosen  # NULL: all
    cdef Row *rows
    cdef Row *space             # for sorting them; kept, since new memory costs more than sorting
    cdef Py_ssize_t row_count
    cdef Py_ssize_t row_room
    cdef Py_ssize_t space_room
    cdef uint8_t *piece
    cdef ClockPairs *pairs      # by the length of their cycles in bits
    cdef uint32_t removed_domids[REMOVED_MAX]
    cdef Py_ssize_t removed_count
    cdef readonly bint stated   # there are run states
    cdef readonly uint32_t before   # of 4.x the release before which Xen recorded this, 0 if nothing tells
    cdef bint starved       # of memory

    def __cinit__(self, uint32_t lane=0, uint32_t lanes=1):
        cdef int i
        memset(&self.cut, 0, sizeof(self.cut))
        self.cut.lane = lane
        self.cut.lanes = lanes
        self.tables = &self.counted[0]
        self.partial = False
        self.begin = 0
        self.end = <uint64_t>-1
        self.pcpus_chosen = NULL
        self.rows = self.space = NULL
        self.piece = NULL
        self.row_count = self.row_room = self.space_room = self.removed_count = 0
        self.stated = self.starved = False
        self.before = 0
        self.cut.pcpus = <Pcpu *>calloc(PCPUS, sizeof(Pcpu))
        self.seats = <Seat *>calloc(PCPUS, sizeof(Seat))
        self.pairs = <ClockPairs *>calloc(LENGTHS, sizeof(ClockPairs))
        self.nears = <Nears *>calloc(1, sizeof(Nears))
        if self.cut.pcpus == NULL or self.seats == NULL or self.pairs == NULL or self.nears == NULL:
            raise MemoryError()
        prepare(self.nears)
        # Lanes together have as much as one. Where that is too little one has to read all, so that the answer is the same.
        self.room.steps = 0
        self.room.left = ROOM // lanes
        self.room.seed = int.from_bytes(os.urandom(8), "little")
        for i in range(<int>TABLE_COUNT):
            most = KINDS_MAX_OF.get(TABLES[i], KINDS_MAX) // lanes
            if not make(&self.counted[i], &self.room, 1024, most) or not make(&self.passed[i], &self.room, 16, most):
                raise MemoryError()
        self._restart()

    def __dealloc__(self):
        cdef int i
        free(self.cut.pcpus)
        free(self.seats)
        free(self.pairs)
        free(self.nears)
        free(self.rows)
        free(self.space)
        free(self.piece)
        free(self.pcpus_chosen)
        for i in range(<int>TABLE_COUNT):
            free(self.counted[i].slots)
            free(self.passed[i].slots)

    def limit(self, uint64_t begin, uint64_t end):
        """Count only records between two time stamps of this run of the clock; the others still make rows."""
        self.partial = True
        self.begin = begin
        self.end = end

    def choose(self, pcpus):
        """Count only records of these pCPUs; the others still make rows.

        Raises MemoryError.
        """
        cdef uint32_t p
        self.partial = True
        self.pcpus_chosen = <uint8_t *>calloc(PCPUS, 1)
        if self.pcpus_chosen == NULL:
            raise MemoryError()
        for p in pcpus:
            if p < PCPUS:
                self.pcpus_chosen[p] = 1

    def shift(self, dict cycles):
        """Correct the clocks of pCPUs: add so many cycles to the time stamps of each."""
        for pcpu, more in cycles.items():
            self.cut.pcpus[<uint32_t>pcpu % PCPUS].shift = more

    cdef void _restart(self) noexcept nogil:
        cdef int i
        forget(&self.cut)
        memset(self.seats, 0, PCPUS * sizeof(Seat))
        for i in range(<int>PCPUS):
            self.seats[i].who = nobody(i)
            self.seats[i].notifier = NOBODY

    def walk(self, const uint8_t[::1] data):
        """Take the next bytes of the stream; returns how many are used up.

        It stops where no whole record is left, where the clock has ``restarted`` (walk on with the rest once all
        rows are taken), and where the trace is ``irregular`` and there are other lanes.
        Raises MemoryError.
        """
        cdef Py_ssize_t used
        if data.shape[0] == 0:
            return 0
        with nogil:
            used = self._walk(&data[0], data.shape[0])
            self._settle_all()
        if self.starved:
            raise MemoryError()
        return used

    def read(self, int file, uint64_t offset, Py_ssize_t size):
        """Take the next bytes of the stream from a file, as ``walk`` does; ``offset`` is where they are in it.

        Of other lanes' windows nothing but the headers is read.
        Raises MemoryError, OSError.
        """
        cdef Py_ssize_t used
        cdef int error = 0
        if self.piece == NULL:
            self.piece = <uint8_t *>malloc(PIECE)
            if self.piece == NULL:
                raise MemoryError()
        with nogil:
            used = self._read(file, offset, size, &error)
            self._settle_all()
        if error:
            raise OSError(error, os.strerror(error))
        if self.starved:
            raise MemoryError()
        return used

    cdef Py_ssize_t _read(self, int file, uint64_t offset, Py_ssize_t size, int *error) noexcept nogil:
        cdef Py_ssize_t pos = 0, step, want, got
        while pos < size:
            want = CPU_CHANGE_SIZE
            if self.cut.place == FOREIGN:
                step = jump(&self.cut, 0, size - pos)
                self.cut.offset += step
                pos += step
                if pos == size:
                    break
            elif self.cut.place == MINE:
                # To the window's end, and the next one's header.
                want = PIECE
                if self.cut.window_left < PIECE - CPU_CHANGE_SIZE:
                    want = <Py_ssize_t>self.cut.window_left + CPU_CHANGE_SIZE
            if want > size - pos:
                want = size - pos
            got = pread(file, self.piece, want, offset + pos)
            if got < 0:
                error[0] = errno
            if got <= 0:
                break
            step = self._walk(self.piece, got)
            pos += step
            # What is not used is the beginning of something.
            if step == 0 or self.starved or self.cut.irregular:
                break
        return pos

    cdef Py_ssize_t _walk(self, const uint8_t *data, Py_ssize_t size) noexcept nogil:
        cdef Py_ssize_t pos = 0
        cdef Record r
        cdef Seat *seat
        cdef Slot *slot
        cdef uint64_t who
        cdef uint32_t notifier
        if self.cut.clock_restarted:
            self._restart()
        while True:
            if not self.partial:
                pos = self._count_near(data, pos, size)
            if not next_record(&self.cut, data, size, &pos, &r):
                break
            seat = &self.seats[self.cut.cpu]
            if r.who != seat.who:
                self._leave(seat, <uint16_t>self.cut.cpu)
                seat.who = r.who
            who = <uint64_t>r.who << 32
            if self.partial:
                self.tables = &self.counted[0] if self._counts(&r) else &self.passed[0]
            slot = count(&self.tables[<int>EVENTS], who | r.event, r.offset)
            if slot.kind == UNSEEN:
                slot.kind = classify(r.event)
                self.stated |= slot.kind == RUNSTATE and r.words > 0
                self._date(&r)
            if seat.held:
                self._settle_switch(seat, slot.kind == RUNSTATE)
            notifier = seat.notifier
            seat.notifier = NOBODY
            if slot.kind != PLAIN:
                self._tell(slot.kind, &r, who, seat, notifier)
        self.cut.offset += pos
        return pos

    cdef Py_ssize_t _count_near(self, const uint8_t *data, Py_ssize_t pos, Py_ssize_t size) noexcept nogil:
        # What ``_walk`` does, for the records that most are: of a vCPU that goes on running, in a window in good order,
        # and like one that was there before. Stops before any other. A trace is mostly read here: hence the local
        # variables, and few branches, each on what is known early.
        cdef Cutter *cut = &self.cut
        cdef Nears *nears = self.nears
        cdef Pcpu *p = &cut.pcpus[cut.cpu]
        cdef Seat *seat = &self.seats[cut.cpu]
        cdef uint64_t who = <uint64_t>p.who << 32, last = p.last_tsc, limit = cut.limit, shift = p.shift
        cdef uint64_t tsc, key, call
        cdef Py_ssize_t begin = pos, end
        cdef uint32_t header, notifier = seat.notifier
        cdef const uint8_t *payload
        cdef uint8_t shape
        cdef Near *near
        cdef Record r
        if cut.place != MINE or cut.careful or not p.stated or seat.who != p.who or p.who >> 16 == UNKNOWN_DOMID:
            return pos
        end = size - pos
        if <uint64_t>end > cut.window_left:
            end = <Py_ssize_t>cut.window_left
        # The longest record fits, whatever the next one is.
        end = pos + end - LONGEST
        while pos <= end:
            memcpy(&header, data + pos, 4)
            payload = data + pos + 4 + ((header >> 28) & 8)
            shape = shape_of(nears, header)[0]
            tsc = last
            if header >> 31:
                memcpy(&tsc, data + pos + 4, 8)
                tsc += shift
            if shape == ELSEWHERE or tsc < last or (tsc >= limit and header >> 31):
                break
            key = who | header
            call = call_of(nears, shape, payload)
            near = place_of(nears, key, call)
            if near.key != key or near.call != call:
                self._move_in(near, key, call)
                break
            if shape == SPECIAL:
                r.payload = payload
                r.tsc = tsc
                r.offset = cut.offset + pos
                r.event = header & 0x0FFFFFFF
                r.words = (header >> 28) & 7
                r.who = p.who
                seat.notifier = NOBODY
                self._tell(near.kind, &r, who, seat, notifier)
                notifier = seat.notifier
            else:
                notifier = near.notifier
            near.count += 1
            near.sum += word_at(payload, 1)
            last = tsc
            pos += length_of(header)
        seat.notifier = notifier
        p.last_tsc = last
        cut.window_left -= pos - begin
        return pos

    cdef void _move_in(self, Near *near, uint64_t key, uint64_t call) noexcept nogil:
        # The record at hand is counted by ``_walk``, which keeps where the first of each kind lies.
        cdef uint32_t event = key & 0x0FFFFFFF, nr = call & HYPERCALL_OP_MASK
        cdef int kind = classify(event)
        cdef bint is_call = kind == HYPERCALL or kind == SUBCALL
        cdef uint8_t *shape = shape_of(self.nears, event)
        if kind == SWITCH:
            # Run states say the same.
            kind = PLAIN
        if kind == RUNSTATE or kind == LOSS or event == WRAP_BUFFER or event == CPU_CHANGE_HEADER & 0x0FFFFFFF:
            # ``cut`` must see these.
            shape[0] = ELSEWHERE
        elif not is_call and kind != PLAIN:
            # Where it looks like something else, both go the longer way.
            shape[0] = SPECIAL if shape[0] == SPECIAL or shape[0] == PLAIN_SHAPE else ELSEWHERE
        if shape[0] == ELSEWHERE:
            return
        self._settle(near)
        near.key = key
        near.call = call
        near.kind = PLAIN if is_call else kind
        near.notifier = NOBODY
        if is_call and (key >> 28) & 7 and (nr == EVENT_CHANNEL_OP or nr == EVENT_CHANNEL_OP_COMPAT):
            near.notifier = key >> 48

    cdef void _settle(self, Near *near) noexcept nogil:
        cdef uint64_t who = near.key & ~<uint64_t>0xFFFFFFFF
        cdef uint32_t event = near.key & 0x0FFFFFFF, words = (near.key >> 28) & 7
        if near.count:
            self.cut.records += near.count
            add(&self.counted[<int>EVENTS], who | event, self.cut.offset, near.count)
            if words and (event == PV_HYPERCALL_V2 or event == PV_HYPERCALL_SUBCALL):
                # The highest bit of a count is all these records' or none's.
                self._hypercalls(HYPERCALLS if event == PV_HYPERCALL_V2 else SUBCALLS, who, words, <uint32_t>near.call,
                                 near.call >> 32, self.cut.offset, near.count,
                                 near.sum - (near.call >> 63 << 31) * near.count)
        near.count = near.sum = 0

    cdef inline bint _counts(self, const Record *r) noexcept nogil:
        return self.begin <= r.tsc < self.end and (self.pcpus_chosen == NULL or self.pcpus_chosen[self.cut.cpu])

    cdef void _tell(self, int kind, Record *r, uint64_t who, Seat *seat, uint32_t notifier) noexcept nogil:
        cdef int old, new
        cdef uint32_t arg
        if kind == HYPERCALL or kind == SUBCALL:
            if r.words:
                arg = word(r, 1) if r.words > 1 else 0
                self._hypercalls(HYPERCALLS if kind == HYPERCALL else SUBCALLS, who, r.words, word(r, 0), arg, r.offset,
                                 1, arg & COUNT_MASK)
                self._notifies(seat, word(r, 0) & HYPERCALL_OP_MASK)
        elif kind == ENTRY:
            self._enter(r, seat)
        elif kind == EXIT:
            if r.words >= 2:
                self._exit(word(r, 0), r, who, seat)
        elif kind == RUNSTATE:
            if r.words:
                old = new = RUNNING
                if r.event != CONTINUE_RUNNING:
                    old = (r.event >> 8) & 3
                    new = (r.event >> 4) & 3
                if new == RUNNABLE and (old == BLOCKED or old == OFFLINE):
                    self._notified(notifier, word(r, 0) >> 16, r)
                if old == RUNNING and new != RUNNING:
                    self._leave(seat, <uint16_t>self.cut.cpu)
                self._row(<uint16_t>self.cut.cpu, ROW_RUNSTATE, r.tsc, r.offset, word(r, 0), 0,
                          self.cut.pcpus[self.cut.cpu].first_tsc, old, new)
        elif kind == WAKE:
            if r.words >= 2:
                self._notified(notifier, word(r, 0), r)
        elif kind == SWITCH:
            if r.words == 4 and not self.cut.pcpus[self.cut.cpu].stated:
                self._hold_switch(r, seat)
        elif kind == SWITCHED_IN:
            if r.words >= 3:
                seat.switch_tsc = r.tsc
                if r.offset != seat.left_end:
                    seat.left_tsc = 0
                # Until 4.7 without the vCPU.
                seat.switch_who = (<uint64_t>word(r, 0) << 32) | (word(r, 1) if r.words > 3 else NO_VCPU)
        elif kind == SWITCHED_OUT:
            if r.words >= 2:
                self._clock(seat, (<uint64_t>word(r, 0) << 32) | (word(r, 1) if r.words > 2 else NO_VCPU), r.tsc,
                            word(r, 2 if r.words > 2 else 1))
                seat.left_end = r.offset + 12 + 4 * r.words
        elif kind == VMMCALL:
            if r.words:
                count(&self.tables[<int>HYPERCALLS], who | word(r, 0), r.offset)
                self._notifies(seat, word(r, 0))
        elif kind == MAP:
            if r.words:
                count(&self.tables[<int>MAPS], who | word(r, 0), r.offset)
        elif kind == UNMAP:
            if r.words:
                count(&self.tables[<int>UNMAPS], who | word(r, 0), r.offset)
        elif kind == TRAP_32:
            if r.words >= 2:
                count(&self.tables[<int>TRAPS], who | (word(r, 1) & TRAP_MASK), r.offset)
        elif kind == TRAP_64:
            if r.words >= 3:
                count(&self.tables[<int>TRAPS], who | (word(r, 2) & TRAP_MASK), r.offset)
        elif kind == LOSS:
            if r.words == 4:
                seat.switch_tsc = 0
                self._leave(seat, <uint16_t>self.cut.cpu)
                self._row(<uint16_t>self.cut.cpu, ROW_LOST, r.tsc, r.offset, (word(r, 1) << 16) | (word(r, 1) >> 16), 0,
                          ((<uint64_t>word(r, 3) << 32) | word(r, 2)) + self.cut.pcpus[self.cut.cpu].shift, 0, 0)
        elif kind == IRQ:
            if r.words >= 3:
                # Both stamps are cut to 32 bits.
                self._irq(word(r, 0), word(r, 2) - word(r, 1), r)
        elif kind == IO:
            if r.words:
                self._io(r, who)
        elif kind == CR_WRITE:
            if r.words >= 2 and word(r, 0) == CR3:
                count(&self.tables[<int>ROOTS], who | (word(r, 1) >> 12 | (word(r, 2) << 20 if r.words > 2 else 0)),
                      r.offset)
        elif kind == CPUID:
            # Leaf and subleaf, then the registers.
            if r.words >= 4 and word(r, 0) == 0:
                count(&self.tables[<int>VENDORS], who | word(r, 3), r.offset)
        elif kind == INJECTION:
            if r.words:
                count(&self.tables[<int>INJECTIONS], who | word(r, 0), r.offset)
                self._inject(word(r, 0), r, seat)
        elif kind == ADDED:
            if r.words:
                self._row(<uint16_t>self.cut.cpu, ROW_BORN, r.tsc, r.offset, 0, word(r, 0), 0, 0, 0)
        elif kind == REMOVED:
            if r.words:
                self._row(<uint16_t>self.cut.cpu, ROW_ENDED, r.tsc, r.offset, 0, word(r, 0), 0, 0, 0)
                if self.removed_count < REMOVED_MAX:
                    self.removed_domids[self.removed_count] = word(r, 0)
                    self.removed_count += 1

    cdef void _date(self, const Record *r) noexcept nogil:
        # What later releases record otherwise (docs/xen-versions.md).
        cdef uint32_t before = 0
        if SCHED_CLASS <= r.event < SCHED_CLASS + 0x1000 and not r.timed:
            before = 7
        elif r.event == SCHED_DOM_ADD and r.words == 2:
            before = 7
        elif (r.event == SWITCH_INFPREV and r.words == 2) or (r.event == SWITCH_INFNEXT and r.words == 3):
            before = 8
        elif (r.event == CREDIT2_BURN and r.words == 3) or (r.event == RTDS_BURN and r.words == 4):
            before = 10
        elif r.event == HVM_CPUID and r.words == 5:
            before = 13
        if before and (self.before == 0 or before < self.before):
            self.before = before

    cdef void _hold_switch(self, Record *r, Seat *seat) noexcept nogil:
        # Of one that goes on, it is to itself.
        cdef int to = 2 if r.event == SCHED_SWITCH else 0
        if word(r, 0) > IDLE_DOMID or word(r, 1) > 0xFFFF or word(r, to) > IDLE_DOMID or word(r, to + 1) > 0xFFFF:
            return
        seat.held_from = word(r, 0) << 16 | word(r, 1)
        seat.held_to = word(r, to) << 16 | word(r, to + 1)
        seat.held = True
        seat.held_tsc = r.tsc
        seat.held_offset = r.offset

    cdef void _settle_switch(self, Seat *seat, bint stated) noexcept nogil:
        # It is the same pCPU's next record that tells: Xen records a switch and then the run states.
        cdef uint16_t p = <uint16_t>self.cut.cpu
        if not stated:
            self._switch(seat, p)
        seat.held = False

    cdef void _switch(self, Seat *seat, uint16_t p) noexcept nogil:
        # Who leaves may be runnable or blocked.
        cdef uint64_t first = self.cut.pcpus[p].first_tsc
        if seat.held_from == seat.held_to:
            self._row(p, ROW_RUNSTATE, seat.held_tsc, seat.held_offset, seat.held_to, 0, first, RUNNING, RUNNING)
            return
        self._row(p, ROW_RUNSTATE, seat.held_tsc, seat.held_offset, seat.held_from, 0, first, RUNNING, LOST)
        self._row(p, ROW_RUNSTATE, seat.held_tsc, seat.held_offset, seat.held_to, 0, first, LOST, RUNNING)

    cdef void _hypercalls(self, int table, uint64_t who, uint32_t words, uint32_t op, uint32_t arg, uint64_t offset,
                          uint64_t times, uint64_t sum_) noexcept nogil:
        cdef uint32_t nr = op & HYPERCALL_OP_MASK
        cdef Slot *slot
        add(&self.tables[table], who | nr, offset, times)
        if words < 2:
            return
        if restarted(op, nr, arg):
            add(&self.tables[<int>(RESTARTS if table == HYPERCALLS else SUBCALL_RESTARTS)], who | nr, offset, times)
            return
        # Arguments follow in order, so the one that is wanted comes first.
        if nr == GRANT_TABLE_OP or nr == VCPU_OP or nr == SCHED_OP:
            if op & HAS_ARG0:
                add(&self.tables[<int>SUBOPS], who | (nr << 12) | (arg & CMD_MASK), offset, times)
        elif nr == MULTICALL or nr == MMU_UPDATE or nr == MMUEXT_OP:
            if op & HAS_ARG1:
                slot = add(&self.tables[<int>BATCHES], who | nr, offset, times)
                slot.sum += sum_

    cdef void _io(self, Record *r, uint64_t who) noexcept nogil:
        # hvmtrace_io_assist: under FLAG_64 the address has two words.
        cdef uint32_t event = r.event & ~<uint32_t>FLAG_64, place = word(r, 0)
        cdef int table
        if event == HVM_IOPORT_READ:
            table = PORT_READS
        elif event == HVM_IOPORT_WRITE:
            table = PORT_WRITES
        elif event == HVM_IOMEM_READ:
            table = MEMORY_READS
        else:
            table = MEMORY_WRITES
        if r.event & FLAG_64 and r.words > 1 and word(r, 1):
            count(&self.tables[<int>HIGH_READS if table == MEMORY_READS else <int>HIGH_WRITES],
                  who | (place >> 12 | word(r, 1) << 20), r.offset)
        else:
            count(&self.tables[table], who | place, r.offset)

    cdef inline void _notifies(self, Seat *seat, uint32_t nr) noexcept nogil:
        if (nr == EVENT_CHANNEL_OP or nr == EVENT_CHANNEL_OP_COMPAT) and seat.who >> 16 != UNKNOWN_DOMID:
            seat.notifier = seat.who >> 16

    cdef inline void _notified(self, uint32_t source, uint32_t target, Record *r) noexcept nogil:
        if source != NOBODY:
            count(&self.tables[<int>NOTIFICATIONS], (<uint64_t>source << 48) | target, r.offset)

    cdef void _irq(self, uint32_t irq, uint32_t took, Record *r) noexcept nogil:
        cdef uint64_t pcpu = <uint64_t>self.cut.cpu << 32
        cdef Slot *slot = count(&self.tables[<int>IRQS], pcpu | irq, r.offset)
        slot.sum += took
        if took > slot.most:
            slot.most = took
        count(&self.tables[<int>IRQ_TOOK], pcpu | <uint32_t>(irq << BUCKET_BITS) | bucket_of(took), r.offset)

    cdef inline void _exit(self, uint32_t reason, Record *r, uint64_t who, Seat *seat) noexcept nogil:
        cdef uint8_t flavour = flavour_of(r.event)
        if r.who >> 16 == UNKNOWN_DOMID:
            # Nobody says whose it is. It counts now, and takes until the next entry here, whoever enters.
            count(&self.tables[<int>EXITS + flavour], who | reason, r.offset)
        elif not seat.settled:
            self._row(<uint16_t>self.cut.cpu, ROW_EXIT, r.tsc, r.offset, r.who, reason, 0, flavour, 0)
            return
        elif seat.exit_open:
            # Its entry is missing.
            count(&seat.exit_tables[<int>EXITS + seat.exit_flavour], who | seat.exit_reason, seat.exit_offset)
        seat.exit_open = True
        seat.exit_tables = self.tables
        seat.exit_reason = reason
        seat.exit_flavour = flavour
        seat.exit_tsc = r.tsc
        seat.exit_offset = r.offset

    cdef inline void _enter(self, Record *r, Seat *seat) noexcept nogil:
        if r.who >> 16 == UNKNOWN_DOMID:
            if seat.exit_open:
                self._end_exit(r, seat, 0)
            return
        if seat.injected:
            self._injected(<uint16_t>self.cut.cpu, seat, r.tsc, True)
            if seat.unentered and seat.settled:
                self._row(<uint16_t>self.cut.cpu, ROW_ENTRY, r.tsc, r.offset, r.who, 0, 0, 0, 0)
            seat.unentered = False
        if seat.exit_open:
            self._end_exit(r, seat, 1)
        elif not seat.settled:
            self._row(<uint16_t>self.cut.cpu, ROW_ENTRY, r.tsc, r.offset, r.who, 0, 0, 0, 0)
            seat.settled = True

    cdef inline void _end_exit(self, Record *r, Seat *seat, uint64_t times) noexcept nogil:
        cdef uint64_t who = <uint64_t>r.who << 32
        cdef uint64_t took = r.tsc - seat.exit_tsc if r.tsc > seat.exit_tsc else 0
        cdef Slot *slot = add(
            &seat.exit_tables[<int>EXITS + seat.exit_flavour], who | seat.exit_reason, seat.exit_offset, times)
        slot.sum += took
        if took > slot.most:
            slot.most = took
        if is_squeezable(seat.exit_reason):
            count(&seat.exit_tables[<int>TOOK + seat.exit_flavour],
                  who | squeezed(seat.exit_reason) << BUCKET_BITS | bucket_of(took), 0)
        seat.exit_open = False

    cdef void _inject(self, uint32_t vector, Record *r, Seat *seat) noexcept nogil:
        if r.who >> 16 == UNKNOWN_DOMID:
            return
        if seat.told and seat.vector == vector:
            return
        if seat.injected:
            # One more before the guest is entered.
            self._injected(<uint16_t>self.cut.cpu, seat, seat.injected_tsc, False)
            seat.unentered = True
        seat.injected = seat.told = True
        seat.vector = vector
        seat.injected_tsc = r.tsc
        seat.injected_offset = r.offset

    cdef void _injected(self, uint16_t pcpu, Seat *seat, uint64_t tsc, bint entered) noexcept nogil:
        self._row(pcpu, ROW_INJECTED, tsc, seat.injected_offset, seat.who, seat.vector, seat.injected_tsc, 0, entered)
        seat.injected = False

    cdef void _leave(self, Seat *seat, uint16_t pcpu) noexcept nogil:
        # Who ran here stops, or may have: an open exit now depends on what happens to it elsewhere.
        if seat.injected:
            self._injected(pcpu, seat, seat.injected_tsc, False)
        seat.unentered = seat.told = False
        if seat.exit_open and seat.who >> 16 != UNKNOWN_DOMID:
            self._row(pcpu, ROW_EXIT, seat.exit_tsc, seat.exit_offset, seat.who, seat.exit_reason, 0,
                      seat.exit_flavour, 0)
        seat.exit_open = seat.settled = False

    cdef void _row(self, uint16_t pcpu, int kind, uint64_t tsc, uint64_t offset, uint32_t who, uint32_t arg,
                   uint64_t since, int old, int new) noexcept nogil:
        cdef Row *row
        if self.row_count == self.row_room:
            row = <Row *>realloc(self.rows, (2 * self.row_room + 4096) * sizeof(Row))
            if row == NULL:
                self.starved = True
                return
            self.rows = row
            self.row_room = 2 * self.row_room + 4096
        row = &self.rows[self.row_count]
        self.row_count += 1
        row.tsc = tsc
        row.offset = offset
        row.since = since
        row.who = who
        row.arg = arg
        row.pcpu = pcpu
        row.kind = <uint8_t>kind
        row.old = <uint8_t>old
        row.new = <uint8_t>new

    cdef void _clock(self, Seat *seat, uint64_t who, uint64_t now, uint32_t ran_ns) noexcept nogil:
        cdef uint64_t since = seat.switch_tsc
        cdef uint64_t lot = now * <uint64_t>0x9E3779B97F4A7C15
        cdef ClockPairs *pairs
        if seat.left_tsc and (since - seat.left_tsc) * SHORT_SWITCH < now - since:
            # Xen read the time before it told who was switched out, which it does just before.
            since = seat.left_tsc
        if seat.switch_tsc and since < now and seat.switch_who == who and ran_ns >= RAN_MIN_NS:
            pairs = &self.pairs[63 - __builtin_clzll(now - since)]
            if drawn(lot, pairs.bits):
                pairs.kept[pairs.count] = ClockPair(lot, now - since, ran_ns)
                pairs.count += 1
                while pairs.count == CLOCK_PAIRS_MAX:
                    self._draw(pairs)
        seat.switch_tsc = 0
        seat.left_tsc = now

    cdef void _draw(self, ClockPairs *pairs) noexcept nogil:
        # Keep about every second one, by its time stamp alone: those kept are from all over the trace, and the same
        # however many lanes there are (``scan.clock_pairs``).
        cdef int i, kept = 0
        pairs.bits += 1
        for i in range(pairs.count):
            if drawn(pairs.kept[i].lot, pairs.bits):
                pairs.kept[kept] = pairs.kept[i]
                kept += 1
        pairs.count = kept

    def take(self, uint64_t limit):
        """Give the rows up to a time stamp, in order of time and then of the file: a view of an array of ``Row``.

        It is valid until the next call, for as long as the lane is there.
        Raises MemoryError.
        """
        cdef Py_ssize_t ready, i
        cdef Row *sorted_
        for i in range(<int>PCPUS):
            if self.seats[i].held and self.seats[i].held_tsc <= limit:
                self._switch(&self.seats[i], <uint16_t>i)
                self.seats[i].held = False
            if self.seats[i].exit_open and self.seats[i].exit_tsc <= limit and self.seats[i].who >> 16 != UNKNOWN_DOMID:
                self._leave(&self.seats[i], <uint16_t>i)
        if self.starved:
            raise MemoryError()
        if self.space_room < 2 * self.row_count:
            free(self.space)
            self.space_room = 2 * self.row_room
            self.space = <Row *>malloc(self.space_room * sizeof(Row))
            if self.space == NULL:
                self.space_room = 0
                raise MemoryError()
        with nogil:
            ready = self._part(limit, self.space)
            sorted_ = order(self.space, self.space + ready, ready)
        return PyMemoryView_FromMemory(<char *>sorted_, ready * sizeof(Row), PyBUF_READ)

    cdef Py_ssize_t _part(self, uint64_t limit, Row *ready) noexcept nogil:
        # Move rows up to the limit out of the way; the others stay.
        cdef Py_ssize_t i, kept = 0
        for i in range(self.row_count):
            if self.rows[i].tsc <= limit:
                ready[i - kept] = self.rows[i]
            else:
                self.rows[kept] = self.rows[i]
                kept += 1
        i = self.row_count - kept
        self.row_count = kept
        return i

    def promise(self, uint64_t tsc):
        """From now on, records older than ``tsc`` are out of order."""
        self.cut.promised = tsc

    def follow(self, Lane leader):
        """Be where another lane is in the stream, that of the window in which the last piece ended."""
        self.cut.offset = leader.cut.offset
        self.cut.window_left = leader.cut.window_left

    def finish(self, uint64_t rest):
        """The stream has ended with ``rest`` bytes that were not used: account for them."""
        if rest or (self.cut.place != BETWEEN and self.cut.window_left):
            if not self.cut.resyncing:
                note(&self.cut, TRUNCATED, self.cut.offset, 1)
        self.cut.skipped_bytes += rest
        self.cut.offset += rest

    @property
    def pcpu(self):
        """The pCPU of the last window."""
        return self.cut.cpu

    @property
    def offset(self):
        """Bytes used so far."""
        return self.cut.offset

    @property
    def records(self):
        """Records so far, windows' headers among them."""
        return self.cut.records

    @property
    def skipped_bytes(self):
        """Bytes that are no record."""
        return self.cut.skipped_bytes

    @property
    def lost_records(self):
        """Records that Xen says it had no room for."""
        return self.cut.lost_records

    @property
    def watermark(self):
        """No later record is older than this."""
        return self.cut.watermark

    @property
    def newest(self):
        """The highest time stamp of this run of the clock."""
        return self.cut.newest

    @property
    def restarted(self):
        """Whether the next record begins another run of the clock."""
        return bool(self.cut.clock_restarted)

    @property
    def irregular(self):
        """Whether windows did not lie as their sizes say, or the clock began anew: only a single lane can go on."""
        return bool(self.cut.irregular)

    @property
    def pending(self):
        """How many rows wait to be taken."""
        return self.row_count

    @property
    def removed(self):
        """Domids that Xen has said to be destroyed."""
        return {self.removed_domids[i] for i in range(self.removed_count)}

    @property
    def clock_pairs(self):
        """(bits, [(lot, cycles, ns)]) of vCPUs between being switched in and out, by the length of their cycles in bits.

        ``ns`` is cut to 32 bits. Of many those whose lot begins with ``bits`` zeros.
        """
        cdef int i, each
        cdef ClockPairs *pairs
        cdef list kept
        cdef dict found = {}
        for i in range(<int>LENGTHS):
            pairs = &self.pairs[i]
            kept = []
            for each in range(pairs.count):
                kept.append((pairs.kept[each].lot, pairs.kept[each].cycles, pairs.kept[each].ns))
            if kept:
                found[i] = (pairs.bits, kept)
        return found

    @property
    def stamps(self):
        """Of each pCPU with time stamps in this run of the clock: the first one, and the last."""
        cdef int i
        cdef dict found = {}
        for i in range(<int>PCPUS):
            if self.cut.pcpus[i].first_tsc:
                found[i] = (self.cut.pcpus[i].first_tsc, self.cut.pcpus[i].last_tsc)
        return found

    @property
    def pcpus(self):
        """The pCPUs that had a window."""
        return [i for i in range(PCPUS) if self.cut.pcpus[i].seen]

    @property
    def damages(self):
        """What was wrong: code to (count, file offset of the first)."""
        cdef int i
        cdef dict found = {}
        for i in range(<int>DAMAGES):
            if self.cut.counts[i]:
                found[DAMAGE_CODES[i]] = (self.cut.counts[i], self.cut.first_offsets[i])
        return found

    @property
    def steps(self):
        """How often a key was not where it should be: tests bound it."""
        return self.room.steps

    @property
    def uncounted(self):
        """How many records had no place of their own in a table: a real trace has none, see ``ROOM``."""
        return self._uncounted()

    cdef uint64_t _uncounted(self) noexcept nogil:
        cdef int i
        cdef uint64_t total = 0
        for i in range(<int>TABLE_COUNT):
            total += self.counted[i].uncounted + self.passed[i].uncounted
        return total

    cdef void _settle_all(self) noexcept nogil:
        cdef int i
        for i in range(NEAR_PLACES):
            self._settle(&self.nears.places[i])
        if self.cut.lanes > 1 and self._uncounted():
            self.cut.irregular = True

    def items(self, str table, bint passed=False):
        """Give ((domid, vcpu), value, count, sum, most, file offset of the first) of each key of a table, ascending.

        passed  of the records that were not chosen
        Raises MemoryError.
        """
        cdef int index = TABLES.index(table)
        cdef Counter *counter = &self.passed[index] if passed else &self.counted[index]
        cdef Slot *slot
        cdef uint64_t i, used = 0
        cdef Slot *slots
        if not counter.used:
            return
        slots = <Slot *>malloc(counter.used * sizeof(Slot))
        if slots == NULL:
            raise MemoryError()
        try:
            for i in range(counter.mask + 1):
                if counter.slots[i].used:
                    slots[used] = counter.slots[i]
                    used += 1
            # Where they lie tells nothing, and is another place each time.
            qsort(slots, used, sizeof(Slot), &by_key)
            for i in range(used):
                slot = &slots[i]
                yield (
                    (slot.key >> 48, slot.key >> 32 & 0xFFFF), slot.key & 0xFFFFFFFF,
                    slot.count, slot.sum, slot.most, slot.first,
                )
        finally:
            free(slots)


cdef int by_key(const void *one, const void *other) noexcept nogil:
    cdef uint64_t key = (<const Slot *>one).key, than = (<const Slot *>other).key
    return (key > than) - (key < than)


cdef inline bint drawn(uint64_t lot, int bits) noexcept nogil:
    return bits == 0 or lot >> (64 - bits) == 0


cdef inline bint restarted(uint32_t op, uint32_t nr, uint32_t first) noexcept nogil:
    """Whether a hypercall goes on after Xen preempted it, as far as its arguments tell."""
    if nr == MMU_UPDATE or nr == MMUEXT_OP:
        return op & HAS_ARG1 and first > COUNT_MASK
    return nr == GRANT_TABLE_OP and op & HAS_ARG0 and first > CMD_MASK


cdef inline uint8_t flavour_of(uint32_t exit_event) noexcept nogil:
    """What tells exits of one reason apart: whether they are a nested guest's (1) and under AMD's event id (2)."""
    return <uint8_t>((exit_event & FLAG_NESTED) != 0) | <uint8_t>((exit_event & 0xFF) == (HVM_SVM_EXIT & 0xFF)) << 1


cdef inline bint is_squeezable(uint32_t reason) noexcept nogil:
    """Whether any processor has such reasons: others have no distribution."""
    return (reason & SQUEEZED_OUT) == 0 and reason >> 25 != SIGNS or reason >> 16 == 0xFFFF


cdef inline uint32_t squeezed(uint32_t reason) noexcept nogil:
    """Leave out of a reason the bits that VMX never sets; SVM's negative codes take the place of all its flags."""
    return (reason & 0xFFFF) | reason >> 25 << 16


cdef inline uint32_t word(const Record *r, int i) noexcept nogil:
    return word_at(r.payload, i)


cdef inline uint32_t word_at(const uint8_t *payload, int i) noexcept nogil:
    cdef uint32_t value
    memcpy(&value, payload + 4 * i, 4)
    return value
