# cython: language_level=3, boundscheck=False, wraparound=False
"""Changes bytes of shared memory again and again, while others look at them: so many times, not for so long."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from pvdrivers.ring.atomics cimport fence, relax


def flip(uint8_t[::1] memory, const uint32_t[::1] places, uint8_t one, uint8_t other, uint64_t count, uint32_t seed):
    """Write one of two values into each of some bytes, in turns; other threads run meanwhile.

    :param places: bytes from the memory's beginning, at least one; all within it
    :param count: how many writes in all
    :param seed: of how long each value stands
    """
    cdef Py_ssize_t number = places.shape[0]
    cdef Py_ssize_t i
    for i in range(number):
        if places[i] >= memory.shape[0]:
            raise ValueError(f"byte {places[i]} is not within {memory.shape[0]}")
    cdef volatile uint8_t *base = &memory[0]
    cdef uint64_t done = 0
    cdef uint32_t state = seed | 1
    cdef uint32_t rest
    cdef uint8_t value = other
    with nogil:
        while done < count:
            value = one if value == other else other
            for i in range(number):
                base[places[i]] = value
                done += 1
            # Xorshift: between no pause and about a microsecond.
            state ^= state << 13
            state ^= state >> 17
            state ^= state << 5
            rest = state & 31
            while rest:
                relax()
                rest -= 1
        # The request is sound when nobody changes it any more.
        for i in range(number):
            base[places[i]] = one


def settle():
    """Have what was written be seen by others before anything is read that comes after."""
    fence()
