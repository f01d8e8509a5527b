# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What a frontend receives, as far as it is plain: responses → frames, copied out of pages that are posted again.

Law: responses are copies, which no backend can change, and are judged before a page is looked at. What is not plain, or
makes no sense, is left with all after it to `packet.rx_front`; nothing has been done about it by then. Each response
gives back the page that was posted in its slot, whatever it says.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from pvdrivers.net.front.pool cimport Pool
from pvdrivers.net.packet.message cimport (
    EXTRA_INFO, HEADER, MORE_DATA, PAGE, RX_BLANK, RX_VALIDATED, SLOTS_MAX, Extra, RxRequest, RxResponse, plain_gso,
    told,
)
from pvdrivers.net.plain cimport POSTED_MAX, Place, Posted
from pvdrivers.net.record cimport Record

from mmap import mmap

from pvdrivers.abi.netif import EXTRA_GSO as EXTRA
from pvdrivers.abi.netif import RX_REQUEST, RX_RESPONSE

cdef enum:
    LINE = 64

if (RX_REQUEST.size, RX_RESPONSE.size, EXTRA.size) != (sizeof(RxRequest), sizeof(RxResponse), sizeof(Extra)):
    raise ImportError("the net core was compiled for another protocol")


cdef class Receiving:
    """One queue's.

    :param pool: its pages
    """

    cdef Pool pool
    cdef Posted ring
    cdef readonly object arena
    cdef object record_view
    cdef Py_buffer arena_buffer, record_buffer
    cdef bint held
    cdef readonly uint32_t frames       # of the last batch
    cdef readonly uint32_t used         # bytes of the arena
    cdef readonly uint64_t size         # that they have

    def __init__(self, Pool pool):
        self.pool, self.ring = pool, Posted()
        pages, records = mmap(-1, POSTED_MAX * (PAGE + LINE)), bytearray(POSTED_MAX * sizeof(Record))
        self.arena, self.record_view = memoryview(pages), memoryview(records)
        # Of the memory itself: Python's collector, which breaks a cycle at a view that somebody holds, dies of it.
        PyObject_GetBuffer(pages, &self.arena_buffer, PyBUF_SIMPLE | PyBUF_WRITABLE)
        PyObject_GetBuffer(records, &self.record_buffer, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.held = True

    def close(self):
        """Let go of the arena; not an error if that was done."""
        if self.held:
            self.held = False
            PyBuffer_Release(&self.arena_buffer)
            PyBuffer_Release(&self.record_buffer)

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.arena_buffer)
            PyBuffer_Release(&self.record_buffer)

    @property
    def records(self):
        """Tell of the last batch's frames, where they are in ``arena`` (`record.RECORD`); until the next."""
        return self.record_view[: self.frames * sizeof(Record)]

    @property
    def posted(self):
        """Pages that are posted."""
        return self.ring.count

    def post(self, uint32_t room):
        """Post pages, as many as are free; give the requests.

        :param room: of the ring
        """
        cdef uint32_t number = min(min(room, self.pool.count), POSTED_MAX - self.ring.count), i, page
        cdef bytes requests = PyBytes_FromStringAndSize(NULL, number * sizeof(RxRequest))
        cdef RxRequest *request = <RxRequest *>PyBytes_AsString(requests)
        for i in range(number):
            page = self.pool.pop()
            self.ring.put(page, self.pool.refs[page])
            request[i].id, request[i].pad, request[i].gref = page, 0, self.pool.refs[page]
        return requests

    def take(self, bytes responses):
        """Take packets from the beginning on, up to one that is not plain; their pages stay posted, until `give`.

        :param responses: as a ring gives them
        :returns: how many were taken
        :raises ValueError: there are more than were asked
        """
        cdef const RxResponse *response = <const RxResponse *>PyBytes_AsString(responses)
        cdef uint32_t number = <uint32_t>(len(responses) // sizeof(RxResponse)), taken = 0, messages
        if number > self.ring.count:
            raise ValueError(f"{number} responses to {self.ring.count} requests")
        self.frames = self.used = 0
        self.size = 0
        with nogil:
            while taken < number:
                messages = self.one(response + taken, number - taken, taken)
                if not messages:
                    break
                taken += messages
        return taken

    cdef uint32_t one(self, const RxResponse *first, uint32_t number, uint32_t posted) noexcept nogil:
        # How many responses the packet that begins here has; 0: it is not for us.
        cdef Record *record = <Record *>self.record_buffer.buf + self.frames
        cdef const Extra *gso = NULL
        cdef uint32_t begin = 1, messages, at, size
        if first.flags & EXTRA_INFO:
            if number == 1:
                return 0
            gso = <const Extra *>(first + 1)
            if not plain_gso(gso):
                return 0
            begin = 2
        if not sound(first):
            return 0
        size, messages = first.status, begin
        at = 0
        while first[at].flags & MORE_DATA:
            if messages == number or messages - begin + 1 == SLOTS_MAX or not sound(first + messages):
                return 0
            at = messages
            size += first[at].status
            messages += 1
        if size < HEADER:
            return 0
        told(record, first.flags & RX_BLANK, first.flags & RX_VALIDATED, gso)
        record.place, record.length = self.used, size
        self.fetch(first, posted)
        for at in range(begin, messages):
            self.fetch(first + at, posted + at)
        self.used = (self.used + LINE - 1) // LINE * LINE
        self.frames += 1
        self.size += size
        return messages

    cdef void fetch(self, const RxResponse *response, uint32_t posted) noexcept nogil:
        cdef const uint8_t *page = self.pool.page(self.ring.at(posted).id)
        memcpy(<uint8_t *>self.arena_buffer.buf + self.used, page + response.offset, response.status)
        self.used += response.status

    def places(self, uint32_t first, uint32_t count):
        """Give pages that are posted, as `packet.slots.Place`.

        :raises IndexError: there are not so many
        """
        if <uint64_t>first + count > self.ring.count:
            raise IndexError(f"{count} pages from {first} on, of {self.ring.count}")
        cdef uint32_t at
        cdef list found = []
        cdef Place place
        for at in range(first, first + count):
            place = self.ring.at(at)
            found.append((place.id, place.gref))
        return found

    def give(self, uint32_t count):
        """Give the first pages that are posted back to the pool.

        :raises IndexError: there are not so many
        """
        if count > self.ring.count:
            raise IndexError(f"{count} pages of {self.ring.count}")
        for _ in range(count):
            self.pool.push(self.ring.next().id)


cdef inline bint sound(const RxResponse *response) noexcept nogil:
    return response.status >= 0 and <uint32_t>response.offset + <uint32_t>response.status <= PAGE
