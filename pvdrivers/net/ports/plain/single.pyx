# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A line that takes a system call for each frame, as a TAP does; a batch of them without Python.

Ref: Linux drivers/net/tun.c
"""

from libc.errno cimport EAGAIN, EINTR, ENOBUFS, errno
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from pvdrivers.net.ports.plain.fits cimport Header, Sum
from pvdrivers.net.ports.plain.line cimport LINE, PAGE, PARTS, ROOM, iovec
from pvdrivers.net.record cimport Record

cdef extern from "<sys/uio.h>" nogil:
    ssize_t readv(int file, const iovec *parts, int count)
    ssize_t writev(int file, const iovec *parts, int count)


cdef class SingleLine:
    """A line.

    :param file: which stays the caller's, and does not block
    :param abilities: what its other side can be told
    :param reader: what the frontend can be told
    """

    def __init__(self, int file, abilities, reader):
        self.make(file, abilities, reader, ARENA)
        self.room = ARENA

    def clear(self):
        """Begin anew: what was read until now is overwritten."""
        self.at = 0

    cdef uint32_t read_some(self, Record *records, uint32_t limit) noexcept nogil:
        cdef uint32_t count = 0, unit
        cdef Record *record
        cdef Header header
        cdef iovec[2] parts
        self.begin()
        while count < limit and self.at + ROOM <= self.room and not self.left:
            parts[1].iov_base, parts[1].iov_len = self.place(self.at), ROOM
            record = records + count
            if not self.read_one(&header, parts, 2, &record.length):
                break
            if record.length >= ROOM:
                self.lost += 1
                continue
            record.place = self.at
            # Behind a long one comes another, mostly: copied to other pages, parts of it that cross into one are two.
            unit = LINE if record.length <= PAGE else PAGE
            self.at = (self.at + record.length + unit - 1) // unit * unit
            count += self.take(&header, self.place(record.place), record)
        return count

    cdef void begin(self) noexcept nogil:
        # A call's counts.
        self.syscalls = self.lost = self.finished = 0
        self.left, self.failed = False, 0

    cdef bint read_one(self, Header *header, iovec *parts, int count, uint32_t *length) noexcept nogil:
        # Reads a frame into all parts but the first, which is for its header; False: there is none.
        cdef ssize_t size = -1
        parts[0].iov_base, parts[0].iov_len = header, sizeof(Header)
        while size < 0:
            size = readv(self.file, parts, count)
            self.syscalls += 1
            if size < 0 and errno != EINTR:
                self.failed = 0 if errno == EAGAIN else errno
                return False
        length[0] = <uint32_t>size - <uint32_t>sizeof(Header) if size >= <ssize_t>sizeof(Header) else 0
        return True

    cdef uint32_t write_some(
        self, const uint8_t *arena, uint64_t size, const Record *records, uint32_t count
    ) noexcept nogil:
        cdef uint32_t done = 0
        cdef int number
        cdef Record record
        cdef Header header
        cdef Sum sum
        cdef iovec[PARTS] parts
        self.syscalls = self.dropped = self.finished = 0
        self.left = False
        while done < count:
            record = records[done]
            number = 0
            if <uint64_t>record.place + record.length <= size:
                number = self.form(&record, arena, &header, &sum, parts)
            if not number:
                self.left = True
                break
            self.syscalls += 1
            if writev(self.file, parts, number) < 0:
                if errno == EINTR:
                    continue
                if errno != EAGAIN and errno != ENOBUFS:
                    self.left = True
                    break
                # Its queue is full.
                self.dropped += 1
            done += 1
            self.finished += sum.at != 0
        return done
