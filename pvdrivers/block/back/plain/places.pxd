"""The pages that are kept: each has a place, which is found by its gref.

Inlined where it is used; needs no GIL. Whoever fills a place holds its page's buffer, and releases it.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

cdef struct Page:
    Py_buffer view
    uint32_t gref
    uint32_t users      # jobs under way
    uint64_t stamp      # when it was used last, in requests
    bint known

cdef struct Places:
    Page *pages
    uint32_t limit
    uint32_t *index     # open addressing: place of a page and 1, by hash of its gref
    uint32_t mask
    int shift           # of a hash, to its uppermost bits
    uint64_t clock


cdef inline bint make(Places *places, uint32_t limit) noexcept nogil:
    """Make room for so many pages. False: no memory."""
    places.limit = limit
    places.shift = 32
    # Less than a quarter of the index is in use.
    while (<uint64_t>4 * limit) >> (32 - places.shift):
        places.shift -= 1
    places.mask = (<uint32_t>1 << (32 - places.shift)) - 1
    places.pages = <Page *>calloc(limit, sizeof(Page))
    places.index = <uint32_t *>calloc(<size_t>places.mask + 1, sizeof(uint32_t))
    return places.pages != NULL and places.index != NULL


cdef inline void unmake(Places *places) noexcept nogil:
    free(places.pages)
    free(places.index)


cdef inline uint32_t hash_of(const Places *places, uint32_t gref) noexcept nogil:
    return (gref * <uint32_t>2654435761) >> places.shift


cdef inline int find(const Places *places, uint32_t gref) noexcept nogil:
    """Find a page's place; -1: it is not kept."""
    cdef uint32_t at = hash_of(places, gref)
    while places.index[at]:
        if places.pages[places.index[at] - 1].gref == gref:
            return <int>places.index[at] - 1
        at = (at + 1) & places.mask
    return -1


cdef inline int free_place(const Places *places) noexcept nogil:
    """Find a place for another page; -1: there is none."""
    cdef uint32_t place
    for place in range(places.limit):
        if not places.pages[place].known:
            return <int>place
    return -1


cdef inline void enter(Places *places, uint32_t place) noexcept nogil:
    cdef uint32_t at = hash_of(places, places.pages[place].gref)
    while places.index[at]:
        at = (at + 1) & places.mask
    places.index[at] = place + 1


cdef inline void fill(Places *places, uint32_t place, uint32_t gref) noexcept nogil:
    """Have a page found, whose buffer is there."""
    places.clock += 1
    places.pages[place].gref, places.pages[place].users = gref, 0
    places.pages[place].stamp = places.clock
    places.pages[place].known = True
    enter(places, place)


cdef inline void empty(Places *places, uint32_t place) noexcept nogil:
    """Have a page found no more."""
    cdef uint32_t i
    places.pages[place].known = False
    memset(places.index, 0, (<size_t>places.mask + 1) * sizeof(uint32_t))
    for i in range(places.limit):
        if places.pages[i].known:
            enter(places, i)


cdef inline int oldest(const Places *places) noexcept nogil:
    """Find the page that has not been used for the longest, of those that are not in use; -1: there is none."""
    cdef int found = -1
    cdef uint32_t i
    for i in range(places.limit):
        if places.pages[i].known and not places.pages[i].users:
            if found < 0 or places.pages[i].stamp < places.pages[found].stamp:
                found = <int>i
    return found
