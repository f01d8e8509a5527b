"""What a lane counts, in which table: one record of each kind. A key is who (domid << 16 | vcpu) and a value.

What the values are is said at ``lane.TABLES``. Inlined where it is used; needs no GIL.
Ref: xen/common/trace.c (__trace_hypercall), xen/arch/x86/hvm/io.c (hvmtrace_io_assist)
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from traces.counting.bucket cimport BUCKET_BITS, bucket_of
from traces.counting.counter cimport Counter, Slot, add, count
from traces.xen.decode.cut cimport Record
from traces.xen.formats.ids cimport (
    FLAG_64, FLAG_NESTED, GRANT_TABLE_OP, HAS_ARG0, HAS_ARG1, HVM_IOMEM_READ, HVM_IOPORT_READ,
    HVM_IOPORT_WRITE, HVM_SVM_EXIT, HYPERCALL_OP_MASK, MMU_UPDATE, MMUEXT_OP, MULTICALL, SCHED_OP, VCPU_OP,
)
from traces.xen.near cimport COUNT_MASK

cdef enum Table:
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

cdef enum:
    # Above a grant table sub-operation's number is how far a preempted one has come.
    CMD_MASK = 0xFFF
    # VMX's flags are the seven bits above (``formats.exits``).
    SQUEEZED_OUT = 0x01FF0000
    SIGNS = 0x7F


cdef inline void hypercalls(Counter *tables, int table, uint64_t who, uint32_t words, uint32_t op, uint32_t arg,
                            uint64_t offset, uint64_t times, uint64_t sum_) noexcept nogil:
    """Count a hypercall, or call of a multicall, several times; ``sum_`` is of what they ask for."""
    cdef uint32_t nr = op & HYPERCALL_OP_MASK
    cdef Slot *slot
    add(&tables[table], who | nr, offset, times)
    if words < 2:
        return
    if restarted(op, nr, arg):
        add(&tables[<int>(RESTARTS if table == HYPERCALLS else SUBCALL_RESTARTS)], who | nr, offset, times)
        return
    # Arguments follow in order, so the one that is wanted comes first.
    if nr == GRANT_TABLE_OP or nr == VCPU_OP or nr == SCHED_OP:
        if op & HAS_ARG0:
            add(&tables[<int>SUBOPS], who | (nr << 12) | (arg & CMD_MASK), offset, times)
    elif nr == MULTICALL or nr == MMU_UPDATE or nr == MMUEXT_OP:
        if op & HAS_ARG1:
            slot = add(&tables[<int>BATCHES], who | nr, offset, times)
            slot.sum += sum_


cdef inline bint restarted(uint32_t op, uint32_t nr, uint32_t first) noexcept nogil:
    """Whether a hypercall goes on after Xen preempted it, as far as its arguments tell."""
    if nr == MMU_UPDATE or nr == MMUEXT_OP:
        return op & HAS_ARG1 and first > COUNT_MASK
    return nr == GRANT_TABLE_OP and op & HAS_ARG0 and first > CMD_MASK


cdef inline void io(Counter *tables, const Record *r, uint64_t who) noexcept nogil:
    """Count an access to what is emulated."""
    # Under FLAG_64 the address has two words.
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
        count(&tables[<int>HIGH_READS if table == MEMORY_READS else <int>HIGH_WRITES],
              who | (place >> 12 | word(r, 1) << 20), r.offset)
    else:
        count(&tables[table], who | place, r.offset)


cdef inline void irq(Counter *tables, uint32_t number, uint32_t took, uint64_t pcpu, uint64_t offset) noexcept nogil:
    """Count an interrupt of the hardware."""
    cdef Slot *slot = count(&tables[<int>IRQS], pcpu << 32 | number, offset)
    slot.sum += took
    if took > slot.most:
        slot.most = took
    count(&tables[<int>IRQ_TOOK], pcpu << 32 | <uint32_t>(number << BUCKET_BITS) | bucket_of(took), offset)


cdef inline void ended(Counter *tables, uint8_t flavour, uint64_t who, uint32_t reason, uint64_t offset, uint64_t times,
                       uint64_t took) noexcept nogil:
    """Count an exit that an entry ends, unless it counted already."""
    cdef Slot *slot = add(&tables[<int>EXITS + flavour], who | reason, offset, times)
    slot.sum += took
    if took > slot.most:
        slot.most = took
    if is_squeezable(reason):
        count(&tables[<int>TOOK + flavour], who | squeezed(reason) << BUCKET_BITS | bucket_of(took), 0)


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
