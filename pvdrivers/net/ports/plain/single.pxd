"""A line that takes a system call for each frame, see ``single.pyx``."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from pvdrivers.net.ports.plain.fits cimport Header
from pvdrivers.net.ports.plain.line cimport ROOM, PlainLine, iovec
from pvdrivers.net.record cimport Record

cdef enum:
    ARENA = 16 * ROOM

cdef class SingleLine(PlainLine):
    cdef void begin(self) noexcept nogil
    cdef bint read_one(self, Header *header, iovec *parts, int count, uint32_t *length) noexcept nogil
    cdef uint32_t read_some(self, Record *records, uint32_t limit) noexcept nogil
    cdef uint32_t write_some(
        self, const uint8_t *arena, uint64_t size, const Record *records, uint32_t count
    ) noexcept nogil
