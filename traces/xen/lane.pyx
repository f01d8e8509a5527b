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
from libc.stdlib cimport calloc, free, malloc, qsort
from libc.string cimport memset
from posix.unistd cimport pread

from traces.counting.counter cimport Counter, Slot, make
from traces.counting.pairs cimport CLOCK_PAIRS_MAX, LENGTHS, ClockPairs
from traces.counting.row cimport Row, handed_out
from traces.counting.states cimport PCPUS, UNKNOWN_DOMID
from traces.xen.decode.cut cimport BETWEEN, DAMAGES, FOREIGN, MINE, Pcpu, TRUNCATED, jump, note
from traces.xen.formats.ids cimport CPU_CHANGE_SIZE
from traces.xen.near cimport Nears, prepare
from traces.xen.seat cimport Seat, leaves
from traces.xen.tables cimport TABLE_COUNT
from traces.xen.walk cimport Walk, restart, settle_all, switched, uncounted, walk

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
    # Read at once from a file: stays in a core's own cache until it is walked.
    PIECE = 1 << 18


@cython.final
cdef class Lane:
    """Walks the windows of every ``lanes``-th pCPU, beginning with number ``lane``."""

    cdef Walk w
    cdef uint8_t *piece

    def __cinit__(self, uint32_t lane=0, uint32_t lanes=1):
        cdef int i
        memset(&self.w, 0, sizeof(self.w))
        self.piece = NULL
        self.w.cut.lane = lane
        self.w.cut.lanes = lanes
        self.w.tables = &self.w.counted[0]
        self.w.end = <uint64_t>-1
        self.w.cut.pcpus = <Pcpu *>calloc(PCPUS, sizeof(Pcpu))
        self.w.seats = <Seat *>calloc(PCPUS, sizeof(Seat))
        self.w.pairs = <ClockPairs *>calloc(LENGTHS, sizeof(ClockPairs))
        self.w.nears = <Nears *>calloc(1, sizeof(Nears))
        if self.w.cut.pcpus == NULL or self.w.seats == NULL or self.w.pairs == NULL or self.w.nears == NULL:
            raise MemoryError()
        prepare(self.w.nears)
        # Lanes together have as much as one. Where that is too little one has to read all, so that the answer is the same.
        self.w.room.left = ROOM // lanes
        self.w.room.seed = int.from_bytes(os.urandom(8), "little")
        for i in range(<int>TABLE_COUNT):
            most = KINDS_MAX_OF.get(TABLES[i], KINDS_MAX) // lanes
            if not make(&self.w.counted[i], &self.w.room, 1024, most) or not make(
                &self.w.passed[i], &self.w.room, 16, most
            ):
                raise MemoryError()
        restart(&self.w)

    def __dealloc__(self):
        cdef int i
        free(self.w.cut.pcpus)
        free(self.w.seats)
        free(self.w.pairs)
        free(self.w.nears)
        free(self.w.rows.rows)
        free(self.w.rows.out)
        free(self.piece)
        free(self.w.pcpus)
        for i in range(<int>TABLE_COUNT):
            free(self.w.counted[i].slots)
            free(self.w.passed[i].slots)

    def limit(self, uint64_t begin, uint64_t end):
        """Count only records between two time stamps of this run of the clock; the others still make rows."""
        self.w.partial = True
        self.w.begin = begin
        self.w.end = end

    def choose(self, pcpus):
        """Count only records of these pCPUs; the others still make rows.

        Raises MemoryError.
        """
        cdef uint32_t p
        self.w.partial = True
        self.w.pcpus = <uint8_t *>calloc(PCPUS, 1)
        if self.w.pcpus == NULL:
            raise MemoryError()
        for p in pcpus:
            if p < PCPUS:
                self.w.pcpus[p] = 1

    def shift(self, dict cycles):
        """Correct the clocks of pCPUs: add so many cycles to the time stamps of each."""
        for pcpu, more in cycles.items():
            self.w.cut.pcpus[<uint32_t>pcpu % PCPUS].shift = more

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
            used = walk(&self.w, &data[0], data.shape[0])
            settle_all(&self.w)
        if self.w.rows.starved:
            raise MemoryError()
        return used

    def read(self, int file, uint64_t offset, Py_ssize_t size):
        """Take the next bytes of the stream from a file, as ``walk`` does; ``offset`` is where they are in it.

        Of other lanes' windows nothing but the headers is read. Gives how many bytes are used up.
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
            settle_all(&self.w)
        if error:
            raise OSError(error, os.strerror(error))
        if self.w.rows.starved:
            raise MemoryError()
        return used

    cdef Py_ssize_t _read(self, int file, uint64_t offset, Py_ssize_t size, int *error) noexcept nogil:
        cdef Py_ssize_t pos = 0, step, want, got
        while pos < size:
            want = CPU_CHANGE_SIZE
            if self.w.cut.lanes == 1:
                want = PIECE
            elif self.w.cut.place == FOREIGN:
                step = jump(&self.w.cut, 0, size - pos)
                self.w.cut.offset += step
                pos += step
                if pos == size:
                    break
            elif self.w.cut.place == MINE:
                # To the window's end, and the next one's header.
                want = PIECE
                if self.w.cut.window_left < PIECE - CPU_CHANGE_SIZE:
                    want = <Py_ssize_t>self.w.cut.window_left + CPU_CHANGE_SIZE
            if want > size - pos:
                want = size - pos
            got = pread(file, self.piece, want, offset + pos)
            if got < 0:
                error[0] = errno
            if got <= 0:
                break
            step = walk(&self.w, self.piece, got)
            pos += step
            # What is not used is the beginning of something.
            if step == 0 or self.w.rows.starved or self.w.cut.clock_restarted:
                break
            if self.w.cut.irregular and self.w.cut.lanes > 1:
                break
        return pos

    def take(self, uint64_t limit):
        """Give the rows up to a time stamp, in order of time and then of the file: a view of an array of ``Row``.

        It is valid until the next call, for as long as the lane is there.
        Raises MemoryError.
        """
        cdef Py_ssize_t ready
        cdef uint32_t i
        cdef Row *rows
        cdef Seat *seat
        for i in range(self.w.cut.highest + 1):
            seat = &self.w.seats[i]
            if seat.held and seat.held_tsc <= limit:
                switched(&self.w, seat, i)
                seat.held = False
            if seat.exit_open and seat.exit_tsc <= limit and seat.who >> 16 != UNKNOWN_DOMID:
                leaves(seat, &self.w.rows, <uint16_t>i)
        if not self.w.rows.starved:
            with nogil:
                rows = handed_out(&self.w.rows, limit, &ready)
        if self.w.rows.starved:
            raise MemoryError()
        return PyMemoryView_FromMemory(<char *>rows, ready * sizeof(Row), PyBUF_READ)

    def promise(self, uint64_t tsc):
        """From now on, records older than ``tsc`` are out of order."""
        self.w.cut.promised = tsc

    def follow(self, Lane leader):
        """Be where another lane is in the stream, that of the window in which the last piece ended."""
        self.w.cut.offset = leader.w.cut.offset
        self.w.cut.window_left = leader.w.cut.window_left

    def finish(self, uint64_t rest):
        """The stream has ended with ``rest`` bytes that were not used: account for them."""
        if rest or (self.w.cut.place != BETWEEN and self.w.cut.window_left):
            if not self.w.cut.resyncing:
                note(&self.w.cut, TRUNCATED, self.w.cut.offset, 1)
        self.w.cut.skipped_bytes += rest
        self.w.cut.offset += rest

    def release(self):
        """Give the memory of rows back: none are taken any more, and those of a disordered trace are its largest part."""
        free(self.w.rows.rows)
        free(self.w.rows.out)
        memset(&self.w.rows, 0, sizeof(self.w.rows))

    @property
    def pcpu(self):
        """The pCPU of the last window."""
        return self.w.cut.cpu

    @property
    def offset(self):
        """Bytes used so far."""
        return self.w.cut.offset

    @property
    def records(self):
        """Records so far, windows' headers among them."""
        return self.w.cut.records

    @property
    def skipped_bytes(self):
        """Bytes that are no record."""
        return self.w.cut.skipped_bytes

    @property
    def lost_records(self):
        """Records that Xen says it had no room for."""
        return self.w.cut.lost_records

    @property
    def watermark(self):
        """No later record is older than this."""
        return self.w.cut.watermark

    @property
    def newest(self):
        """The highest time stamp of this run of the clock."""
        return self.w.cut.newest

    @property
    def restarted(self):
        """Whether the next record begins another run of the clock."""
        return bool(self.w.cut.clock_restarted)

    @property
    def irregular(self):
        """Whether windows did not lie as their sizes say, or the clock began anew: only a single lane can go on."""
        return bool(self.w.cut.irregular)

    @property
    def pending(self):
        """How many rows wait to be taken."""
        return self.w.rows.count

    @property
    def removed(self):
        """Domids that Xen has said to be destroyed."""
        return {self.w.removed[i] for i in range(self.w.removed_count)}

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
            pairs = &self.w.pairs[i]
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
        for i in range(<int>self.w.cut.highest + 1):
            if self.w.cut.pcpus[i].first_tsc:
                found[i] = (self.w.cut.pcpus[i].first_tsc, self.w.cut.pcpus[i].last_tsc)
        return found

    @property
    def pcpus(self):
        """The pCPUs that had a window."""
        return [i for i in range(self.w.cut.highest + 1) if self.w.cut.pcpus[i].seen]

    @property
    def damages(self):
        """What was wrong: code to (count, file offset of the first)."""
        cdef int i
        cdef dict found = {}
        for i in range(<int>DAMAGES):
            if self.w.cut.counts[i]:
                found[DAMAGE_CODES[i]] = (self.w.cut.counts[i], self.w.cut.first_offsets[i])
        return found

    @property
    def steps(self):
        """How often a key was not where it should be: tests bound it."""
        return self.w.room.steps

    @property
    def stated(self):
        """Whether there are run states."""
        return bool(self.w.stated)

    @property
    def before(self):
        """Of 4.x the release before which Xen recorded this, 0 if nothing tells."""
        return self.w.before

    @property
    def uncounted(self):
        """How many records had no place of their own in a table: a real trace has none, see ``ROOM``."""
        return uncounted(&self.w)

    def items(self, str table, bint passed=False):
        """Give ((domid, vcpu), value, count, sum, most, file offset of the first) of each key of a table, ascending.

        passed  of the records that were not chosen
        Raises MemoryError.
        """
        cdef int index = TABLES.index(table)
        cdef Counter *counter = &self.w.passed[index] if passed else &self.w.counted[index]
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
