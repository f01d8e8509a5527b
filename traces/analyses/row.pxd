"""What ``lane`` hands to ``fold``: the few records that mean something only in order of time over all pCPUs."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum RowKind:
    ROW_RUNSTATE    # who: the vCPU; old, new; since: its pCPU's first time stamp
    ROW_EXIT        # who: the vCPU; arg: reason
    ROW_ENTRY       # who: the vCPU
    ROW_LOST        # who: the vCPU that runs now; since: when records began to be lost

cdef struct Row:
    uint64_t tsc
    uint64_t offset
    uint64_t since
    uint32_t who            # domid << 16 | vcpu
    uint32_t arg
    uint16_t pcpu
    uint8_t kind
    uint8_t old
    uint8_t new


cdef inline bint before(const Row *one, const Row *other) noexcept nogil:
    return one.tsc < other.tsc or (one.tsc == other.tsc and one.offset < other.offset)
