# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What lines have in common whose frames have a virtio_net_hdr before them: an arena, and what is plain (``fits.pxd``).

Law: what is not plain is left to whoever calls, in its turn; so is what the kernel refuses to take, for another try and
a word about it.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from pvdrivers.net.ports.plain.fits cimport Found, Header, Sum, Told, fits, read, write
from pvdrivers.net.record cimport Record

from mmap import mmap

from pvdrivers.abi.virtio_net import HDR
from pvdrivers.net.ports import arena
from pvdrivers.net.record import RECORD

if (HDR.size, RECORD.size, arena.ROOM) != (sizeof(Header), sizeof(Record), ROOM):
    raise ImportError("lines were compiled for other frames")


cdef Told told_of(abilities):
    cdef Told told
    told.checksum_v4, told.checksum_v6, told.gso_v4, told.gso_v6, told.longest = abilities
    return told


cdef class PlainLine:
    """A line; ``left`` tells that there is a frame for whoever calls, ``failed`` with which errno reading has ended.

    What is counted is that of the last call.
    """

    cdef make(self, int file, abilities, reader, Py_ssize_t size):
        self.file = file
        self.told, self.reader = told_of(abilities), told_of(reader)
        # Pages of it that no frame has touched cost nothing.
        self.memory = mmap(-1, size)
        self.arena = memoryview(self.memory)
        # Of the memory itself: Python's collector, which breaks a cycle at a view that somebody holds, dies of it.
        PyObject_GetBuffer(self.memory, &self.view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.held = True

    def close(self):
        """Let go of the arena; not an error if that was done."""
        if self.held:
            self.held = False
            PyBuffer_Release(&self.view)

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)

    cdef uint8_t *place(self, size_t at) noexcept nogil:
        return <uint8_t *>self.view.buf + at

    @property
    def roomy(self):
        """Whether there is room in the arena for a frame more, however long."""
        return self.at + ROOM <= self.room

    @property
    def rest(self):
        """Give the header of the frame that is left, and the frame."""
        header = (<const uint8_t *>&self.header)[: sizeof(Header)]
        return header, self.arena[self.left_at : self.left_at + self.left_length]

    def keep(self, data):
        """Keep a frame in the arena, which is `roomy`; tell where."""
        cdef uint32_t at = self.at
        self.arena[at : at + len(data)] = data
        self.at = at + (<uint32_t>len(data) + LINE - 1) // LINE * LINE
        return at

    def read(self, records):
        """Read frames until there are no more, or no more room, or one is left; give how many were read but that."""
        cdef Py_buffer view
        cdef uint32_t count
        PyObject_GetBuffer(records, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        with nogil:
            count = self.read_some(<Record *>view.buf, <uint32_t>(view.len // <Py_ssize_t>sizeof(Record)))
        PyBuffer_Release(&view)
        return count

    def write(self, arena, records):
        """Write frames, until one is left; give how many were written or dropped."""
        cdef Py_buffer view, places
        cdef uint32_t done
        PyObject_GetBuffer(arena, &view, PyBUF_SIMPLE)
        PyObject_GetBuffer(records, &places, PyBUF_SIMPLE)
        with nogil:
            done = self.write_some(
                <const uint8_t *>view.buf, <uint64_t>view.len,
                <const Record *>places.buf, <uint32_t>(places.len // <Py_ssize_t>sizeof(Record)),
            )
        PyBuffer_Release(&places)
        PyBuffer_Release(&view)
        return done

    cdef uint32_t read_some(self, Record *records, uint32_t limit) noexcept nogil:
        return 0

    cdef uint32_t write_some(
        self, const uint8_t *arena, uint64_t size, const Record *records, uint32_t count
    ) noexcept nogil:
        return 0

    cdef bint take(self, const Header *header, uint8_t *data, Record *record) noexcept nogil:
        # Judges a frame, of which all headers lie in one; False: it is left, as if it were in the arena.
        cdef Found found
        cdef Sum sum
        if read(header, data, record) and fits(record, data, &self.reader, &found, &sum):
            if sum.at:
                memcpy(data + sum.at, sum.value, sizeof(sum.value))
                self.finished += 1
            return True
        self.left = True
        self.header = header[0]
        self.left_at, self.left_length = record.place, record.length
        return False

    cdef int form(
        self, Record *record, const uint8_t *arena, Header *header, Sum *sum, iovec *parts
    ) noexcept nogil:
        # Gives of how many parts a frame is to be written; 0: it is left.
        cdef uint8_t *data = <uint8_t *>arena + record.place
        cdef uint32_t rest
        cdef Found found
        if not fits(record, data, &self.told, &found, sum) or not write(record, &found, header):
            return 0
        parts[0].iov_base, parts[0].iov_len = header, sizeof(Header)
        parts[1].iov_base, parts[1].iov_len = data, record.length
        if not sum.at:
            return 2
        # Whose bytes it is, may not want them changed.
        rest = sum.at + sizeof(sum.value)
        parts[1].iov_len = sum.at
        parts[2].iov_base, parts[2].iov_len = sum.value, sizeof(sum.value)
        parts[3].iov_base, parts[3].iov_len = data + rest, record.length - rest
        return PARTS
