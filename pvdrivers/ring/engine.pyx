# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Both ends of a shared ring: many messages a call, in and out.

Law: nothing else reads or writes shared indices. An index of the peer's is read once, and is within bounds or ends the
ring; slots are copied out before anybody looks at them. What messages mean is not known here.

Indices are free-running, of 32 bits. What is read once from shared memory is kept in this object: what the peer writes
into an index that is ours is never seen.

Ref: xen/include/public/io/ring.h; its macros are named where their work is done
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset

from pvdrivers.ring.atomics cimport fence, load, load_acquire, nanoseconds, relax, store, store_release

from pvdrivers.abi.ring import HEADER, ORDER_MAX, PAGE_SIZE
from pvdrivers.errors import BadRing

cdef uint32_t HEADER_SIZE = HEADER.size
# Words from the beginning.
cdef int REQ_PROD = HEADER.offsets["req_prod"] // 4
cdef int REQ_EVENT = HEADER.offsets["req_event"] // 4
cdef int RSP_PROD = HEADER.offsets["rsp_prod"] // 4
cdef int RSP_EVENT = HEADER.offsets["rsp_event"] // 4

cdef enum:
    # Bytes of an answer on a TX ring: a copy whose size is known is no call.
    ANSWER = 4


cdef inline void strided(
    uint8_t *to, uint32_t to_stride, const uint8_t *source, uint32_t stride, uint32_t size, uint32_t number
) noexcept:
    # Copies messages from one place to another, each so many bytes after the one before.
    cdef uint32_t i
    if stride == size and to_stride == size:
        memcpy(to, source, number * size)
    elif size == ANSWER:
        for i in range(number):
            memcpy(to + i * to_stride, source + i * stride, ANSWER)
    else:
        for i in range(number):
            memcpy(to + i * to_stride, source + i * stride, size)


