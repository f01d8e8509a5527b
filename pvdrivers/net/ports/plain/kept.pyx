# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Frames that are kept until they are asked for, in memory that is used again and again; all of it under the GIL.

Law: what waits is bounded. What was given lies where it is until the next turn (`clear`).
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from pvdrivers.net.ports.plain.fits cimport ETHERNET, Found, Sum, fits
from pvdrivers.net.ports.plain.line cimport LINE, ROOM, PlainLine
from pvdrivers.net.record cimport Record

from pvdrivers.net.ports.inbox import BYTES as BYTES_MAX
from pvdrivers.net.ports.inbox import FRAMES as FRAMES_MAX

cdef enum:
    FRAMES = 1024
    BYTES = 4 << 20
    # What waits, and as much that was given; each begins a line, and none goes round the end.
    RING = 2 * (BYTES + FRAMES * LINE) + 2 * ROOM
    # Behind it, room for what becomes of those that are left.
    ARENA = RING + 4 * ROOM
    ADDRESSES = 12

if (FRAMES_MAX, BYTES_MAX) != (FRAMES, BYTES):
    raise ImportError("frames were compiled for another inbox")


cdef class Kept(PlainLine):
    """Frames that wait.

    :param abilities: of whoever asks
    """

    cdef Record[2 * FRAMES] frames
    cdef uint32_t first, given, waiting     # the frame that was given first, how many were, how many wait
    cdef uint64_t size                      # of those that wait
    cdef uint32_t end                       # where the next is laid
    cdef Record record                      # of the frame that is left

    def __init__(self, abilities):
        self.make(-1, abilities, abilities, ARENA)
        self.room = ARENA

    def put(self, arena, records):
        """Keep frames, as many as there may be; give how many were not."""
        cdef Py_buffer view, places
        cdef uint32_t i, count, lost = 0
        PyObject_GetBuffer(arena, &view, PyBUF_SIMPLE)
        PyObject_GetBuffer(records, &places, PyBUF_SIMPLE)
        count = <uint32_t>(places.len // <Py_ssize_t>sizeof(Record))
        for i in range(count):
            lost += not self.put_one(<const uint8_t *>view.buf, <uint64_t>view.len, <const Record *>places.buf + i)
        PyBuffer_Release(&places)
        PyBuffer_Release(&view)
        return lost

    cdef bint put_one(self, const uint8_t *arena, uint64_t size, const Record *record) noexcept nogil:
        cdef uint32_t length = record.length, begin = self.end, tail
        cdef bint round
        cdef Record *kept
        if self.waiting == FRAMES or self.size + length > BYTES or length >= ROOM:
            return False
        if <uint64_t>record.place + length > size:
            return False
        if self.given + self.waiting:
            tail = self.frames[self.first].place
            round = begin >= tail and begin + length > RING
            if round:
                begin = 0
            # One that ended where the first begins would look as if there were none.
            if (round or begin < tail) and begin + length + LINE > tail:
                return False
        else:
            begin = 0
        kept = &self.frames[(self.first + self.given + self.waiting) % (2 * FRAMES)]
        kept[0] = record[0]
        kept.place = begin
        memcpy(self.place(begin), arena + record.place, length)
        self.end = begin + (length + LINE - 1) // LINE * LINE
        self.waiting += 1
        self.size += length
        return True

    def __len__(self):
        return self.waiting

    def clear(self):
        """Begin anew: what was given until now is overwritten."""
        self.first = (self.first + self.given) % (2 * FRAMES)
        self.given = 0
        self.at = RING

    def read(self, records):
        """Give frames until none waits, or one is left; give how many but that."""
        cdef Py_buffer view
        cdef uint32_t count = 0, limit
        cdef Record *record
        cdef Found found
        cdef Sum sum
        PyObject_GetBuffer(records, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        limit = <uint32_t>(view.len // <Py_ssize_t>sizeof(Record))
        self.syscalls = self.lost = self.finished = 0
        self.left = False
        while count < limit and self.waiting and self.given < FRAMES and not self.left:
            record = <Record *>view.buf + count
            record[0] = self.frames[(self.first + self.given) % (2 * FRAMES)]
            self.given += 1
            self.waiting -= 1
            self.size -= record.length
            if fits(record, self.place(record.place), &self.reader, &found, &sum):
                if sum.at:
                    memcpy(self.place(record.place) + sum.at, sum.value, sizeof(sum.value))
                    self.finished += 1
                count += 1
            else:
                self.left, self.record = True, record[0]
        PyBuffer_Release(&view)
        return count

    @property
    def left_record(self):
        """Give the record of the frame that is left."""
        return PyBytes_FromStringAndSize(<char *>&self.record, sizeof(Record))

    def forget(self):
        """Keep none."""
        self.first = self.given = self.waiting = 0
        self.size = 0


def stretches(arena, records):
    """Give where frames in a row go from one address to one other: both addresses, the first of them, and the end.

    What is no frame has no addresses.
    """
    cdef Py_buffer view, places
    cdef const Record *record
    cdef const uint8_t *head = NULL
    cdef const uint8_t *addresses
    cdef uint32_t i, count, begin = 0
    cdef list found = []
    PyObject_GetBuffer(arena, &view, PyBUF_SIMPLE)
    PyObject_GetBuffer(records, &places, PyBUF_SIMPLE)
    record = <const Record *>places.buf
    count = <uint32_t>(places.len // <Py_ssize_t>sizeof(Record))
    for i in range(count + 1):
        addresses = NULL
        if i < count and record[i].length >= ETHERNET and <uint64_t>record[i].place + ETHERNET <= <uint64_t>view.len:
            addresses = <const uint8_t *>view.buf + record[i].place
        if i and (i == count or (addresses == NULL) != (head == NULL) or (
            head != NULL and memcmp(addresses, head, ADDRESSES) != 0
        )):
            found.append((b"" if head == NULL else PyBytes_FromStringAndSize(<char *>head, ADDRESSES), begin, i))
            begin = i
        head = addresses
    PyBuffer_Release(&places)
    PyBuffer_Release(&view)
    return found
