# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Pages of all processors → their records in order of time: as whoever counts them takes them, or in columns.

Law: no more than a piece of each processor's pages is here at once.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from traces.kvm.decode.cursor cimport Cursor, advance, word
from traces.kvm.decode.merged cimport Merged, pop, push, sink


def tally(bytes piece not None, Py_ssize_t page_size, uint64_t before=0):
    """Say how many records some whole pages of a processor hold, and when the last was made.

    :param before: the time of the last one before them
    """
    cdef Cursor c
    cdef const uint8_t[::1] view
    cdef Py_ssize_t count = 0
    if not piece:
        return 0, before
    memset(&c, 0, sizeof(c))
    view = piece
    c.data = &view[0]
    c.size = len(piece)
    c.page_size = page_size
    c.ts = before
    with nogil:
        while advance(&c):
            count += 1
    return count, c.ts


cdef class Streams:
    """Merges the records of processors.

    :param page_sizes: of each one's pages, in bytes
    :param cpus: whose they are
    """

    def __cinit__(self, page_sizes, cpus, *_others):
        cdef Py_ssize_t i
        self.merged.streams = len(cpus)
        self.merged.cursors = <Cursor *>calloc(self.merged.streams + 1, sizeof(Cursor))
        self.merged.heap = <uint32_t *>calloc(self.merged.streams + 1, sizeof(uint32_t))
        if self.merged.cursors == NULL or self.merged.heap == NULL:
            raise MemoryError
        for i in range(self.merged.streams):
            self.merged.cursors[i].page_size = page_sizes[i]
            self.merged.cursors[i].cpu = cpus[i]
        self.held = [b""] * self.merged.streams

    def __dealloc__(self):
        free(self.merged.cursors)
        free(self.merged.heap)

    cdef int start(self, pieces) except -1:
        """Find the first record of each, or of those that had no more the first one that came since."""
        cdef Py_ssize_t i
        for i in range(self.merged.streams):
            if not self.merged.cursors[i].heaped and self._found(i, pieces[i]):
                self.merged.cursors[i].heaped = True
                push(&self.merged, <uint32_t>i)
        return 0

    cdef int follow(self, Py_ssize_t i, pieces) except -1:
        """Find another record of the one on top, whose next one is not here."""
        if self._found(i, pieces[i]):
            sink(&self.merged)
        else:
            self.merged.cursors[i].heaped = False
            pop(&self.merged)
        return 0

    cdef int _found(self, Py_ssize_t i, pieces) except -1:
        # Find its next record, in the next piece if need be; 0: there is none.
        cdef Cursor *c = &self.merged.cursors[i]
        cdef const uint8_t[::1] view
        while not advance(c):
            data = next(pieces, None)
            if data is None:
                return 0
            self.held[i] = data
            c.base += c.size
            c.size = len(data)
            c.next_page = c.at = c.end = 0
            if c.size:
                view = data
                c.data = &view[0]
            self.bytes += <uint64_t>c.size
        return 1

    @property
    def damages(self):
        """(what, how often, where first) of each stream's damage."""
        cdef Py_ssize_t i
        found = []
        for i in range(self.merged.streams):
            if self.merged.cursors[i].skipped:
                found.append(("bad_page", 1, self.merged.cursors[i].first_skipped))
            if self.merged.cursors[i].lost:
                found.append(("lost_records", self.merged.cursors[i].lost, self.merged.cursors[i].first_lost))
            if self.merged.cursors[i].backwards:
                found.append(("tsc_backwards", self.merged.cursors[i].backwards, self.merged.cursors[i].first_backwards))
        return found

    @property
    def skipped_bytes(self):
        cdef Py_ssize_t i
        cdef uint64_t all_ = 0
        for i in range(self.merged.streams):
            all_ += self.merged.cursors[i].skipped
        return all_

    @property
    def lost(self):
        cdef Py_ssize_t i
        cdef uint64_t all_ = 0
        for i in range(self.merged.streams):
            all_ += self.merged.cursors[i].lost
        return all_


@cython.final
cdef class Columns(Streams):
    """Puts records in columns, some at a time."""

    def fill(
        self,
        pieces,
        uint64_t[::1] ts not None,
        uint16_t[::1] event not None,
        int32_t[::1] pid not None,
        uint16_t[::1] cpu not None,
        uint64_t[::1] offset not None,
        int64_t[::1] place not None,
        uint32_t[::1] length not None,
        uint8_t[::1] data not None,
        uint64_t limit=<uint64_t>-1,
    ):
        """Take the next records, as many as there is room for; say how many, none at the end.

        :param offset: of each in its processor's pages, in bytes
        :param place: of each in ``data``, which has room for a page at least
        :param limit: no later ones
        """
        cdef Py_ssize_t count = 0, used = 0, rows = len(ts), room = len(data)
        cdef Cursor *c
        cdef uint32_t i
        self.start(pieces)
        while self.merged.heaped and count < rows:
            i = self.merged.heap[0]
            c = &self.merged.cursors[i]
            if c.ts > limit or used + <Py_ssize_t>c.length > room:
                break
            ts[count] = c.ts
            memcpy(&event[count], c.record, 2)
            pid[count] = <int32_t>word(c.record + 4)
            cpu[count] = <uint16_t>c.cpu
            offset[count] = <uint64_t>(c.base + (c.record - c.data))
            place[count] = used
            length[count] = c.length
            memcpy(&data[used], c.record, c.length)
            used += c.length
            count += 1
            if advance(c):
                sink(&self.merged)
            else:
                self.follow(i, pieces)
        return count
