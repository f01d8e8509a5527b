# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What a frontend sends, as far as it is plain: messages → pieces, copied in one call → frames, and answers.

Law: messages are copies, which no frontend can change. What is not plain, or not valid, is left with all after it to
`packet.tx_back`, which says what becomes of it; nothing has been done about it by then.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport int16_t, uint8_t, uint32_t, uint64_t

from pvdrivers.net.packet.message cimport (
    ERROR, EXTRA_INFO, HEADER, MORE_DATA, NULL_ANSWER, OKAY, PAGE, SLOT, SLOTS_MAX, TX_BLANK, TX_VALIDATED, Extra,
    TxRequest, TxResponse, plain_gso, told,
)
from pvdrivers.net.plain cimport LOT
from pvdrivers.net.record cimport Record
from pvdrivers.transport.piece cimport Piece

from mmap import mmap

from pvdrivers.abi.netif import EXTRA_GSO as EXTRA
from pvdrivers.abi.netif import TX_REQUEST, TX_RESPONSE
from pvdrivers.net.record import RECORD
from pvdrivers.transport.base import PIECE

cdef enum:
    # Messages that are judged at once: a ring's, and a packet's that was not whole before.
    MESSAGES_MAX = 320
    LINE = 64
    # A lot, and behind it the longest packet, wherever it begins in a page.
    ARENA = LOT + 2 * PAGE + (64 << 10)
    # What a message is, where no number of messages is meant.
    LEFT = 0
    WAITS = -1

if (TX_REQUEST.size, TX_RESPONSE.size, EXTRA.size, RECORD.size, PIECE.size) != (
    sizeof(TxRequest), sizeof(TxResponse), sizeof(Extra), sizeof(Record), sizeof(Piece)
):
    raise ImportError("the net core was compiled for another protocol")


cdef struct Packet:
    uint32_t messages, extras, pieces
    Record record


