"""What a plain read or write asks, out of the bytes of a message, and the response; the reference is `request`.

Law: what is judged here is a copy, which no frontend can change meanwhile. What is not plain, or not valid, is left to
those who can say what is wrong with it.

Inlined where it is used; needs no GIL.
Ref: xen/include/public/io/blkif.h
"""

from libc.stdint cimport int16_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef enum:
    PAGE = 4096
    SECTOR = 512
    PER_PAGE = 8
    SEGMENT_SIZE = 8
    DIRECT_MAX = 11
    PER_INDIRECT_PAGE = 512
    INDIRECT_PAGES = 8
    SEGMENTS_MAX = 4096
    CAPACITY = 1024         # more than a ring's slots
    READ = 0
    WRITE = 1
    BARRIER = 2
    INDIRECT = 6
    ERROR = -1
    # What becomes of a message, where no number of responses does.
    LEFT = -1               # it is not for us
    LAST = -2               # nor is it, and all after it has to wait for it

# How a frontend lays out its messages, and what it may ask for.
cdef struct Terms:
    int request_size, id_at, sector_at, segments_at
    int indirect_count_at, indirect_sector_at, grefs_at
    int response_size, op_at, status_at
    uint32_t max_indirect   # segments
    uint32_t unit           # sectors that all is aligned to
    bint readonly

cdef struct Asked:
    uint8_t operation
    uint32_t count          # segments
    uint64_t sector
    uint64_t length         # in sectors
    const uint8_t *table    # of the segments
    uint32_t table_pages    # of an indirect request

cdef struct Segment:
    uint32_t gref
    uint32_t start          # in its page, in bytes
    uint32_t length


cdef inline int head(const Terms *terms, const uint8_t *message, Asked *asked) noexcept nogil:
    """Read all but the segments of an indirect request, which are somewhere else, in pages; 0, LEFT or LAST."""
    cdef uint8_t operation = message[0]
    cdef uint16_t wide
    asked.table_pages = 0
    if operation == INDIRECT:
        operation = message[1]
        memcpy(&wide, message + terms.indirect_count_at, 2)
        asked.count = wide
        if operation > WRITE or not 0 < asked.count <= terms.max_indirect:
            return LEFT
        memcpy(&asked.sector, message + terms.indirect_sector_at, 8)
        asked.table_pages = pages_of(asked.count)
    elif operation <= WRITE:
        asked.count = message[1]
        if not 0 < asked.count <= DIRECT_MAX:
            return LEFT
        memcpy(&asked.sector, message + terms.sector_at, 8)
        asked.table = message + terms.segments_at
    else:
        return LAST if operation == BARRIER else LEFT
    asked.operation = operation
    return LEFT if operation == WRITE and terms.readonly else 0


cdef inline uint32_t pages_of(uint32_t segments) noexcept nogil:
    """How many pages so many segments of an indirect request take."""
    return (segments + <uint32_t>PER_INDIRECT_PAGE - 1) // <uint32_t>PER_INDIRECT_PAGE


cdef inline uint32_t table_gref(const Terms *terms, const uint8_t *message, uint32_t page) noexcept nogil:
    """Where a page of an indirect request's segments is."""
    cdef uint32_t gref
    memcpy(&gref, message + terms.grefs_at + 4 * page, 4)
    return gref


cdef inline uint32_t table_part(const Asked *asked, uint32_t page) noexcept nogil:
    """How many bytes of the segments are in one of these pages."""
    return min(<uint32_t>PAGE, asked.count * <uint32_t>SEGMENT_SIZE - page * <uint32_t>PAGE)


cdef inline bint sound(const Terms *terms, Asked *asked, uint64_t sectors) noexcept nogil:
    """Whether it is within its pages and a disk of so many sectors; find out how long it is."""
    cdef uint64_t length = 0
    cdef uint32_t i
    cdef uint8_t first, last
    for i in range(asked.count):
        first, last = asked.table[i * SEGMENT_SIZE + 4], asked.table[i * SEGMENT_SIZE + 5]
        if first > last or last >= PER_PAGE:
            return False
        length += last - first + 1
    asked.length = length
    return not (length > sectors or asked.sector > sectors - length or (asked.sector | length) & (terms.unit - 1))


cdef inline Segment segment_of(const Asked *asked, uint32_t number) noexcept nogil:
    """Where a segment's data is, of a request that is sound."""
    cdef const uint8_t *at = asked.table + number * SEGMENT_SIZE
    cdef Segment segment
    memcpy(&segment.gref, at, 4)
    segment.start = at[4] * SECTOR
    segment.length = (at[5] - at[4] + 1) * SECTOR
    return segment


cdef inline void answer(
    const Terms *terms, uint8_t *answers, uint32_t slot, const uint8_t *ident, uint8_t operation, int16_t status
) noexcept nogil:
    """Form a response, one of several; nothing in it is left as it was."""
    cdef uint8_t *to = answers + slot * terms.response_size
    memset(to, 0, terms.response_size)
    memcpy(to, ident, 8)
    to[terms.op_at] = operation
    memcpy(to + terms.status_at, &status, 2)
