# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What a benchmark asks, and how long each answer took: requests and answers of a queue, many a call.

Answers are judged as `frontqueue` judges them. An operation longer than a request is asked as several of them.
"""

from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport int16_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from pvdrivers.latencies cimport BUCKETS, bucket_of, counted
from pvdrivers.ring.atomics cimport nanoseconds

from pvdrivers.block.errors import BadResponse


cdef struct Operation:
    uint64_t began      # in nanoseconds
    uint32_t left       # parts not answered


cdef class Load:
    """Some operations at a time, each followed by another when it is done.

    :param messages: each operation's requests, one operation after the other; their ids are their places in here, and
        their sectors relative to the operation's
    :param size: bytes of a request
    :param parts: requests of an operation
    :param offsets: where in a request its id and sector are; where in a response its id, operation and status are
    :param response_size: bytes of a response
    :param operation: what responses are to name
    :param places: how many operations the disk has room for
    :param step: sectors from one to the next
    :param random: in any order; else one after the other
    """

    cdef uint8_t *messages
    cdef Operation *operations
    cdef uint8_t *asked         # by id
    cdef uint32_t *idle
    cdef uint64_t *sectors      # of each request, relative
    cdef uint64_t *histogram
    cdef uint32_t depth, parts, idles
    cdef int size, response_size, id_at, sector_at, answer_id_at, operation_at, status_at, operation
    cdef uint64_t places, step, next_place, seed
    cdef bint random
    cdef readonly uint64_t done, requests, answers, errors
    cdef readonly uint64_t longest      # in nanoseconds
    cdef readonly uint32_t pending

    def __init__(
        self, bytes messages, int size, uint32_t parts, offsets, int response_size, int operation,
        uint64_t places, uint64_t step, bint random, uint64_t seed=88172645463325252,
    ):
        cdef uint32_t number = <uint32_t>(len(messages) // size)
        cdef uint32_t i
        self.size, self.response_size, self.parts = size, response_size, parts
        self.id_at, self.sector_at, self.answer_id_at, self.operation_at, self.status_at = offsets
        self.operation, self.places, self.step, self.random, self.seed = operation, places, step, random, seed
        self.depth = number // parts
        self.messages = <uint8_t *>malloc(len(messages))
        self.operations = <Operation *>calloc(self.depth, sizeof(Operation))
        self.asked = <uint8_t *>calloc(number, 1)
        self.idle = <uint32_t *>calloc(self.depth, sizeof(uint32_t))
        self.sectors = <uint64_t *>calloc(number, sizeof(uint64_t))
        self.histogram = <uint64_t *>calloc(BUCKETS, sizeof(uint64_t))
        if not (self.messages and self.operations and self.asked and self.idle and self.sectors and self.histogram):
            raise MemoryError
        memcpy(self.messages, PyBytes_AsString(messages), len(messages))
        for i in range(number):
            memcpy(&self.sectors[i], self.messages + i * size + self.sector_at, 8)
        for i in range(self.depth):
            self.idle[i] = self.depth - 1 - i
        self.idles = self.depth

    def __dealloc__(self):
        free(self.messages)
        free(self.operations)
        free(self.asked)
        free(self.idle)
        free(self.sectors)
        free(self.histogram)

    cdef uint64_t place(self) noexcept nogil:
        if not self.random:
            self.next_place += 1
            return (self.next_place - 1) % self.places
        # xorshift64*
        self.seed ^= self.seed >> 12
        self.seed ^= self.seed << 25
        self.seed ^= self.seed >> 27
        return (self.seed * <uint64_t>2685821657736338717) % self.places

    def ask(self, uint32_t room):
        """Give requests of as many operations as are idle, and fit."""
        cdef uint32_t number = min(self.idles, room // self.parts)
        cdef bytes messages = PyBytes_FromStringAndSize(NULL, number * self.parts * self.size)
        cdef char *to = PyBytes_AsString(messages)
        cdef uint64_t now, sector, base
        cdef uint32_t i, part, which, ident
        with nogil:
            now = nanoseconds()
            for i in range(number):
                self.idles -= 1
                which = self.idle[self.idles]
                self.operations[which].began = now
                self.operations[which].left = self.parts
                base = self.place() * self.step
                for part in range(self.parts):
                    ident = which * self.parts + part
                    sector = base + self.sectors[ident]
                    memcpy(self.messages + ident * self.size + self.sector_at, &sector, 8)
                    memcpy(to, self.messages + ident * self.size, self.size)
                    self.asked[ident] = 1
                    to += self.size
            self.pending += number
            self.requests += number * self.parts
        return messages

    def answered(self, bytes responses):
        """Take answers.

        :raises BadResponse: to what was not asked, or none that there is
        """
        cdef const char *at = PyBytes_AsString(responses)
        cdef uint32_t number = <uint32_t>(len(responses) // self.response_size)
        cdef uint32_t i, which
        cdef uint64_t ident, now, taken
        cdef int16_t status
        cdef bint odd = False
        with nogil:
            now = nanoseconds()
            for i in range(number):
                memcpy(&ident, at + self.answer_id_at, 8)
                memcpy(&status, at + self.status_at, 2)
                if (
                    ident >= self.depth * self.parts
                    or not self.asked[ident]
                    or <uint8_t>at[self.operation_at] != self.operation
                    or not -2 <= status <= 0
                ):
                    odd = True
                    break
                at += self.response_size
                self.asked[ident] = 0
                self.answers += 1
                if status:
                    self.errors += 1
                which = <uint32_t>(ident // self.parts)
                self.operations[which].left -= 1
                if self.operations[which].left:
                    continue
                taken = now - self.operations[which].began
                self.histogram[bucket_of(taken)] += 1
                self.longest = max(self.longest, taken)
                self.idle[self.idles] = which
                self.idles += 1
                self.done += 1
                self.pending -= 1
        if odd:
            raise BadResponse("the backend answers what nobody asked, or not as one answers")

    @property
    def waiting(self):
        """Requests that have not been answered."""
        return <uint32_t>(self.requests - self.answers)

    def latencies(self):
        """Give how often each latency was seen: nanoseconds from which, to which on, within 1.6 %, and a number."""
        return counted(self.histogram)