cdef class Sent:
    """One queue's.

    :param copy: copies pieces out of the frontend's pages: packed, and to where
    :ivar packets: that were whole until now, of so many bytes (``volume``); all that follows is until now as well
    :ivar slots: that were taken
    :ivar errors: packets that could not be copied
    :ivar copied: pieces of them, in so many ``calls``
    """

    cdef object copy
    cdef object pages
    cdef readonly object arena
    cdef object piece_view, record_view
    cdef Py_buffer arena_buffer, piece_buffer, record_buffer
    cdef bint held
    cdef Packet[MESSAGES_MAX] judged
    cdef readonly uint32_t frames       # of the last batch, whole
    cdef readonly uint64_t size        # that they have
    cdef readonly uint32_t used         # bytes of the arena
    cdef readonly uint64_t packets, volume, slots, errors, copied, calls
    cdef uint32_t pieces
    cdef readonly bint more             # what is left may be plain, and was not looked at
    cdef readonly bint waits            # what is left is the beginning of a packet that may be plain

    def __init__(self, copy):
        self.copy = copy
        self.pages = mmap(-1, ARENA)
        self.arena = memoryview(self.pages)
        pieces, records = bytearray(MESSAGES_MAX * sizeof(Piece)), bytearray(MESSAGES_MAX * sizeof(Record))
        self.piece_view, self.record_view = memoryview(pieces), memoryview(records)
        # Of the memory itself: Python's collector, which breaks a cycle at a view that somebody holds, dies of it.
        PyObject_GetBuffer(self.pages, &self.arena_buffer, PyBUF_SIMPLE | PyBUF_WRITABLE)
        PyObject_GetBuffer(pieces, &self.piece_buffer, PyBUF_SIMPLE | PyBUF_WRITABLE)
        PyObject_GetBuffer(records, &self.record_buffer, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.held = True

    def close(self):
        """Let go of the arena; not an error if that was done."""
        if self.held:
            self.held = False
            PyBuffer_Release(&self.arena_buffer)
            PyBuffer_Release(&self.piece_buffer)
            PyBuffer_Release(&self.record_buffer)
            self.copy = None

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.arena_buffer)
            PyBuffer_Release(&self.piece_buffer)
            PyBuffer_Release(&self.record_buffer)

    @property
    def records(self):
        """Tell of the last batch's frames, where they are in ``arena`` (`record.RECORD`); until the next."""
        return self.record_view[: self.frames * sizeof(Record)]

    def take(self, bytes messages):
        """Take packets from the beginning on, up to one that is not plain, or not whole; no more than a lot.

        :param messages: as a ring gives them
        :returns: the answers to them, and to how many messages
        :raises ValueError: there are too many
        """
        cdef const TxRequest *message = <const TxRequest *>PyBytes_AsString(messages)
        cdef uint32_t number = <uint32_t>(len(messages) // SLOT), taken = 0, count = 0, place = 0
        cdef int verdict = LEFT
        cdef bytes answers
        cdef TxResponse *answer
        if number > MESSAGES_MAX:
            raise ValueError("more messages than a ring has")
        self.pieces = self.frames = 0
        self.size = 0
        with nogil:
            while taken < number and place < LOT:
                verdict = self.judge(message + taken, number - taken, &place, &self.judged[count])
                if verdict <= 0:
                    break
                taken += <uint32_t>verdict
                count += 1
        self.used = place
        self.slots += taken
        self.waits = taken < number and verdict == WAITS
        self.more = taken < number and verdict > 0
        if not count:
            return b"", 0
        if self.pieces:
            self.copied += self.pieces
            self.calls += 1
            self.copy(self.piece_view[: self.pieces * sizeof(Piece)], self.arena)
        answers = PyBytes_FromStringAndSize(NULL, taken * sizeof(TxResponse))
        answer = <TxResponse *>PyBytes_AsString(answers)
        with nogil:
            self.settle(message, answer, count)
        self.packets += self.frames
        self.volume += self.size
        return answers, taken

    cdef int judge(self, const TxRequest *first, uint32_t number, uint32_t *place, Packet *packet) noexcept nogil:
        # How many messages the packet that begins here has; or it is LEFT, or WAITS for its end.
        cdef const Extra *gso = NULL
        cdef const TxRequest *slot
        cdef uint32_t at = 1, rest = 0, own, following = 0
        cdef uint32_t pieces = self.pieces
        cdef bint more = first.flags & MORE_DATA
        if first.flags & EXTRA_INFO:
            if number == 1:
                return WAITS
            gso = <const Extra *>(first + 1)
            if not plain_gso(gso):
                return LEFT
            at = 2
        while more:
            if at == number:
                return WAITS
            slot = first + at
            following += 1
            if following > SLOTS_MAX or <uint32_t>slot.offset + slot.size > PAGE:
                return LEFT
            rest += slot.size
            more = slot.flags & MORE_DATA
            at += 1
        if first.size < HEADER or rest > first.size:
            return LEFT
        own = first.size - rest
        if <uint32_t>first.offset + own > PAGE:
            return LEFT
        packet.messages, packet.extras = at, 1 if gso != NULL else 0
        # A copy that crosses into another page of the arena is two to the hypervisor. Slots after the first are mostly
        # parts of one piece of memory, cut where its pages end: if one lies in the arena as in its page, all do.
        if following:
            place[0] += (first[1 + packet.extras].offset - own - place[0]) % <uint32_t>PAGE
        elif place[0] % PAGE + own > PAGE:
            place[0] = (place[0] + PAGE - 1) // PAGE * PAGE
        packet.record.place, packet.record.length = place[0], first.size
        told(&packet.record, first.flags & TX_BLANK, first.flags & TX_VALIDATED, gso)
        self.add(first, own, place)
        for at in range(1 + packet.extras, packet.messages):
            self.add(first + at, first[at].size, place)
        packet.pieces = self.pieces - pieces
        place[0] = (place[0] + LINE - 1) // LINE * LINE
        return <int>packet.messages

    cdef void add(self, const TxRequest *slot, uint32_t length, uint32_t *place) noexcept nogil:
        cdef Piece *piece = <Piece *>self.piece_buffer.buf + self.pieces
        if length:
            piece.gref, piece.offset, piece.length, piece.place = slot.gref, slot.offset, length, place[0]
            piece.status = 0
            place[0] += length
            self.pieces += 1

    cdef void settle(self, const TxRequest *message, TxResponse *answer, uint32_t count) noexcept nogil:
        # Answers, in the ring's order, and records of what is whole.
        cdef const Piece *piece = <const Piece *>self.piece_buffer.buf
        cdef Record *record = <Record *>self.record_buffer.buf
        cdef const Packet *packet
        cdef uint32_t i, at, rest, length
        cdef bint whole
        for i in range(count):
            packet = &self.judged[i]
            rest = 0
            for at in range(1 + packet.extras, packet.messages):
                rest += message[at].size
            whole = True
            for at in range(packet.messages):
                if 1 <= at and at <= packet.extras:
                    answer.id, answer.status = 0, NULL_ANSWER
                else:
                    length = message[at].size if at else packet.record.length - rest
                    answer.id, answer.status = message[at].id, OKAY
                    if length:
                        if piece.status:
                            answer.status, whole = ERROR, False
                        piece += 1
                answer += 1
            message += packet.messages
            if whole:
                record[self.frames] = packet.record
                self.frames += 1
                self.size += packet.record.length
            else:
                self.errors += 1
