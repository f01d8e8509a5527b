"""How long vCPUs ran, by the clock that stamps records and by another one: from these the clock's rate is found.

Of each length some are kept, whatever there are of others. Inlined where it is used; needs no GIL.
"""

from libc.stdint cimport uint32_t, uint64_t

cdef extern from *:
    int __builtin_clzll(unsigned long long) nogil

cdef enum:
    # Fewer than so many of each length, by powers of two, tell the clock's rate.
    CLOCK_PAIRS_MAX = 1 << 9
    LENGTHS = 64
    # Shorter runs are mostly delays.
    RAN_MIN_NS = 1000

cdef struct ClockPair:
    uint64_t lot            # by which it is kept or not
    uint64_t cycles
    uint32_t ns

cdef struct ClockPairs:
    ClockPair kept[CLOCK_PAIRS_MAX]
    int count
    int bits                # of so many pairs, each with a lot of so many leading zeros is kept


cdef inline void keep(ClockPairs *by_length, uint64_t now, uint64_t cycles, uint32_t ns) noexcept nogil:
    """Take a pair of one of ``LENGTHS``; ``now``, a time stamp that no other one has, draws its lot."""
    cdef uint64_t lot = now * <uint64_t>0x9E3779B97F4A7C15
    cdef ClockPairs *pairs
    if cycles == 0 or ns < RAN_MIN_NS:
        return
    pairs = &by_length[63 - __builtin_clzll(cycles)]
    if drawn(lot, pairs.bits):
        pairs.kept[pairs.count] = ClockPair(lot, cycles, ns)
        pairs.count += 1
        while pairs.count == CLOCK_PAIRS_MAX:
            draw(pairs)


cdef inline void draw(ClockPairs *pairs) noexcept nogil:
    # Keep about every second one, by its time stamp alone: those kept are from all over the trace, and the same
    # however many lanes there are (``scan.clock_pairs``).
    cdef int i, kept = 0
    pairs.bits += 1
    for i in range(pairs.count):
        if drawn(pairs.kept[i].lot, pairs.bits):
            pairs.kept[kept] = pairs.kept[i]
            kept += 1
    pairs.count = kept


cdef inline bint drawn(uint64_t lot, int bits) noexcept nogil:
    return bits == 0 or lot >> (64 - bits) == 0
