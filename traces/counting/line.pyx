# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The line that most pairs of cycles and nanoseconds lie near, and what of them contradicts it; what that says of a clock,
``counting.clock`` tells.

Law: sums are exact before they are rounded, so that the answer does not depend on the order of the pairs, which is another
one with each number of lanes.
"""

from libc.math cimport INFINITY, fabs, frexp, sqrt
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc, qsort
from libc.string cimport memcpy, memset

from traces.counting.exact cimport Sum, add, rounded

cdef enum:
    PAIRS_MIN = 8
    ROUNDS = 8
    # Of lengths, nanoseconds have 71 bits at most.
    BITS = 80
    # Of about one length: one that took a thousand times as long as all others would tell more than these together, and
    # may be wrong.
    ALIKE_MIN = 4
    # Pairs that tell something together: those that took as long, by powers of two.
    GROUP_MIN = 8

# Noise is what the nearest quarter of all pairs shows: in a normal distribution so many standard deviations.
cdef double QUARTER = 0.3186
cdef double OUTLIER = 3.0
# Between reading its clock and writing the record Xen spends a fixed time: about so much, where pairs don't tell.
cdef double DELAY_NS = 300.0
# The standard error of a rate that pairs tell without that.
cdef double TOLD = 1e-4
# Of the noise of all pairs: with more, those of a length show that the clock is uneven.
cdef double WOBBLES = 1.5
# Of all pairs, weighed by their length: so many must be near the line.
cdef double NEAR_MIN = 0.3
# The same of those that are not near, so that another rate of theirs counts; how many of them must have it, and how much
# they may differ, as a part of what they differ from the first by.
cdef double OTHER_MIN = 0.1
cdef double AGREE_MIN = 0.55
cdef double ALIKE = 0.5

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

cdef struct Doubts:
    # Each as a part of the rate, but the last.
    double by_chance    # the rate's standard error, and more where long and short runs contradict one another
    double wobble       # how uneven the clock goes
    double other        # how far off a rate is on which those agree that are not near the line
    double typical      # how long a run takes, in nanoseconds: the mean of those near, weighed by their length


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


def rate(list pairs):
    """Fit a line to (cycles, nanoseconds) pairs of whole numbers above zero, but those of lengths that are rare, and see
    what of them contradicts it.

    Returns (cycles a nanosecond, and the four ``Doubts`` about it), or None where there are too few near any line.
    Raises MemoryError.
    """
    cdef Py_ssize_t count = len(pairs)
    cdef Py_ssize_t starts[BITS + 1]
    cdef Line line
    cdef Doubts of
    cdef bint found = False
    cdef Pair *every
    if count < PAIRS_MIN:
        return None
    # And room for as many ratios; and for how far off each is, and whatever is looked at of these.
    every = <Pair *>malloc(count * (sizeof(Pair) + sizeof(Ratio) + 2 * sizeof(double)))
    if every == NULL:
        raise MemoryError()
    try:
        count = by_length(pairs, every, <Pair *>(every + count), &starts[0])
        with nogil:
            found = doubted(every, count, &starts[0], &line, &of)
    finally:
        free(every)
    return (line.slope, of.by_chance, of.wobble, of.other, of.typical) if found else None


cdef Py_ssize_t by_length(list pairs, Pair *every, Pair *space, Py_ssize_t *starts) except -1:
    """Lay out those of common lengths by length; gives how many. ``starts`` of each length in bits, and where all end."""
    cdef Py_ssize_t ends[BITS + 2]
    cdef Py_ssize_t i, alike, total = 0
    cdef Py_ssize_t count = len(pairs)
    cdef int bits
    memset(ends, 0, sizeof(ends))
    for i in range(count):
        space[i].cycles, space[i].ns = pairs[i]
        ends[1 + length(space[i].ns)] += 1
    for bits in range(BITS):
        alike = ends[bits] + ends[bits + 1] + ends[bits + 2]
        starts[bits] = total
        # The length before this one was looked at for the last time.
        ends[bits] = total
        if alike >= ALIKE_MIN:
            total += ends[bits + 1]
        else:
            ends[bits] = -1
    starts[BITS] = total
    for i in range(count):
        bits = length(space[i].ns)
        if ends[bits] >= 0:
            every[ends[bits]] = space[i]
            ends[bits] += 1
    return total


cdef inline int length(double ns) noexcept nogil:
    cdef int bits
    frexp(ns, &bits)
    return min(max(bits, 0), BITS - 1)


cdef bint doubted(const Pair *every, Py_ssize_t count, const Py_ssize_t *starts, Line *line, Doubts *of) noexcept nogil:
    cdef double *off = <double *>(<Ratio *>(every + count) + count)
    cdef double limit, weight
    cdef Py_ssize_t i, near = 0
    cdef Sum of_all, of_near, of_squares
    if count < PAIRS_MIN or not settled(every, count, <void *>(every + count), line, &limit) or line.slope <= 0:
        return False
    of_all.count = of_near.count = of_squares.count = 0
    for i in range(count):
        off[i] = every[i].cycles - line.delay - line.slope * every[i].ns
        add(&of_all, every[i].ns)
        if fabs(off[i]) <= limit:
            near += 1
            add(&of_near, every[i].ns)
            add(&of_squares, every[i].ns * every[i].ns)
    weight = rounded(&of_all)
    if near < PAIRS_MIN or rounded(&of_near) < NEAR_MIN * weight:
        return False
    of.typical = rounded(&of_squares) / rounded(&of_near)
    of.by_chance = max(1.0, discord(every, off, starts, limit, off + count)) * line.error / line.slope
    of.wobble = wobble(every, off, starts, limit, line.slope, off + count)
    of.other = other(every, off, count, limit, line.slope, weight, off + count)
    return True


cdef double discord(const Pair *every, const double *off, const Py_ssize_t *starts, double limit, double *space) noexcept nogil:
    """By how much more than by chance short, middling and long runs that are near contradict one another: noise is not
    always what a line takes it for."""
    cdef double mean, spread, squares = 0
    cdef Py_ssize_t i, near
    cdef int bits, groups = 0
    cdef Sum sum_
    for bits in range(BITS):
        near = 0
        sum_.count = 0
        for i in range(starts[bits], starts[bits + 1]):
            if fabs(off[i]) <= limit:
                space[near] = off[i] / every[i].ns
                add(&sum_, space[near])
                near += 1
        if near < GROUP_MIN:
            continue
        mean = rounded(&sum_) / near
        sum_.count = 0
        for i in range(near):
            add(&sum_, (space[i] - mean) * (space[i] - mean))
        spread = sqrt(rounded(&sum_) / (near - 1) / near)
        squares += (mean / spread) * (mean / spread) if spread else 0.0
        groups += 1
    return sqrt(squares / (groups - 1)) if groups > 1 else 1.0


cdef double wobble(const Pair *every, const double *off, const Py_ssize_t *starts, double limit, double slope,
                   double *space) noexcept nogil:
    """How uneven Xen's own clock goes: long runs are then further off than short ones. So it is where Xen is emulated,
    and no number of pairs makes up for it."""
    cdef double noise = limit / OUTLIER, spread, sum_ = 0, weight = 0
    cdef Py_ssize_t i, count
    cdef int bits
    cdef Sum of_ns
    for bits in range(BITS):
        count = starts[bits + 1] - starts[bits]
        if count < GROUP_MIN:
            continue
        of_ns.count = 0
        for i in range(count):
            space[i] = fabs(off[starts[bits] + i])
            add(&of_ns, every[starts[bits] + i].ns)
        spread = quarter(space, count) / QUARTER
        sum_ += count * spread / slope if spread > WOBBLES * noise else 0.0
        weight += rounded(&of_ns)
    return sum_ / weight if weight else 0.0


cdef double other(const Pair *every, const double *off, Py_ssize_t count, double limit, double slope, double weight,
                  double *space) noexcept nogil:
    """By how much another rate differs on which the pairs that are not near agree among themselves: that of other pCPUs, or
    of another run of the clock. What an interrupt delayed does not: it is as long in any run, so that more of them agree on
    a length than on a share."""
    cdef double middle, length_
    cdef Py_ssize_t i, far = 0, of_share, of_length
    cdef Sum of_far
    of_far.count = 0
    for i in range(count):
        if fabs(off[i]) > limit:
            add(&of_far, every[i].ns)
            far += 1
    if far < PAIRS_MIN or rounded(&of_far) < OTHER_MIN * weight:
        return 0.0
    far = 0
    for i in range(count):
        if fabs(off[i]) > limit:
            space[far] = off[i]
            far += 1
    of_length = agreeing(space, far, &length_)
    far = 0
    for i in range(count):
        if fabs(off[i]) > limit:
            space[far] = off[i] / (slope * every[i].ns)
            far += 1
    of_share = agreeing(space, far, &middle)
    return fabs(middle) if of_share >= AGREE_MIN * far and of_share >= of_length else 0.0


cdef Py_ssize_t agreeing(double *values, Py_ssize_t count, double *middle) noexcept nogil:
    """Gives how many are like the one in their middle."""
    cdef Py_ssize_t i, like = 0
    qsort(values, count, sizeof(double), &by_size)
    middle[0] = values[count // 2]
    for i in range(count):
        like += fabs(values[i] - middle[0]) <= ALIKE * fabs(middle[0])
    return like


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
        # The clock's own steps are no noise: one cycle, or one nanosecond.
        noise = max(max(quarter(off, count) / QUARTER, 1.0), slope)
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
    cdef double ns, squares, cycles, products, width, times, ones = 0
    cdef const Pair *pair
    cdef Py_ssize_t i
    of_ns.count = of_squares.count = of_cycles.count = of_products.count = 0
    for i in range(count):
        pair = &every[i]
        if fabs(pair.cycles - delay - slope * pair.ns) <= limit:
            add(&of_ns, pair.ns)
            add(&of_squares, pair.ns * pair.ns)
            add(&of_cycles, pair.cycles)
            add(&of_products, pair.cycles * pair.ns)
            ones += 1
    if ones < PAIRS_MIN:
        return False
    ns, squares, cycles, products = rounded(&of_ns), rounded(&of_squares), rounded(&of_cycles), rounded(&of_products)
    width = squares - ns * ns / ones
    times = noise / (TOLD * slope)
    if width <= times * times:
        times = noise / (DELAY_NS * slope)
        ones += times * times
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


cdef int by_size(const void *one, const void *other) noexcept nogil:
    cdef double size = (<const double *>one)[0], than = (<const double *>other)[0]
    return (size > than) - (size < than)


cdef int by_value(const void *one, const void *other) noexcept nogil:
    cdef const Ratio *ratio = <const Ratio *>one
    cdef const Ratio *than = <const Ratio *>other
    if ratio.value != than.value:
        return (ratio.value > than.value) - (ratio.value < than.value)
    return (ratio.weight > than.weight) - (ratio.weight < than.weight)


cdef double quarter(const double *values, Py_ssize_t count) noexcept nogil:
    """Of values that are not negative, the one below which a quarter of them is: digit by digit, whatever they are."""
    cdef Py_ssize_t counts[256]
    cdef Py_ssize_t i, left = count // 4
    cdef uint64_t bits, found = 0
    cdef int shift, digit
    cdef double value
    # As whole numbers they have the same order.
    for shift in range(56, -1, -8):
        memset(counts, 0, sizeof(counts))
        for i in range(count):
            memcpy(&bits, &values[i], sizeof(bits))
            if shift == 56 or (bits ^ found) >> (shift + 8) == 0:
                counts[bits >> shift & 0xFF] += 1
        digit = 0
        while left >= counts[digit]:
            left -= counts[digit]
            digit += 1
        found |= <uint64_t>digit << shift
    memcpy(&value, &found, sizeof(value))
    return value
