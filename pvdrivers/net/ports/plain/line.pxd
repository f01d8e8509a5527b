"""What both kinds of lines have, see ``line.pyx``."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from pvdrivers.net.ports.plain.fits cimport Header, Sum, Told
from pvdrivers.net.record cimport Record

cdef extern from "<sys/uio.h>" nogil:
    cdef struct iovec:
        void *iov_base
        size_t iov_len

cdef enum:
    # A frame that takes all its room may have been longer.
    ROOM = 65554
    LINE = 64
    PAGE = 4096
    # Of a frame that is written: its header, itself before its sum, the sum, the rest.
    PARTS = 4

cdef class PlainLine:
    cdef int file
    cdef Told reader, told
    cdef object memory
    cdef readonly object arena
    cdef Py_buffer view
    cdef bint held
    cdef uint32_t at, room          # where there is room in the arena, and to where
    cdef Header header              # of the frame that is left
    cdef uint32_t left_at, left_length
    cdef readonly bint left
    cdef readonly int failed
    cdef readonly uint64_t syscalls, lost, finished, dropped

    cdef make(self, int file, abilities, reader, Py_ssize_t size)
    cdef uint8_t *place(self, size_t at) noexcept nogil
    # A kind's own, without the GIL: see `read` and `write`.
    cdef uint32_t read_some(self, Record *records, uint32_t limit) noexcept nogil
    cdef uint32_t write_some(
        self, const uint8_t *arena, uint64_t size, const Record *records, uint32_t count
    ) noexcept nogil
    cdef bint take(self, const Header *header, uint8_t *data, Record *record) noexcept nogil
    cdef int form(
        self, Record *record, const uint8_t *arena, Header *header, Sum *sum, iovec *parts
    ) noexcept nogil
