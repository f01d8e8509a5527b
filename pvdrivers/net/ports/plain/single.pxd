"""A line that takes a system call for each frame, see ``single.pyx``."""

from libc.stdint cimport uint32_t

from pvdrivers.net.ports.plain.fits cimport Header
from pvdrivers.net.ports.plain.line cimport ROOM, PlainLine, iovec

cdef enum:
    ARENA = 16 * ROOM

cdef class SingleLine(PlainLine):
    cdef void begin(self) noexcept nogil
    cdef bint read_one(self, Header *header, iovec *parts, int count, uint32_t *length) noexcept nogil
