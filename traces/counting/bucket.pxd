"""In which of the ranges of ``counting.latencies`` a number of cycles lies."""

from libc.stdint cimport uint64_t

cdef extern from *:
    int __builtin_clzll(unsigned long long) noexcept nogil

cdef enum:
    BUCKETS = 496
    BUCKET_BITS = 9


cdef inline int bucket_of(uint64_t cycles) noexcept nogil:
    # Eight buckets an octave: the four highest bits tell which, the places below how high.
    cdef int places = 60 - __builtin_clzll(cycles | 8)
    return 8 * places + <int>(cycles >> places)
