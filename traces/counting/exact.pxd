"""Sums that are exact before they are rounded, as those of ``math.fsum`` are: the order of what is added means nothing.

Inlined where it is used; needs no GIL.
"""

from libc.math cimport fabs

cdef enum:
    # Cycles have 64 bits and nanoseconds 71: no sum of their products has more, and no two parts of one share a bit.
    PARTS = 161

cdef struct Sum:
    # Numbers whose sum is exact, the smallest first (Shewchuk, Adaptive Precision Floating-Point Arithmetic).
    double parts[PARTS]
    int count


cdef inline void add(Sum *sum_, double value) noexcept nogil:
    cdef int i, kept = 0
    cdef double part, high, low
    for i in range(sum_.count):
        part = sum_.parts[i]
        if fabs(value) < fabs(part):
            value, part = part, value
        high = value + part
        low = part - (high - value)
        if low:
            sum_.parts[kept] = low
            kept += 1
        value = high
    sum_.parts[kept] = value
    sum_.count = kept + 1


cdef inline double rounded(const Sum *sum_) noexcept nogil:
    """To the nearest number; of two as near, to the even one."""
    cdef int left = sum_.count
    cdef double high = 0, low = 0, before, part
    while left:
        left -= 1
        before, part = high, sum_.parts[left]
        high = before + part
        low = part - (high - before)
        if low:
            break
    if left and (low < 0) == (sum_.parts[left - 1] < 0):
        # What is left may decide a tie.
        before = high + 2 * low
        if before - high == 2 * low:
            high = before
    return high
