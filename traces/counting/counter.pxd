"""A hash table from 64-bit keys to counts, with open addressing and a bounded number of keys.

Inlined where it is used; needs no GIL. Whoever makes one frees it.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from traces.counting.keyed cimport mixed

cdef struct Slot:
    uint64_t key
    uint64_t count
    uint64_t sum            # the user's own, like most
    uint64_t most
    uint64_t first          # file offset
    uint8_t used
    uint8_t kind            # the user's own

cdef struct Room:
    # What several tables share.
    int64_t left            # keys that there is room for
    uint64_t steps          # beyond the place where a key should be, for tests
    uint64_t seed           # see ``counting.keyed``

cdef struct Counter:
    Slot *slots
    Room *room
    uint64_t mask
    uint64_t used
    uint64_t most           # keys, at most
    uint64_t uncounted
    Slot spill              # stands in for keys that have no place


cdef inline bint make(Counter *c, Room *room, uint64_t size, uint64_t most) noexcept nogil:
    """Make a table of ``size`` places, a power of two, for ``most`` keys. False: no memory."""
    c.slots = <Slot *>calloc(size, sizeof(Slot))
    c.room = room
    c.mask = size - 1
    c.most = most
    c.used = c.uncounted = 0
    return c.slots != NULL


cdef inline uint64_t place(const Counter *c, uint64_t key) noexcept nogil:
    return mixed(key, c.room.seed) & c.mask


cdef inline Slot *count(Counter *c, uint64_t key, uint64_t offset) noexcept nogil:
    """Count a key; returns its slot, which is valid until the next call."""
    return add(c, key, offset, 1)


cdef inline Slot *add(Counter *c, uint64_t key, uint64_t offset, uint64_t times) noexcept nogil:
    """Count a key several times."""
    cdef uint64_t at = place(c, key)
    while c.slots[at].used:
        if c.slots[at].key == key:
            c.slots[at].count += times
            return &c.slots[at]
        at = (at + 1) & c.mask
        c.room.steps += 1
    return insert(c, key, offset, times)


cdef inline Slot *count_near(Counter *c, uint32_t *at, uint64_t key, uint64_t offset, uint64_t times) noexcept nogil:
    """Count a key that is likely to be where one of its like was last.

    :param at: where that was, and where it is from now on; 0 in the beginning. Tables only grow.
    """
    cdef Slot *slot = &c.slots[at[0]]
    if slot.used and slot.key == key:
        slot.count += times
        return slot
    slot = add(c, key, offset, times)
    if slot != &c.spill:
        at[0] = <uint32_t>(slot - c.slots)
    return slot


cdef inline Slot *insert(Counter *c, uint64_t key, uint64_t offset, uint64_t times) noexcept nogil:
    cdef uint64_t at
    if c.used >= c.most or c.room.left <= 0 or (2 * c.used > c.mask and not grow(c)):
        c.uncounted += times
        c.spill.kind = 0
        return &c.spill
    at = place(c, key)
    while c.slots[at].used:
        at = (at + 1) & c.mask
    c.slots[at].used = 1
    c.slots[at].key = key
    c.slots[at].count = times
    c.slots[at].first = offset
    c.used += 1
    c.room.left -= 1
    return &c.slots[at]


cdef inline bint grow(Counter *c) noexcept nogil:
    cdef Slot *old = c.slots
    cdef uint64_t size = c.mask + 1, i, at
    cdef Slot *slots = <Slot *>calloc(2 * size, sizeof(Slot))
    if slots == NULL:
        return False
    c.slots = slots
    c.mask = 2 * size - 1
    for i in range(size):
        if old[i].used:
            at = place(c, old[i].key)
            while slots[at].used:
                at = (at + 1) & c.mask
            slots[at] = old[i]
    free(old)
    return True
