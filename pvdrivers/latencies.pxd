"""How often what took how long, counted as it happens: each power of two of nanoseconds is divided, so that a bucket is
within 1.6 %. What is asked of it, see ``latencies.py``.
"""

from libc.stdint cimport uint32_t, uint64_t

cdef extern from *:
    int __builtin_clzll(unsigned long long value) noexcept nogil

cdef enum:
    # Each power of two is divided into 2^FINE.
    FINE = 6
    BUCKETS = 64 << FINE


cdef inline uint32_t bucket_of(uint64_t taken) noexcept nogil:
    """In which one nanoseconds are."""
    cdef int exponent
    if not taken >> (FINE + 1):
        return <uint32_t>taken
    exponent = 63 - __builtin_clzll(taken) - FINE
    return <uint32_t>((exponent << FINE) + (taken >> exponent))


cdef inline list counted(const uint64_t *histogram):
    """Give the buckets that are not empty: nanoseconds from which, to which on, and a number."""
    cdef uint32_t i
    cdef int exponent
    cdef uint64_t begin
    found = []
    for i in range(BUCKETS):
        if histogram[i]:
            exponent = max(<int>(i >> FINE) - 1, 0)
            begin = <uint64_t>(i - (exponent << FINE)) << exponent
            found.append((begin, begin + (<uint64_t>1 << exponent), histogram[i]))
    return found
