"""Pages of all processors, refilled as they run dry, see ``streams.pyx``."""

from libc.stdint cimport uint64_t

from traces.kvm.decode.merged cimport Merged


cdef class Streams:
    cdef Merged merged
    cdef list held              # pieces that cursors point into
    cdef readonly uint64_t bytes    # of pages, unpacked

    cdef int start(self, pieces) except -1
    cdef int follow(self, Py_ssize_t i, pieces) except -1
    cdef int _found(self, Py_ssize_t i, pieces) except -1
