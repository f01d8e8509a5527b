# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The line that most pairs of cycles and nanoseconds lie near; what it says of a clock, ``counting.clock`` tells.

Law: sums are exact before they are rounded, as those of ``math.fsum`` are, so that the answer does not depend on the order
of the pairs, which is another one with each number of lanes.
"""

from libc.math cimport INFINITY, fabs, pow, sqrt
from libc.stdlib cimport free, malloc, qsort

cdef enum:
    PAIRS_MIN = 8
    ROUNDS = 8
    # Cycles have 64 bits and nanoseconds 71: no sum of their products has more, and no two parts of one share a bit.
    PARTS = 161

# Noise is what the nearest quarter of all pairs shows: in a normal distribution so many standard deviations.
cdef double QUARTER = 0.3186
cdef double OUTLIER = 3.0
# Between reading its clock and writing the record Xen spends a fixed time: about so much, where pairs don't tell.
cdef double DELAY_NS = 300.0
# The standard error of a rate that pairs tell without that.
cdef double TOLD = 1e-4
# Not seen to be constant, so that squares are rounded as ``**`` rounds them, which is not quite as products are.
cdef double SQUARED = 2.0

cdef struct Pair:
    double cycles
    double ns

cdef struct Ratio:
    double value
    double weight

cdef struct Line:
    double slope    # cycles a nanosecond
    double delay    # cycles
    double error    # the slope's standard error

cdef struct Sum:
    # Numbers whose sum is exact, the smallest first (Shewchuk, Adaptive Precision Floating-Point Arithmetic).
    double parts[PARTS]
    int count


def through(list pairs):
    """Fit a line to (cycles, nanoseconds) pairs of whole numbers above zero, as floats; those far off are left out.

    Least squares; where runs are too much alike, with what is known of the delay before: that it is near zero.

    Returns (cycles a nanosecond, cycles that come on top, the rate's standard error, how many cycles a pair may be off),
    or None where there are too few near any line.
    Raises MemoryError.
    """
    cdef Py_ssize_t count = len(pairs), i
    cdef Line line
    cdef double limit
    cdef bint found = False
    cdef Pair *every
    if count < PAIRS_MIN:
        return None
    # And room for as many ratios, or distances.
    every = <Pair *>malloc(count * (sizeof(Pair) + sizeof(Ratio)))
    if every == NULL:
        raise MemoryError()
    try:
        for i in range(count):
            every[i].cycles, every[i].ns = pairs[i]
        with nogil:
            found = settled(every, count, <void *>(every + count), &line, &limit)
    finally:
        free(every)
    return (line.slope, line.delay, line.error, limit) if found else None


cdef bint settled(const Pair *every, Py_ssize_t count, void *space, Line *line, double *limit) noexcept nogil:
    cdef double *off = <double *>space
    cdef double slope = median(every, count, <Ratio *>space), delay = 0, noise, new
    cdef Py_ssize_t i
    cdef int turn
    cdef bint steady
    limit[0] = INFINITY
    for turn in range(ROUNDS):
        for i in range(count):
            off[i] = fabs(every[i].cycles - delay - slope * every[i].ns)
        qsort(off, count, sizeof(double), &by_size)
        # The clock's own steps are no noise: one cycle, or one nanosecond.
        noise = max(max(off[count // 4] / QUARTER, 1.0), slope)
        new = OUTLIER * noise
        if not fit(every, count, slope, delay, noise, new, line):
            return False
        steady = fabs(new - limit[0]) <= 1e-3 * new and fabs(line.slope - slope) <= 1e-9 * slope
        slope, delay, limit[0] = line.slope, line.delay, new
        if steady:
            break
    return True


cdef bint fit(const Pair *every, Py_ssize_t count, double slope, double delay, double noise, double limit,
              Line *line) noexcept nogil:
    # To the pairs that are no further than the limit from the line there was before.
    cdef Sum of_ns, of_squares, of_cycles, of_products
    cdef double ns, squares, cycles, products, width, ones = 0
    cdef const Pair *pair
    cdef Py_ssize_t i
    of_ns.count = of_squares.count = of_cycles.count = of_products.count = 0
    for i in range(count):
        pair = &every[i]
        if fabs(pair.cycles - delay - slope * pair.ns) <= limit:
            add(&of_ns, pair.ns)
            add(&of_squares, pow(pair.ns, SQUARED))
            add(&of_cycles, pair.cycles)
            add(&of_products, pair.cycles * pair.ns)
            ones += 1
    if ones < PAIRS_MIN:
        return False
    ns, squares, cycles, products = rounded(&of_ns), rounded(&of_squares), rounded(&of_cycles), rounded(&of_products)
    width = squares - ns * ns / ones
    if width <= pow(noise / (TOLD * slope), SQUARED):
        ones += pow(noise / (DELAY_NS * slope), SQUARED)
        width = squares - ns * ns / ones
    if width <= 0:
        return False
    line.slope = (products - ns * cycles / ones) / width
    line.delay = (cycles - line.slope * ns) / ones
    line.error = noise / sqrt(width)
    return True


cdef double median(const Pair *every, Py_ssize_t count, Ratio *ratios) noexcept nogil:
    """Of the pairs' ratios, weighed by how long each took."""
    cdef Sum all_
    cdef double half, sum_ = 0
    cdef Py_ssize_t i
    all_.count = 0
    for i in range(count):
        ratios[i] = Ratio(every[i].cycles / every[i].ns, every[i].ns)
        add(&all_, every[i].ns)
    qsort(ratios, count, sizeof(Ratio), &by_value)
    half = rounded(&all_) / 2
    for i in range(count):
        sum_ += ratios[i].weight
        if sum_ >= half:
            return ratios[i].value
    return ratios[count - 1].value


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


cdef double rounded(const Sum *sum_) noexcept nogil:
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


cdef int by_size(const void *one, const void *other) noexcept nogil:
    cdef double size = (<const double *>one)[0], than = (<const double *>other)[0]
    return (size > than) - (size < than)


cdef int by_value(const void *one, const void *other) noexcept nogil:
    cdef const Ratio *ratio = <const Ratio *>one
    cdef const Ratio *than = <const Ratio *>other
    if ratio.value != than.value:
        return (ratio.value > than.value) - (ratio.value < than.value)
    return (ratio.weight > than.weight) - (ratio.weight < than.weight)
