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
from pvdrivers.net.ports.plain.fits cimport Header
from pvdrivers.net.ports.plain.line cimport ROOM, iovec
from pvdrivers.net.ports.plain.single cimport SingleLine
from pvdrivers.net.record cimport BLANK, VALIDATED, Record

from pvdrivers.abi.netif import EXTRA_GSO as EXTRA
from pvdrivers.abi.netif import MAX_TX_SIZE, TX_REQUEST, TX_RESPONSE

cdef enum:
    IDS = 65536
    # A ring's slots, and more.
    REQUESTS_MAX = 512
    LONGEST = 0xFFFF
    # That a frame takes of which nothing is known.
    PAGES_MAX = (ROOM + PAGE - 1) // PAGE

if (TX_REQUEST.size, TX_RESPONSE.size, EXTRA.size, MAX_TX_SIZE) != (
    sizeof(TxRequest), sizeof(TxResponse), sizeof(Extra), LONGEST
):
    raise ImportError("the net core was compiled for another protocol")

PAGES = PAGES_MAX


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
    cdef readonly bint full             # nothing was read, for want of pages or of room
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
            if self.slots + pages_of(record) + (record.gso != 0) > room or pages_of(record) > self.pool.count:
                break
            self.next += 1
            self.ask(record, arena + record.place)
        return True

    cdef void ask(self, const Record *record, const uint8_t *data) noexcept nogil:
        # Forms the requests of a frame, for which there are pages, and room; without data, it lies in them already.
        cdef TxRequest *request
        cdef uint32_t pages = pages_of(record), at, page, length
        cdef uint16_t flags = 0
        if record.gso or record.checksum == BLANK:
            flags = TX_BLANK | TX_VALIDATED
        elif record.checksum == VALIDATED:
            flags = TX_VALIDATED
        for at in range(pages):
            request = &self.requests[self.slots]
            page = self.pool.pop()
            length = min(<uint32_t>PAGE, record.length - at * PAGE)
            if data != NULL:
                memcpy(self.pool.page(page), data + at * PAGE, length)
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

    def read(self, SingleLine line, uint32_t room):
        """Read frames from a line right into pages, no more than a lot, until one is left there; give the requests.

        :param room: of the ring
        """
        with nogil:
            self.read_some(line, min(room, <uint32_t>REQUESTS_MAX))
        return PyBytes_FromStringAndSize(<char *>self.requests, self.slots * sizeof(TxRequest))

    cdef void read_some(self, SingleLine line, uint32_t room) noexcept nogil:
        cdef iovec[1 + PAGES_MAX] parts
        cdef Header header
        cdef Record record
        cdef uint8_t *first
        cdef uint32_t at
        self.packets = self.slots = self.errors = 0
        self.size = 0
        self.full = False
        line.begin()
        while self.size < LOT and not line.left:
            if self.slots + PAGES_MAX + 1 > room or self.pool.count < PAGES_MAX:
                self.full = not self.packets
                break
            # Those that are taken next.
            for at in range(PAGES_MAX):
                parts[1 + at].iov_base = self.pool.page(self.pool.stack[self.pool.count - 1 - at])
                parts[1 + at].iov_len = PAGE
            if not line.read_one(&header, parts, 1 + PAGES_MAX, &record.length):
                break
            first = <uint8_t *>parts[1].iov_base
            record.place = 0
            if record.length < ROOM and line.take(&header, first, &record) and record.length <= LONGEST:
                self.ask(&record, NULL)
                continue
            # Nothing stays in pages that is not sent.
            if line.left:
                line.at = 0
            elif record.length < ROOM:
                self.errors += 1
            else:
                line.lost += 1
            for at in range(PAGES_MAX):
                if line.left and at * PAGE < record.length:
                    memcpy(line.place(at * PAGE), parts[1 + at].iov_base, min(<uint32_t>PAGE, record.length - at * PAGE))
                memset(parts[1 + at].iov_base, 0, PAGE)

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


cdef inline uint32_t pages_of(const Record *record) noexcept nogil:
    return (record.length + PAGE - 1) // PAGE
