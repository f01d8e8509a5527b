# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""How often what happened, by vCPU: one pass over the records, in any order.

Law: only counting. What a number means is not known here; ``counts`` turns the tables into names and totals.

A table's key is ``domid << 48 | vcpu << 32 | value``. What the values are is said at ``Tally``.
Ref: xen/common/trace.c (__trace_hypercall), xen/arch/x86/pv/trace.c, xen/common/grant_table.c
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    PV_TRAP = 0x00201003
    PV_HYPERCALL_V2 = 0x0020100D
    PV_HYPERCALL_SUBCALL = 0x0020200E
    HVM_VMMCALL = 0x00082012
    GRANT_MAP = 0x0010F001
    GRANT_UNMAP = 0x0010F002
    FLAG_64 = 0x100
    HYPERCALL_OP_MASK = 0x000FFFFF
    HAS_ARG0 = 3 << 20
    HAS_ARG1 = 3 << 22
    MMU_UPDATE = 1
    MULTICALL = 13
    GRANT_TABLE_OP = 20
    VCPU_OP = 24
    MMUEXT_OP = 26
    SCHED_OP = 29
    # Above a grant table sub-operation's number is how far a preempted one has come.
    CMD_MASK = 0xFFF
    # The rest of a count says that the hypercall goes on after a preemption (MMU_UPDATE_PREEMPTED).
    COUNT_MASK = 0x7FFFFFFF
    TRAP_MASK = 0x7FFF
    # A capture has some hundred kinds; what a hostile one has more is counted together.
    KINDS_MAX = 1 << 18


cdef struct Slot:
    uint64_t key
    uint64_t count
    uint64_t first
    uint8_t used


cdef class Table:
    """A hash table from 64-bit keys to counts, with open addressing; never more than ``KINDS_MAX`` keys."""

    cdef Slot *slots
    cdef uint64_t mask
    cdef uint64_t used
    cdef readonly uint64_t uncounted

    def __cinit__(self):
        self.slots = NULL
        self.uncounted = self.used = 0
        self._allocate(1024)

    def __dealloc__(self):
        PyMem_Free(self.slots)

    cdef int _allocate(self, uint64_t size) except -1:
        self.slots = <Slot *>PyMem_Calloc(size, sizeof(Slot))
        if self.slots == NULL:
            raise MemoryError()
        self.mask = size - 1
        return 0

    cdef int add(self, uint64_t key, uint64_t count, uint64_t offset) except -1:
        cdef uint64_t at = _hash(key) & self.mask
        while self.slots[at].used:
            if self.slots[at].key == key:
                self.slots[at].count += count
                return 0
            at = (at + 1) & self.mask
        if self.used >= KINDS_MAX:
            self.uncounted += count
            return 0
        self.slots[at].used = 1
        self.slots[at].key = key
        self.slots[at].count = count
        self.slots[at].first = offset
        self.used += 1
        if 2 * self.used > self.mask:
            self._grow()
        return 0

    cdef int _grow(self) except -1:
        cdef Slot *old = self.slots
        cdef uint64_t size = self.mask + 1, i, at
        self._allocate(2 * size)
        for i in range(size):
            if old[i].used:
                at = _hash(old[i].key) & self.mask
                while self.slots[at].used:
                    at = (at + 1) & self.mask
                self.slots[at] = old[i]
        PyMem_Free(old)
        return 0

    def items(self):
        """Give ((domid, vcpu), value, count, file offset of the first) of every key."""
        cdef uint64_t i, key
        cdef list found = []
        for i in range(self.mask + 1):
            if self.slots[i].used:
                key = self.slots[i].key
                found.append(((key >> 48, key >> 32 & 0xFFFF), key & 0xFFFFFFFF, self.slots[i].count, self.slots[i].first))
        return found


