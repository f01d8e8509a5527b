# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A backend's end of a ring whose work outlives its process.

Law: what is in the log is there before the peer can see what it is about, so that whoever finds log and ring, at any
point between two writes, can tell what is still to be answered.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.string cimport memcmp, memcpy, memset

from pvdrivers.ring.atomics cimport load, store_release
from pvdrivers.ring.engine cimport Back

from pvdrivers.errors import BadRing

# An entry of a log: its state, the request's index, the index of its response, nothing, the request.
cdef uint32_t ENTRY = 16
cdef uint32_t LOG_HEADER = 64
cdef enum:
    FREE = 0
    TAKEN = 1
    ANSWERED = 2
    NOBODY = 0xFFFFFFFF


cdef class LoggedBack(Back):
    """A `Back` whose work another process can go on with, should its own be killed at any point.

    What was taken from the ring and is not answered is kept in a log. A ring alone does not tell: responses come in any
    order and take the slots of requests. Each request is answered once, however often it is begun: the log says which
    response answers which request before the peer can see it, and the ring's index says which responses it has seen.

    Requests are known by their first 8-byte field, ``id``, as their responses are.

    :param log: memory that outlives the process, of `log_size` bytes, zero for a new one
    :param resume: go on where the log's last owner was; its unanswered requests come first from `take`
    :raises BadRing: log and ring are not of one another
    """

    cdef Py_buffer log_view
    cdef bint log_held
    cdef uint8_t *entries
    cdef uint32_t *taken            # requests taken, in the log
    cdef uint32_t entry_size
    cdef uint32_t id_at
    # Entries in use by id, in chains; those free, in a stack; those answered and not pushed.
    cdef uint32_t heads[1024]
    cdef uint32_t nexts[1024]
    cdef uint32_t stack[1024]
    cdef uint32_t answered[1024]
    cdef uint32_t free_count, answered_count
    cdef list again                 # requests of a former life, in order

    @staticmethod
    def log_size(kind, int pages):
        """Tell the bytes of the log for a ring of so many pages."""
        return LOG_HEADER + kind.slots(pages.bit_length() - 1) * (ENTRY + (kind.request.size + 7) // 8 * 8)

    def __init__(self, memory, kind, log, bint resume=False):
        self.join(memory, kind)
        self.id_at = kind.request.offsets["id"]
        self.entry_size = ENTRY + (self.peer_size + 7) // 8 * 8
        PyObject_GetBuffer(log, &self.log_view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.log_held = True
        if self.log_view.len < LOG_HEADER + self.count * self.entry_size or self.count > 1024:
            raise ValueError("the log is too small")
        self.taken = <uint32_t *>self.log_view.buf
        self.entries = <uint8_t *>self.log_view.buf + LOG_HEADER
        self.again = []
        memset(self.heads, 0xFF, sizeof(self.heads))
        if resume:
            self.resume()
        else:
            memset(self.entries, 0, self.count * self.entry_size)
            self.cons = self.prod
            store_release(self.taken, self.cons)
            for i in range(self.count):
                self.stack[i] = <uint32_t>i
            self.free_count = self.count
        self.available()

    def __dealloc__(self):
        if self.log_held:
            PyBuffer_Release(&self.log_view)

    cdef uint32_t *entry(self, uint32_t number) noexcept:
        return <uint32_t *>(self.entries + number * self.entry_size)

    cdef resume(self):
        cdef uint32_t i
        cdef uint32_t *entry
        self.cons = load(self.taken)
        left = []
        for i in range(self.count):
            entry = self.entry(i)
            if (entry[0] == TAKEN and <int32_t>(entry[1] - self.cons) < 0) or (
                entry[0] == ANSWERED and <int32_t>(entry[2] - self.prod) >= 0
            ):
                entry[0] = TAKEN
                # In order, also around the end of all numbers.
                left.append((<uint32_t>(entry[1] - self.prod + <uint32_t>0x80000000), i))
            else:
                entry[0] = FREE
                self.stack[self.free_count] = i
                self.free_count += 1
        if len(left) != <uint32_t>(self.cons - self.prod):
            raise BadRing(f"{len(left)} requests in the log, and {<uint32_t>(self.cons - self.prod)} are not answered")
        for _, number in sorted(left):
            i = number
            self.chain(i)
            self.again.append(PyBytes_FromStringAndSize(<char *>self.entry(i) + ENTRY, self.peer_size))

    cdef uint32_t bucket(self, const uint8_t *ident) noexcept:
        cdef uint32_t low
        memcpy(&low, ident, 4)
        return low & 1023

    cdef void chain(self, uint32_t number) noexcept:
        cdef uint32_t at = self.bucket(<uint8_t *>self.entry(number) + ENTRY + self.id_at)
        self.nexts[number] = self.heads[at]
        self.heads[at] = number

    cdef uint32_t unchain(self, const uint8_t *ident) noexcept:
        cdef uint32_t *at = &self.heads[self.bucket(ident)]
        cdef uint32_t number
        while at[0] != NOBODY:
            number = at[0]
            if memcmp(<uint8_t *>self.entry(number) + ENTRY + self.id_at, ident, 8) == 0:
                at[0] = self.nexts[number]
                return number
            at = &self.nexts[number]
        return NOBODY

    def take(self, uint32_t limit=0xFFFFFFFF):
        """As `Back.take`; what a former life has left comes first."""
        self.check()
        if self.again:
            some, self.again = self.again[:limit], self.again[limit:]
            return b"".join(some)
        cdef bytes messages = Back.take(self, limit)
        cdef const uint8_t *message = <const uint8_t *>PyBytes_AsString(messages)
        cdef uint32_t number = <uint32_t>(len(messages) // self.peer_size)
        cdef uint32_t first = self.cons - number
        cdef uint32_t i, place
        cdef uint32_t *entry
        for i in range(number):
            # There is one: no more can be taken and not answered than the ring has slots.
            self.free_count -= 1
            place = self.stack[self.free_count]
            entry = self.entry(place)
            memcpy(<uint8_t *>entry + ENTRY, message + i * self.peer_size, self.peer_size)
            entry[1] = first + i
            store_release(entry, TAKEN)
            self.chain(place)
        store_release(self.taken, self.cons)
        return messages

    def put(self, const uint8_t[::1] messages):
        """As `Back.put`."""
        cdef uint32_t first = self.prod
        Back.put(self, messages)
        cdef uint32_t i, place
        cdef uint32_t *entry
        for i in range(self.prod - first):
            place = self.unchain(&messages[i * self.own_size])
            if place == NOBODY:
                raise ValueError("a response to what was not asked")
            entry = self.entry(place)
            entry[2] = first + i
            store_release(entry, ANSWERED)
            self.answered[self.answered_count] = place
            self.answered_count += 1

    def push(self):
        """As `Back.push`."""
        notify = Back.push(self)
        cdef uint32_t i
        for i in range(self.answered_count):
            store_release(self.entry(self.answered[i]), FREE)
            self.stack[self.free_count] = self.answered[i]
            self.free_count += 1
        self.answered_count = 0
        return notify

    def release(self):
        """As `Back.release`; the log is let go of as well."""
        if self.log_held:
            self.log_held = False
            PyBuffer_Release(&self.log_view)
        Back.release(self)
