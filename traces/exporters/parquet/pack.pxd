"""How Parquet packs numbers: runs of bits (RLE/bit-packed hybrid), and differences (DELTA_BINARY_PACKED).

Inlined where it is used; whoever calls has made room, see each. Machines are little-endian, as Xen's are.
Ref: the Encodings page of apache/parquet-format
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from *:
    int __builtin_clzll(unsigned long long) noexcept nogil

cdef enum:
    DELTA_BLOCK = 128
    DELTA_MINI = 32
    # A block of differences of 64 bits, their widths, and the lowest.
    DELTA_BLOCK_MAX = 8 * DELTA_BLOCK + 4 + 10
    # Bytes that are written at once beyond those that count.
    SLACK = 64


cdef inline int width_of(uint64_t most) noexcept nogil:
    """Give the bits that a number takes."""
    return 64 - __builtin_clzll(most) if most else 0


cdef inline uint8_t *varint(uint8_t *out, uint64_t value) noexcept nogil:
    while value >= 0x80:
        out[0] = <uint8_t>(value | 0x80)
        out += 1
        value >>= 7
    out[0] = <uint8_t>value
    return out + 1


cdef inline uint8_t *zigzag(uint8_t *out, int64_t value) noexcept nogil:
    return varint(out, (<uint64_t>value << 1) ^ <uint64_t>(value >> 63))


cdef inline uint8_t *repeated(uint8_t *out, Py_ssize_t count, uint32_t value, int width) noexcept nogil:
    """Write one value, of so many bits, that comes so often."""
    out = varint(out, <uint64_t>count << 1)
    memcpy(out, &value, 4)
    return out + (width + 7) // 8


cdef inline uint8_t *packed(uint8_t *out, const uint16_t *values, Py_ssize_t count, int width) noexcept nogil:
    """Write values of 1 to 16 bits: ``count * width / 8`` bytes and SLACK. Reads up to seven values beyond ``count``."""
    cdef Py_ssize_t i, groups = (count + 7) // 8
    cdef uint64_t low, high
    cdef uint64_t[2] joint
    cdef const uint16_t *v = values
    out = varint(out, (<uint64_t>groups << 1) | 1)
    for i in range(groups):
        low = v[0] | <uint64_t>v[1] << width | <uint64_t>v[2] << 2 * width | <uint64_t>v[3] << 3 * width
        high = v[4] | <uint64_t>v[5] << width | <uint64_t>v[6] << 2 * width | <uint64_t>v[7] << 3 * width
        join(joint, low, high, 4 * width)
        memcpy(out, joint, 16)
        out += width
        v += 8
    return out


cdef inline void join(uint64_t *joint, uint64_t low, uint64_t high, int width) noexcept nogil:
    """Put two numbers of 1 to 64 bits next to each other."""
    joint[0] = low
    joint[1] = high
    if width < 64:
        joint[0] |= high << width
        joint[1] = high >> (64 - width)


cdef inline Py_ssize_t set_in(const uint8_t *bits, Py_ssize_t words) noexcept nogil:
    """Count the bits that are set in so many times eight bytes."""
    cdef Py_ssize_t i, found = 0
    cdef uint64_t x
    for i in range(words):
        memcpy(&x, bits + 8 * i, 8)
        x -= x >> 1 & <uint64_t>0x5555555555555555
        x = (x & <uint64_t>0x3333333333333333) + (x >> 2 & <uint64_t>0x3333333333333333)
        x = (x + (x >> 4)) & <uint64_t>0x0F0F0F0F0F0F0F0F
        found += <Py_ssize_t>(x * <uint64_t>0x0101010101010101 >> 56)
    return found


cdef inline uint8_t *flags(uint8_t *out, const uint8_t *bits, Py_ssize_t count) noexcept nogil:
    """Write values of one bit: ``count / 8`` bytes and SLACK."""
    cdef Py_ssize_t groups = (count + 7) // 8
    out = varint(out, (<uint64_t>groups << 1) | 1)
    memcpy(out, bits, groups)
    return out + groups


cdef inline uint8_t *put(uint8_t *out, uint64_t *rest, int *filled, uint64_t bits, int width) noexcept nogil:
    """Write up to 56 bits behind those of the last byte that are left."""
    cdef int whole
    bits = bits << filled[0] | rest[0]
    memcpy(out, &bits, 8)
    filled[0] += width
    whole = filled[0] & ~7
    filled[0] &= 7
    rest[0] = bits >> whole
    return out + whole // 8


cdef inline uint8_t *mini_block(uint8_t *out, const uint64_t *v, int width) noexcept nogil:
    """Write a block of differences. Eight of them are whole bytes, so that no step needs to wait for the one before."""
    cdef uint64_t rest = 0
    cdef int filled = 0
    cdef Py_ssize_t i
    if width == 0:
        return out
    if width <= 16:
        for i in range(0, DELTA_MINI, 8):
            out = eight_short(out, v + i, width)
    elif width < 32:
        for i in range(0, DELTA_MINI, 8):
            out = eight_middling(out, v + i, width)
    elif width <= 56:
        for i in range(DELTA_MINI):
            out = put(out, &rest, &filled, v[i], width)
    else:
        for i in range(DELTA_MINI):
            out = put(out, &rest, &filled, <uint32_t>v[i], 32)
            out = put(out, &rest, &filled, v[i] >> 32, width - 32)
    return out


cdef inline uint8_t *eight_short(uint8_t *out, const uint64_t *v, int width) noexcept nogil:
    """Write eight numbers of 1 to 16 bits."""
    cdef uint64_t[2] joint
    join(joint, v[0] | v[1] << width | v[2] << 2 * width | v[3] << 3 * width,
         v[4] | v[5] << width | v[6] << 2 * width | v[7] << 3 * width, 4 * width)
    memcpy(out, joint, 16)
    return out + width


cdef inline uint8_t *eight_middling(uint8_t *out, const uint64_t *v, int width) noexcept nogil:
    """Write eight numbers of 17 to 31 bits: four, and four behind them, which begin in the middle of a byte or with one."""
    cdef uint64_t[2] first
    cdef uint64_t[2] second
    cdef int half = 4 * (width & 1)
    join(first, v[0] | v[1] << width, v[2] | v[3] << width, 2 * width)
    join(second, v[4] | v[5] << width, v[6] | v[7] << width, 2 * width)
    # The last half byte of the first four, if there is one, comes first.
    second[1] = second[1] << half | second[0] >> 1 >> (63 - half)
    second[0] = second[0] << half | first[1] >> (4 * width - 64 - half)
    memcpy(out, first, 16)
    memcpy(out + width // 2, second, 16)
    return out + width


cdef inline int64_t least_of(const int64_t *values, Py_ssize_t count) noexcept nogil:
    """Find the least of some numbers: by four at once, none of which waits for another."""
    cdef int64_t a = values[0], b = a, c = a, d = a
    cdef Py_ssize_t i = 0
    while i + 4 <= count:
        a = min(a, values[i])
        b = min(b, values[i + 1])
        c = min(c, values[i + 2])
        d = min(d, values[i + 3])
        i += 4
    while i < count:
        a = min(a, values[i])
        i += 1
    return min(min(a, b), min(c, d))


cdef inline uint8_t *deltas(uint8_t *out, const uint64_t *values, Py_ssize_t count, bint *grows) noexcept nogil:
    """Write what numbers differ by from one to the next: 40 bytes, and DELTA_BLOCK_MAX a block and SLACK.

    grows   is set to whether none is less than the one before
    """
    cdef uint64_t[DELTA_BLOCK] block
    cdef uint8_t *widths
    cdef Py_ssize_t at = 1, i, left, mini
    cdef int64_t least
    cdef uint64_t bits
    cdef int width
    out = varint(varint(varint(out, DELTA_BLOCK), DELTA_BLOCK // DELTA_MINI), count)
    out = zigzag(out, <int64_t>values[0] if count else 0)
    grows[0] = True
    while at < count:
        left = count - at
        if left > DELTA_BLOCK:
            left = DELTA_BLOCK
        for i in range(left):
            block[i] = values[at + i] - values[at + i - 1]
        least = least_of(<int64_t *>block, left)
        if least < 0:
            grows[0] = False
        for i in range(left):
            block[i] -= <uint64_t>least
        memset(&block[left], 0, (DELTA_BLOCK - left) * 8)
        at += left
        out = zigzag(out, least)
        widths = out
        memset(widths, 0, DELTA_BLOCK // DELTA_MINI)
        out += DELTA_BLOCK // DELTA_MINI
        mini = 0
        while DELTA_MINI * mini < left:
            bits = 0
            for i in range(DELTA_MINI):
                bits |= block[DELTA_MINI * mini + i]
            width = width_of(bits)
            widths[mini] = <uint8_t>width
            out = mini_block(out, &block[DELTA_MINI * mini], width)
            mini += 1
    return out
