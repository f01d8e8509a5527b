"""Memory or MemoryError."""

from libc.stdlib cimport calloc


cdef inline void *claimed(size_t size) except NULL:
    """Give so many bytes, all zero."""
    cdef void *found = calloc(size, 1)
    if found == NULL:
        raise MemoryError()
    return found
