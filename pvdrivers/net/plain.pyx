# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What both ends' compiled ways have: pages that are posted for what is received, and frames that wait for room."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString
from libc.stdint cimport uint16_t, uint32_t

from pvdrivers.net.record cimport Record

from pvdrivers.abi.netif import RX_REQUEST
from pvdrivers.net.record import RECORD


cdef struct Request:
    uint16_t id
    uint16_t pad
    uint32_t gref

if (RX_REQUEST.size, RECORD.size) != (sizeof(Request), sizeof(Record)):
    raise ImportError("compiled for another protocol")


cdef class Posted:
    """Pages that are posted, in the ring's order; to others what a deque of `packet.slots.Place` is."""

    cdef put(self, uint16_t ident, uint32_t gref):
        cdef Place *place = &self.places[(self.first + self.count) % POSTED_MAX]
        if self.count == POSTED_MAX:
            raise ValueError("more pages than a ring has slots for")
        place.id, place.gref = ident, gref
        self.count += 1

    cdef Place next(self) noexcept nogil:
        cdef Place place = self.at(0)
        self.first += 1
        self.count -= 1
        return place

    cdef Place at(self, uint32_t number) noexcept nogil:
        return self.places[(self.first + number) % POSTED_MAX]

    def post(self, bytes messages):
        """Add those of requests.

        :raises ValueError: there are more than a ring has
        """
        cdef const Request *request = <const Request *>PyBytes_AsString(messages)
        cdef Py_ssize_t i
        for i in range(len(messages) // <Py_ssize_t>sizeof(Request)):
            self.put(request[i].id, request[i].gref)

    def extend(self, places):
        """Add some."""
        for ident, gref in places:
            self.put(ident, gref)

    def popleft(self):
        """Take the first.

        :raises IndexError: there is none
        """
        if not self.count:
            raise IndexError("no page is posted")
        cdef Place place = self.next()
        return place.id, place.gref

    def __len__(self):
        return self.count


cdef class Held:
    """Frames of a batch that came from a lane, by their records.

    :param batch: how many there are at most
    """

    def __init__(self, uint32_t batch):
        room = bytearray(batch * sizeof(Record))
        self.room = memoryview(room)
        # Of the memory itself: Python's collector, which breaks a cycle at a view that somebody holds, dies of it.
        PyObject_GetBuffer(room, &self.room_buffer, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.has_room = True

    def close(self):
        """Let go of what it has; not an error if that was done."""
        if self.has_room:
            self.has_room = False
            self.frames = self.next = 0
            PyBuffer_Release(&self.room_buffer)

    def __dealloc__(self):
        if self.has_room:
            PyBuffer_Release(&self.room_buffer)

    cdef Record *record(self) noexcept nogil:
        # The first that waits.
        return <Record *>self.room_buffer.buf + self.next

    def hold(self, uint32_t frames):
        """Take note of frames whose records are in ``room``; there are none before.

        :raises ValueError: there is no room for so many
        """
        if frames * sizeof(Record) > <size_t>self.room_buffer.len:
            raise ValueError(f"{frames} frames in a room for {self.room_buffer.len // <Py_ssize_t>sizeof(Record)}")
        self.frames, self.next = frames, 0

    @property
    def held(self):
        """Frames that wait."""
        return self.frames - self.next

    def rest(self):
        """Give their records, for others to see to; there are none then."""
        rest = self.room[self.next * sizeof(Record) : self.frames * sizeof(Record)]
        self.frames = self.next = 0
        return rest
