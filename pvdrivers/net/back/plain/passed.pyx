# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What goes to a frontend that wants no bytes free in its pages: frames → pieces, copied in one call → responses.

Law: as `packet.rx_back`, and nothing else; a frame's hash is told by no record.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport int16_t, uint16_t, uint32_t, uint64_t

from pvdrivers.net.packet.message cimport (
    EXTRA_INFO, MORE_DATA, PAGE, RX_BLANK, RX_VALIDATED, SLOTS_MAX, Extra, RxResponse, form_gso,
)
from pvdrivers.net.plain cimport LOT, POSTED_MAX, Held, Place, Posted
from pvdrivers.net.record cimport BLANK, VALIDATED, Record
from pvdrivers.transport.piece cimport Piece

from pvdrivers.abi.netif import EXTRA_GSO as EXTRA
from pvdrivers.abi.netif import RX_RESPONSE
from pvdrivers.net.record import RECORD
from pvdrivers.transport.base import PIECE

if (RX_RESPONSE.size, EXTRA.size, RECORD.size, PIECE.size) != (
    sizeof(RxResponse), sizeof(Extra), sizeof(Record), sizeof(Piece)
):
    raise ImportError("the net core was compiled for another protocol")


cdef struct Laid:
    uint32_t slots, pieces
    Record record


cdef class Passed(Held):
    """One queue's.

    :param copy: copies pieces into the frontend's pages: packed, and from where
    :param batch: frames that are taken from a lane at once
    :ivar packets: that were passed on until now, of so many bytes (``volume``); all that follows is until now as well
    :ivar slots: that were answered
    :ivar errors: frames that could not be copied, or that no frontend takes
    :ivar copied: pieces of them, in so many ``calls``
    """

    cdef object copy
    cdef Posted posted
    cdef object piece_view
    cdef Py_buffer piece_buffer
    cdef bint open
    cdef Laid[POSTED_MAX] laid
    cdef Place[POSTED_MAX] places       # that are used, extras' as well
    cdef readonly uint64_t packets, volume, slots, errors, copied, calls
    cdef uint32_t used, pieces          # of the last batch: places, and those that are copied to

    def __init__(self, copy, Posted posted, uint32_t batch):
        super().__init__(batch)
        self.copy, self.posted = copy, posted
        pieces = bytearray(POSTED_MAX * sizeof(Piece))
        self.piece_view = memoryview(pieces)
        # Of the memory itself: Python's collector, which breaks a cycle at a view that somebody holds, dies of it.
        PyObject_GetBuffer(pieces, &self.piece_buffer, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.open = True

    def close(self):
        """Let go of what it has; not an error if that was done."""
        if self.open:
            self.open = False
            PyBuffer_Release(&self.piece_buffer)
            self.copy = None
        super().close()

    def __dealloc__(self):
        if self.open:
            PyBuffer_Release(&self.piece_buffer)

    @property
    def needed(self):
        """Pages for the first of them; 0 if there is none."""
        if self.next == self.frames:
            return 0
        return slots_of(self.record())

    def lay(self, arena):
        """Lay frames into posted pages, as many as there are pages for, and no more than a lot.

        :param arena: where they lie
        :returns: the responses to all requests that were used
        """
        cdef uint32_t count
        cdef bytes answers
        cdef RxResponse *answer
        with nogil:
            count = self.spread()
        if not count:
            return b""
        self.copied += self.pieces
        self.calls += 1
        self.copy(self.piece_view[: self.pieces * sizeof(Piece)], arena)
        self.slots += self.used
        answers = PyBytes_FromStringAndSize(NULL, self.used * sizeof(RxResponse))
        answer = <RxResponse *>PyBytes_AsString(answers)
        with nogil:
            self.settle(answer, count)
        return answers

    cdef uint32_t spread(self) noexcept nogil:
        # Pieces, and the places that they and extras take.
        cdef const Record *record
        cdef Laid *laid
        cdef Piece *piece
        cdef uint32_t count = 0, at, pages, size = 0
        self.used = self.pieces = 0
        while self.next < self.frames and size < LOT:
            record = self.record()
            if not 0 < record.length <= SLOTS_MAX * PAGE:
                self.errors += 1
                self.next += 1
                continue
            pages = (record.length + PAGE - 1) // PAGE
            if slots_of(record) > self.posted.count:
                break
            self.next += 1
            size += record.length
            laid = &self.laid[count]
            count += 1
            laid.slots, laid.pieces, laid.record = pages + (record.gso != 0), pages, record[0]
            for at in range(laid.slots):
                self.places[self.used + at] = self.posted.next()
            for at in range(pages):
                piece = <Piece *>self.piece_buffer.buf + self.pieces
                piece.gref = self.places[self.used + (at + (record.gso != 0) if at else 0)].gref
                piece.offset, piece.status = 0, 0
                piece.length = min(<uint32_t>PAGE, record.length - at * PAGE)
                piece.place = record.place + at * PAGE
                self.pieces += 1
            self.used += laid.slots
        return count

    cdef void settle(self, RxResponse *answer, uint32_t count) noexcept nogil:
        # Responses, in the ring's order.
        cdef const Piece *piece = <const Piece *>self.piece_buffer.buf
        cdef const Place *place = self.places
        cdef const Record *record
        cdef uint32_t i, at
        cdef bint whole
        for i in range(count):
            record = &self.laid[i].record
            whole = True
            for at in range(self.laid[i].pieces):
                if at == 1 and record.gso:
                    form_gso(<Extra *>answer, record)
                    answer += 1
                    place += 1
                answer.id, answer.offset, answer.flags = place.id, 0, 0
                answer.status = <int16_t>piece.length
                if piece.status:
                    answer.status, whole = <int16_t>piece.status, False
                if at == 0:
                    answer.flags = flags_of(record)
                if at + 1 < self.laid[i].pieces:
                    answer.flags |= MORE_DATA
                answer += 1
                place += 1
                piece += 1
            if self.laid[i].pieces == 1 and record.gso:
                form_gso(<Extra *>answer, record)
                answer += 1
                place += 1
            if whole:
                self.packets += 1
                self.volume += record.length
            else:
                self.errors += 1


cdef inline uint32_t slots_of(const Record *record) noexcept nogil:
    return (record.length + PAGE - 1) // PAGE + (record.gso != 0)


cdef inline uint16_t flags_of(const Record *record) noexcept nogil:
    # Of the first slot.
    if record.gso:
        return RX_BLANK | RX_VALIDATED | EXTRA_INFO
    if record.checksum == BLANK:
        return RX_BLANK | RX_VALIDATED
    return RX_VALIDATED if record.checksum == VALIDATED else 0
