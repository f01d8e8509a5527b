"""A processor's pages cut into records, one after the other: inlined where records are counted, or put in columns.

Ref: Linux, include/linux/ring_buffer.h (enum ring_buffer_type), kernel/trace/ring_buffer.c (struct buffer_data_page)
"""

from libc.stdint cimport int32_t, uint16_t, uint32_t, uint64_t, uint8_t
from libc.string cimport memcpy

cdef enum:
    # Of a record's first word: five bits say how long it is, or what else it is.
    LENGTH_BITS = 5
    PADDING = 29
    EXTEND = 30
    STAMP = 31
    # Before a page's records: its time stamp, and how many bytes it holds, with two flags.
    PAGE_HEAD = 16
    # An event's number and who it is about lie before all else of it.
    EVENT_HEAD = 8

cdef extern from *:
    """
    /* How many bytes a page holds; that events before it were lost, and that it says behind them how many. */
    #define XT_COMMIT_MASK ((UINT64_C(1) << 27) - 1)
    #define XT_MISSED (UINT64_C(1) << 31)
    #define XT_MISSED_TOLD (UINT64_C(1) << 30)
    /* A time stamp has 59 bits of its own; those above come from the last one. */
    #define XT_STAMP_MASK ((UINT64_C(1) << 59) - 1)
    """
    const uint64_t COMMIT_MASK "XT_COMMIT_MASK"
    const uint64_t MISSED "XT_MISSED"
    const uint64_t MISSED_TOLD "XT_MISSED_TOLD"
    const uint64_t STAMP_MASK "XT_STAMP_MASK"

cdef struct Cursor:
    # Pages that are here, and where in them the next page begins.
    const uint8_t *data
    Py_ssize_t size
    Py_ssize_t next_page
    Py_ssize_t page_size
    Py_ssize_t base         # of data, in what the processor's pages make together
    # The page that is being cut.
    Py_ssize_t at
    Py_ssize_t end
    # The record that was found.
    uint64_t ts
    const uint8_t *record
    uint32_t length
    # What was wrong so far: bytes that are no records, events that the kernel had no room for, and the first of each.
    uint64_t skipped
    uint64_t first_skipped
    uint64_t lost
    uint64_t first_lost
    uint64_t backwards
    uint64_t first_backwards
    uint32_t cpu
    bint heaped             # it has a record that waits for its turn


cdef inline uint32_t word(const uint8_t *at) noexcept nogil:
    cdef uint32_t found
    memcpy(&found, at, 4)
    return found


cdef inline uint64_t long_word(const uint8_t *at) noexcept nogil:
    cdef uint64_t found
    memcpy(&found, at, 8)
    return found


cdef inline void skip(Cursor *c, Py_ssize_t count) noexcept nogil:
    """Take note of bytes that are no records, from where it stands."""
    if c.skipped == 0:
        c.first_skipped = <uint64_t>(c.base + c.at)
    c.skipped += <uint64_t>count


cdef inline bint turn(Cursor *c) noexcept nogil:
    """Begin the next page; False: it is not here."""
    cdef const uint8_t *page
    cdef uint64_t commit, ts
    cdef Py_ssize_t held, room
    if c.next_page + PAGE_HEAD > c.size:
        if c.next_page < c.size:
            # Less than a page's head: the file was cut there.
            c.at = c.end = c.next_page
            skip(c, c.size - c.next_page)
            c.next_page = c.size
        return False
    page = c.data + c.next_page
    room = c.page_size if c.next_page + c.page_size <= c.size else c.size - c.next_page
    c.at = c.next_page + PAGE_HEAD
    c.next_page += room
    ts = long_word(page)
    commit = long_word(page + 8)
    held = <Py_ssize_t>(commit & COMMIT_MASK)
    if held > room - PAGE_HEAD:
        if room == c.page_size:
            # It says that it holds more than a page can.
            c.end = c.at
            skip(c, room - PAGE_HEAD)
            return True
        # Cut off: what is there is read.
        held = room - PAGE_HEAD
    c.end = c.at + held
    if commit & MISSED:
        if c.lost == 0:
            c.first_lost = <uint64_t>(c.base + c.at - PAGE_HEAD)
        if commit & MISSED_TOLD and c.end + 8 <= c.next_page:
            c.lost += long_word(c.data + c.end)
        else:
            c.lost += 1
    if held == 0:
        return True
    if ts < c.ts:
        if c.backwards == 0:
            c.first_backwards = <uint64_t>(c.base + c.at - PAGE_HEAD)
        c.backwards += 1
    c.ts = ts
    return True


cdef inline bint advance(Cursor *c) noexcept nogil:
    """Find the next record, whose first eight bytes are there; False: the next page is not here."""
    cdef uint32_t head, kind
    cdef Py_ssize_t after
    if c.at + 4 <= c.end:
        # Nearly all are of this kind: in this page, whole, and as long as their first word says.
        head = word(c.data + c.at)
        kind = head & ((1 << LENGTH_BITS) - 1)
        after = c.at + 4 + 4 * <Py_ssize_t>kind
        if EVENT_HEAD // 4 <= kind < PADDING and after <= c.end:
            c.ts += head >> LENGTH_BITS
            c.record = c.data + c.at + 4
            c.length = 4 * kind
            c.at = after
            return True
    return search(c)


cdef inline bint search(Cursor *c) noexcept nogil:
    """Find the next record, whatever lies before it: as ``advance``, which does only what is usual itself."""
    cdef uint32_t head, kind
    cdef uint64_t delta
    cdef Py_ssize_t length
    cdef const uint8_t *at
    while True:
        if c.at + 4 > c.end:
            if c.at < c.end:
                skip(c, c.end - c.at)
                c.at = c.end
            if not turn(c):
                return False
            continue
        at = c.data + c.at
        head = word(at)
        kind = head & ((1 << LENGTH_BITS) - 1)
        delta = head >> LENGTH_BITS
        if 0 < kind < PADDING:
            length = 4 * kind
            at += 4
        elif c.at + 8 > c.end:
            if kind != PADDING:
                skip(c, c.end - c.at)
            c.at = c.end
            continue
        elif kind == 0:
            length = ((<Py_ssize_t>word(at + 4)) - 4 + 3) & ~<Py_ssize_t>3
            at += 8
        elif kind == PADDING:
            # With no time it fills the page; else it takes the place of a record that was taken back.
            length = <Py_ssize_t>word(at + 4)
            c.ts += delta
            if delta == 0 or length < 4 or c.at + 4 + length > c.end:
                c.at = c.end
            else:
                c.at += 4 + length
            continue
        elif kind == EXTEND:
            c.ts += delta + (<uint64_t>word(at + 4) << 27)
            c.at += 8
            continue
        else:
            delta += <uint64_t>word(at + 4) << 27
            c.ts = (c.ts & ~STAMP_MASK) | (delta & STAMP_MASK)
            c.at += 8
            continue
        if length < EVENT_HEAD or at + length > c.data + c.end:
            skip(c, c.end - c.at)
            c.at = c.end
            continue
        c.ts += delta
        c.record = at
        c.length = <uint32_t>length
        c.at = at + length - c.data
        return True
