"""Pages that are used again and again, see ``pool.pyx``."""

from libc.stdint cimport uint8_t, uint32_t

cdef class Pool:
    cdef object grant
    cdef Py_buffer memory
    cdef bint held
    cdef uint32_t *refs
    cdef uint32_t *stack        # of those that are free
    cdef uint32_t count         # of them
    cdef uint32_t pages

    cdef uint32_t pop(self) noexcept nogil
    cdef bint push(self, uint32_t number) noexcept nogil
    cdef uint8_t *page(self, uint32_t number) noexcept nogil
