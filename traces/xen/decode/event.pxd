"""What ``tokenize.EventQueue`` hands on: where a record lies, when it was made, and who ran there."""

from libc.stdint cimport uint16_t, uint32_t, uint64_t

cdef struct Event:
    uint64_t tsc
    uint64_t offset         # of the record in its file
    uint32_t header         # as it lies there
    uint32_t who            # domid << 16 | vcpu
    uint32_t pcpu


cdef inline bint before(const Event *one, const Event *other) noexcept nogil:
    return one.tsc < other.tsc or (one.tsc == other.tsc and one.offset < other.offset)
