"""A column's distinct values, each with a code by the order in which they first came: of any size, or small ones.

Inlined where it is used; needs no GIL. Whoever makes one frees it.
"""

from libc.stdint cimport int32_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from traces.counting.keyed cimport mixed

cdef enum:
    DISTINCT_MAX = 1 << 12
    PLACES = 1 << 14

cdef struct Dictionary:
    uint64_t values[DISTINCT_MAX]
    # Where a value's code is, by its hash: code + 1. Small, so that it stays in the nearest cache.
    uint16_t places[PLACES]
    uint64_t seed               # see ``counting.keyed``
    int entries

cdef struct Small:
    # A dictionary of numbers below 65536, or of names by their index.
    int32_t codes[1 << 16]      # code + 1; 0: none
    uint16_t values[1 << 16]
    uint32_t entries


cdef inline void clear(Dictionary *d) noexcept nogil:
    if d.entries:
        memset(d.places, 0, sizeof(d.places))
    d.entries = 0


cdef inline int code_of(Dictionary *d, uint64_t value) noexcept nogil:
    """Give a value's code; -1 where there are too many."""
    cdef uint32_t at = mixed(value, d.seed) & (PLACES - 1)
    cdef int code
    while d.places[at]:
        code = d.places[at] - 1
        if d.values[code] == value:
            return code
        at = (at + 1) & (PLACES - 1)
    if d.entries == DISTINCT_MAX:
        return -1
    d.values[d.entries] = value
    d.entries += 1
    d.places[at] = <uint16_t>d.entries
    return d.entries - 1


cdef inline uint16_t small_code(Small *small, uint16_t value) noexcept nogil:
    """Find or give a value's code."""
    if not small.codes[value]:
        small.values[small.entries] = value
        small.entries += 1
        small.codes[value] = <int32_t>small.entries
    return <uint16_t>(small.codes[value] - 1)