cdef class Tally:
    """The tables, and for each what its values are.

    events           event ids with their flags
    hypercalls       numbers, those of HVM guests too
    subcalls         numbers of the calls in multicalls
    subops           number << 12 | sub-operation
    batch_calls      numbers of batching hypercalls: how often
    batch_items      numbers of batching hypercalls: how many operations in all
    traps            vectors
    maps, unmaps     domid of the granter; the key's domid is the mapper
    """

    cdef readonly Table events
    cdef readonly Table hypercalls
    cdef readonly Table subcalls
    cdef readonly Table subops
    cdef readonly Table batch_calls
    cdef readonly Table batch_items
    cdef readonly Table traps
    cdef readonly Table maps
    cdef readonly Table unmaps

    def __cinit__(self):
        self.events = Table()
        self.hypercalls = Table()
        self.subcalls = Table()
        self.subops = Table()
        self.batch_calls = Table()
        self.batch_items = Table()
        self.traps = Table()
        self.maps = Table()
        self.unmaps = Table()

    def feed(self, const uint8_t[::1] data, uint64_t base, const uint32_t[::1] event, const uint8_t[::1] words,
             const uint8_t[::1] timed, const uint16_t[::1] domid, const uint16_t[::1] vcpu,
             const uint64_t[::1] offset):
        """Count the records of one ``EventTable``. Those too short for what is to be read count as events only."""
        cdef Py_ssize_t i
        cdef uint32_t id_
        cdef uint32_t[7] word
        cdef uint64_t who
        for i in range(event.shape[0]):
            id_ = event[i]
            who = (<uint64_t>domid[i] << 48) | (<uint64_t>vcpu[i] << 32)
            self.events.add(who | id_, 1, offset[i])
            if words[i] == 0 or not _told_apart(id_):
                continue
            memcpy(word, &data[<Py_ssize_t>(offset[i] - base) + (12 if timed[i] else 4)], 4 * words[i])
            if id_ == PV_HYPERCALL_V2:
                self._hypercall(self.hypercalls, who, word[0], word[1] if words[i] > 1 else 0, words[i], offset[i])
            elif id_ == PV_HYPERCALL_SUBCALL:
                self._hypercall(self.subcalls, who, word[0], word[1] if words[i] > 1 else 0, words[i], offset[i])
            elif id_ == HVM_VMMCALL:
                self.hypercalls.add(who | word[0], 1, offset[i])
            elif id_ == GRANT_MAP:
                self.maps.add(who | word[0], 1, offset[i])
            elif id_ == GRANT_UNMAP:
                self.unmaps.add(who | word[0], 1, offset[i])
            elif id_ == PV_TRAP and words[i] > 1:
                self.traps.add(who | (word[1] & TRAP_MASK), 1, offset[i])
            elif id_ == PV_TRAP | FLAG_64 and words[i] > 2:
                self.traps.add(who | (word[2] & TRAP_MASK), 1, offset[i])

    cdef int _hypercall(
        self, Table table, uint64_t who, uint32_t op, uint32_t arg, uint8_t words, uint64_t offset
    ) except -1:
        cdef uint32_t nr = op & HYPERCALL_OP_MASK
        table.add(who | nr, 1, offset)
        if words < 2:
            return 0
        # Arguments follow in order, so the one that is wanted comes first.
        if nr == GRANT_TABLE_OP or nr == VCPU_OP or nr == SCHED_OP:
            if op & HAS_ARG0:
                self.subops.add(who | (nr << 12) | (arg & CMD_MASK), 1, offset)
        elif nr == MULTICALL or nr == MMU_UPDATE or nr == MMUEXT_OP:
            if op & HAS_ARG1:
                self.batch_calls.add(who | nr, 1, offset)
                self.batch_items.add(who | nr, arg & COUNT_MASK, offset)
        return 0


cdef inline uint64_t _hash(uint64_t key) noexcept:
    # Fibonacci hashing: the high bits of the product depend on all bits of the key.
    return (key * <uint64_t>0x9E3779B97F4A7C15) >> 32


cdef inline bint _told_apart(uint32_t id_) noexcept:
    return (
        id_ == PV_HYPERCALL_V2
        or id_ == PV_HYPERCALL_SUBCALL
        or id_ == HVM_VMMCALL
        or id_ == GRANT_MAP
        or id_ == GRANT_UNMAP
        or (id_ & ~<uint32_t>FLAG_64) == PV_TRAP
    )
