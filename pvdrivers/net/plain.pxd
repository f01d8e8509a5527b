"""What both ends' compiled ways have, see ``plain.pyx``."""

from libc.stdint cimport uint16_t, uint32_t

from pvdrivers.net.record cimport Record

cdef enum:
    # More than a ring's slots, a power of two.
    POSTED_MAX = 512
    # Bytes that are copied before the ring's other end is shown them: it has something to do meanwhile.
    LOT = 192 << 10

cdef struct Place:
    uint16_t id
    uint32_t gref

cdef class Posted:
    cdef Place[POSTED_MAX] places
    cdef uint32_t first, count

    cdef put(self, uint16_t ident, uint32_t gref)
    cdef Place next(self) noexcept nogil
    cdef Place at(self, uint32_t number) noexcept nogil

cdef class Held:
    cdef readonly object room           # for the records of a batch
    cdef Py_buffer room_buffer
    cdef bint has_room
    cdef uint32_t frames, next          # that came from the lane, and that are not laid yet

    cdef Record *record(self) noexcept nogil