cdef class _End:
    # Front and back are each other's mirror: each produces what the other consumes.

    cdef hold(self, memory, kind):
        PyObject_GetBuffer(memory, &self.view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.held = True
        if self.view.len not in [PAGE_SIZE << order for order in range(ORDER_MAX + 1)]:
            raise ValueError(f"a ring has 1, 2, 4, 8 or 16 pages, not {self.view.len} bytes")
        if <uintptr_t>self.view.buf % 4:
            raise ValueError("a ring's memory must be aligned")
        self.slots = <uint8_t *>self.view.buf + HEADER_SIZE
        self.count = kind.slots((self.view.len // PAGE_SIZE).bit_length() - 1)
        self.stride = kind.slot_size

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)

    cdef check(self):
        if not self.held:
            raise ValueError("this ring has been released")

    def release(self):
        """Let go of the memory; nothing but this can be done any more."""
        if self.held:
            self.held = False
            PyBuffer_Release(&self.view)

    @property
    def size(self):
        """Slots: messages that can be on their way."""
        return self.count

    @property
    def room(self):
        """Messages that can be put now."""
        return self.cons + self.lead - self.prod

    cdef uint32_t available(self) except? 0xFFFFFFFF:
        # RING_HAS_UNCONSUMED_*, read once, with RING_*_PROD_OVERFLOW: a peer cannot have produced more than there are
        # slots for, nor taken back what it had produced. Whoever believes it goes round and round in old slots.
        cdef uint32_t prod = load_acquire(self.peer_prod)
        cdef uint32_t number = prod - self.cons
        if number > self.pushed + self.peer_lead - self.cons:
            raise BadRing(
                f"the peer's producer index {prod} is not within {<uint32_t>(self.pushed + self.peer_lead - self.cons)}"
                f" of {self.cons}"
            )
        return number

    def take(self, uint32_t limit=0xFFFFFFFF):
        """Copy the peer's messages out of the ring.

        :param limit: how many at most
        :returns: the messages one after the other, each of its type's size; empty when there is none
        :raises BadRing: the peer's producer index is impossible
        """
        self.check()
        cdef uint32_t number = min(self.available(), limit), first = min(number, self.before_end(self.cons))
        if not number:
            return b""
        cdef bytes messages = PyBytes_FromStringAndSize(NULL, number * self.peer_size)
        cdef uint8_t *to = <uint8_t *>PyBytes_AsString(messages)
        strided(to, self.peer_size, self.slot(self.cons), self.stride, self.peer_size, first)
        strided(to + first * self.peer_size, self.peer_size, self.slots, self.stride, self.peer_size, number - first)
        self.cons += number
        return messages

    def poll(self, uint32_t microseconds, _End also=None):
        """Look for messages of the peer's again and again, letting other threads run; tell whether there are any.

        Cheaper than being notified, if they come within the time that a notification takes.

        :param microseconds: how long at most
        :param also: another ring to look at
        :raises BadRing: the peer's producer index is impossible
        """
        cdef _End other = self if also is None else also
        self.check()
        other.check()
        cdef bint found
        with nogil:
            found = self.watch(other, microseconds)
        return found and (self.available() != 0 or other.available() != 0)

    cdef bint watch(self, _End other, uint32_t microseconds) noexcept nogil:
        # This object holds its memory, and so long as a thread is in here its caller has to leave `release` alone.
        cdef uint64_t until = nanoseconds() + <uint64_t>microseconds * 1000
        cdef int i
        while True:
            for i in range(64):
                if load(self.peer_prod) != self.cons or load(other.peer_prod) != other.cons:
                    return True
                relax()
            if nanoseconds() >= until:
                return False

    def put(self, messages):
        """Copy messages into the ring; the peer sees them when they are pushed.

        :param messages: one after the other, each of its type's size
        :raises ValueError: there is not so much room, or a message is not whole
        """
        cdef Py_buffer view
        self.check()
        PyObject_GetBuffer(messages, &view, PyBUF_SIMPLE)
        try:
            if view.len % self.own_size:
                raise ValueError(f"{view.len} bytes are not messages of {self.own_size} bytes")
            if view.len // self.own_size > <Py_ssize_t>self.room:
                raise ValueError(f"{view.len // self.own_size} messages, and room for {self.room}")
            self.lay(<const uint8_t *>view.buf, <uint32_t>(view.len // self.own_size))
        finally:
            PyBuffer_Release(&view)

    cdef void lay(self, const uint8_t *messages, uint32_t number) noexcept:
        cdef uint32_t first = min(number, self.before_end(self.prod))
        strided(self.slot(self.prod), self.stride, messages, self.own_size, self.own_size, first)
        messages += first * self.own_size
        strided(self.slots, self.stride, messages, self.own_size, self.own_size, number - first)
        self.prod += number

    cdef uint32_t before_end(self, uint32_t index) noexcept:
        # Slots from this one on, until they begin anew.
        return self.count - (index & (self.count - 1))

    cdef uint8_t *slot(self, uint32_t index) noexcept:
        return self.slots + (index & (self.count - 1)) * self.stride

    def push(self):
        """Show the peer what was put; tell whether it must be notified.

        RING_PUSH_*_AND_CHECK_NOTIFY: the fence stands between what the peer looks for and where it says that it sleeps.
        """
        self.check()
        cdef uint32_t old = self.pushed
        self.pushed = self.prod
        store_release(self.own_prod, self.pushed)
        fence()
        return <uint32_t>(self.pushed - load(self.peer_event)) < <uint32_t>(self.pushed - old)

    cdef bint ask(self, uint32_t after) except -1:
        # RING_FINAL_CHECK_FOR_*: what came while the peer could not yet know that we sleep is seen by the second look.
        if self.available():
            return True
        store(self.own_event, self.cons + after)
        fence()
        return self.available() != 0


cdef class Front(_End):
    """The end that asks: puts requests, takes responses. Initialises the ring.

    :param memory: 1 to 16 pages, writable; held until `release`
    :param kind: what the ring carries (`pvdrivers.abi.ring.RingType`)
    :param start: index of the first request: 0 for drivers, anything for tests
    """

    def __init__(self, memory, kind, uint32_t start=0):
        self.hold(memory, kind)
        cdef uint32_t *words = <uint32_t *>self.view.buf
        self.own_prod, self.own_event = words + REQ_PROD, words + RSP_EVENT
        self.peer_prod, self.peer_event = words + RSP_PROD, words + REQ_EVENT
        self.own_size, self.peer_size = kind.request.size, kind.response.size
        self.prod = self.pushed = self.cons = start
        self.lead, self.peer_lead = self.count, 0
        # SHARED_RING_INIT.
        memset(words, 0, HEADER_SIZE)
        store(self.own_event, start + 1)
        store(self.peer_event, start + 1)
        store_release(self.peer_prod, start)
        store_release(self.own_prod, start)

    def final_check(self, uint32_t batch=1):
        """Before waiting for a notification: ask for one, and tell whether there is something to take after all.

        :param batch: be notified once so many responses are there, or all that are due; 0 to look and not to ask
        :raises BadRing: the peer's producer index is impossible
        """
        self.check()
        if not batch:
            return self.available() != 0
        cdef uint32_t due = self.pushed - self.cons
        return self.ask(max(min(batch, due), 1))


cdef class Back(_End):
    """The end that answers: takes requests, puts a response for each. Goes on where the ring's responses end.

    :param memory: 1 to 16 pages, writable; held until `release`
    :param kind: what the ring carries (`pvdrivers.abi.ring.RingType`)
    :raises BadRing: the ring's indices are impossible
    """

    def __init__(self, memory, kind):
        self.join(memory, kind)
        self.cons = self.prod
        self.available()

    cdef join(self, memory, kind):
        self.hold(memory, kind)
        cdef uint32_t *words = <uint32_t *>self.view.buf
        self.own_prod, self.own_event = words + RSP_PROD, words + REQ_EVENT
        self.peer_prod, self.peer_event = words + REQ_PROD, words + RSP_EVENT
        self.own_size, self.peer_size = kind.response.size, kind.request.size
        self.prod = self.pushed = load(self.own_prod)
        self.lead, self.peer_lead = 0, self.count

    def indices(self):
        """Give what `indices.Indices` holds. Any thread may look: nothing is written, and nobody is waited for.

        :raises ValueError: the ring has been released
        """
        self.check()
        return load(self.peer_prod), self.cons, load(self.own_prod), load(self.own_event), load(self.peer_event)

    def final_check(self, uint32_t batch=1):
        """Before waiting for a notification: ask for one, and tell whether there is something to take after all.

        :param batch: 0 to look and not to ask; any other is 1, since nobody knows whether a second request ever comes
        :raises BadRing: the peer's producer index is impossible
        """
        self.check()
        return self.ask(1) if batch else self.available() != 0
