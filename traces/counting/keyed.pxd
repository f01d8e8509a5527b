"""Where a key of 64 bits belongs in a hash table whose seed nobody knows who makes a trace.

Law: no keys can be chosen that fall into one place, and no seed makes those that lie in rows (addresses, domids in the
uppermost bits) do so. An odd factor alone, of any kind, has such seeds: one of a thousand makes a table a hundred times
as slow. A whole product, whose halves are put together, has none that was met in ten thousand.
"""

from libc.stdint cimport uint32_t, uint64_t

cdef extern from *:
    """
    #include <stdint.h>
    static inline uint64_t xentool_folded(uint64_t a, uint64_t b)
    {
        unsigned __int128 product = (unsigned __int128)a * b;
        return (uint64_t)(product >> 64) ^ (uint64_t)product;
    }
    """
    uint64_t xentool_folded(uint64_t, uint64_t) nogil


cdef inline uint64_t folded(uint64_t key, uint64_t seed) noexcept nogil:
    """Mix a key with the seed; one that goes into ``mixed`` with another key."""
    return xentool_folded(key ^ seed, seed | 1)


cdef inline uint32_t mixed(uint64_t key, uint64_t seed) noexcept nogil:
    """Give 32 bits, the lowest of which choose a place."""
    return <uint32_t>(folded(key, seed) * <uint64_t>0xD6E8FEB86659FD93 >> 32)
