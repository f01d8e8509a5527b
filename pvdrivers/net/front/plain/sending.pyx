# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What a frontend sends: frames → pages of its own and requests, and what is answered to them.

Law: as `packet.tx_front`, and nothing else: an answer gives back only what was asked, and only once. Answers among
which one was not asked are left to that, which says what is wrong with them; nothing has been done about any by then.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from pvdrivers.net.front.pool cimport Pool
from pvdrivers.net.packet.message cimport (
    EXTRA_INFO, HEADER, MORE_DATA, NULL_ANSWER, OKAY, PAGE, TX_BLANK, TX_VALIDATED, Extra, TxRequest, TxResponse,
    form_gso,
)
from pvdrivers.net.plain cimport LOT, Held
from pvdrivers.net.record cimport BLANK, VALIDATED, Record

from pvdrivers.abi.netif import EXTRA_GSO as EXTRA
from pvdrivers.abi.netif import MAX_TX_SIZE, TX_REQUEST, TX_RESPONSE

cdef enum:
    IDS = 65536
    # A ring's slots, and more.
    REQUESTS_MAX = 512
    LONGEST = 0xFFFF

if (TX_REQUEST.size, TX_RESPONSE.size, EXTRA.size, MAX_TX_SIZE) != (
    sizeof(TxRequest), sizeof(TxResponse), sizeof(Extra), LONGEST
):
    raise ImportError("the net core was compiled for another protocol")


cdef class Asked:
    """Requests that are not answered: ids, which to others are a set, and how many slots of extras."""

    cdef uint8_t[IDS] ids
    cdef uint32_t count
    cdef public uint32_t extras

    def add(self, uint16_t ident):
        """Add one that is not there."""
        self.ids[ident] = 1
        self.count += 1

    def discard(self, idents):
        """Take some away that are there."""
        for ident in idents:
            self.ids[<uint16_t>ident] = 0
            self.count -= 1

    def __contains__(self, ident):
        return 0 <= ident < IDS and self.ids[<uint16_t>ident] != 0

    def __len__(self):
        return self.count


cdef class Sending(Held):
    """One queue's.

    :param pool: its pages
    :param batch: frames that are taken from a lane at once
    """

    cdef Pool pool
    cdef Asked asked
    cdef TxRequest[REQUESTS_MAX] requests
    cdef readonly uint32_t packets, slots, errors, failed
    cdef readonly uint64_t size

    def __init__(self, Pool pool, Asked asked, uint32_t batch):
        super().__init__(batch)
        self.pool, self.asked = pool, asked

    def form(self, arena, uint32_t room):
        """Copy frames into pages, as many as there are pages for, and room, and no more than a lot; give the requests.

        :param arena: where they lie
        :param room: of the ring
        :raises ValueError: one is not within it
        """
        cdef Py_buffer view
        cdef bint within
        if self.next == self.frames:
            self.packets = self.slots = self.errors = 0
            self.size = 0
            return b""
        PyObject_GetBuffer(arena, &view, PyBUF_SIMPLE)
        with nogil:
            within = self.lay(<const uint8_t *>view.buf, <uint64_t>view.len, min(room, <uint32_t>REQUESTS_MAX))
        PyBuffer_Release(&view)
        if not within:
            raise ValueError("a frame that is not in its arena")
        return PyBytes_FromStringAndSize(<char *>self.requests, self.slots * sizeof(TxRequest))

    cdef bint lay(self, const uint8_t *arena, uint64_t size, uint32_t room) noexcept nogil:
        cdef const Record *record
        cdef TxRequest *request
        cdef uint32_t pages, at, page, length
        cdef uint16_t flags
        self.packets = self.slots = self.errors = 0
        self.size = 0
        while self.next < self.frames and self.size < LOT:
            record = self.record()
            if not HEADER <= record.length <= LONGEST:
                self.errors += 1
                self.next += 1
                continue
            if <uint64_t>record.place + record.length > size:
                return False
            pages = (record.length + PAGE - 1) // PAGE
            if self.slots + pages + (record.gso != 0) > room or pages > self.pool.count:
                break
            self.next += 1
            flags = 0
            if record.gso or record.checksum == BLANK:
                flags = TX_BLANK | TX_VALIDATED
            elif record.checksum == VALIDATED:
                flags = TX_VALIDATED
            for at in range(pages):
                request = &self.requests[self.slots]
                page = self.pool.pop()
                length = min(<uint32_t>PAGE, record.length - at * PAGE)
                memcpy(self.pool.page(page), arena + record.place + at * PAGE, length)
                self.asked.ids[page] = 1
                request.gref, request.offset, request.id = self.pool.refs[page], 0, <uint16_t>page
                request.flags = MORE_DATA if at + 1 < pages else 0
                request.size = <uint16_t>length
                self.slots += 1
                if at == 0:
                    # The first slot tells the size of all.
                    request.size = <uint16_t>record.length
                    request.flags |= flags
                    if record.gso:
                        request.flags |= EXTRA_INFO
                        memset(request + 1, 0, sizeof(TxRequest))
                        form_gso(<Extra *>(request + 1), record)
                        self.asked.extras += 1
                        self.slots += 1
            self.asked.count += pages
            self.packets += 1
            self.size += record.length
        return True

    def answered(self, bytes responses):
        """Give back pages; tell whether all of it was asked, and ``failed`` how many were not sent."""
        cdef const TxResponse *response = <const TxResponse *>PyBytes_AsString(responses)
        cdef uint32_t number = <uint32_t>(len(responses) // sizeof(TxResponse)), at, seen = 0, nulls = 0
        cdef uint16_t ident
        self.failed = 0
        with nogil:
            while seen < number:
                ident = response[seen].id
                if response[seen].status == NULL_ANSWER:
                    nulls += 1
                    if nulls > self.asked.extras:
                        break
                elif self.asked.ids[ident] and ident < self.pool.pages:
                    self.asked.ids[ident] = 0
                else:
                    break
                seen += 1
            if seen < number:
                # As it was.
                for at in range(seen):
                    if response[at].status != NULL_ANSWER:
                        self.asked.ids[response[at].id] = 1
            else:
                for at in range(number):
                    if response[at].status != NULL_ANSWER:
                        self.pool.push(response[at].id)
                        self.asked.count -= 1
                        self.failed += response[at].status != OKAY
                self.asked.extras -= nulls
        return seen == number
