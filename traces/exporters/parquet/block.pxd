"""The records of which ``encode`` makes a page of each column at once, read into arrays."""

from libc.stdint cimport uint8_t, uint16_t, uint64_t

cdef enum:
    # Rows of a block, whole bytes of levels; arrays are read and written a little beyond its end.
    BLOCK = 1 << 13
    PADDED = BLOCK + 64
    # Which rows have a value: words, names and numbers as ``KindTable`` has it, a time and a domain, and what all have.
    HAS_WORD = 0
    HAS_NAME = 8
    HAS_NUMBER = 16
    HAS_TIME = 24
    HAS_DOMAIN
    LEVELS
    HAVE_ALL = -1
    BITS = PADDED // 8

cdef struct Block:
    # What the records at hand are, a row each.
    Py_ssize_t rows
    uint16_t kinds[PADDED]
    const uint8_t *payloads[PADDED]
    uint64_t offsets[PADDED]
    uint64_t tscs[PADDED]
    uint16_t pcpus[PADDED]
    uint16_t domids[PADDED]
    uint16_t vcpus[PADDED]
    uint8_t bits[LEVELS][BITS]
    # Of the column at hand: which rows have a value, and their values, without gaps.
    const uint8_t *level
    Py_ssize_t present
    const uint16_t *chosen
    uint16_t some[PADDED]
    uint16_t all[PADDED]
    # Of eight flags, which are set, in two halves, and how many.
    uint64_t eights[256][2]
    uint8_t counts[256]
    uint64_t values[PADDED]
    uint16_t codes[PADDED]
