# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Plain reads and writes, where a frontend's pages are kept mapped (persistent grants).

Law: as `core`; a request that names a page that is not kept is left as well.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString
from libc.stdint cimport int16_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from pvdrivers.block.back.plain.core cimport Core, collected, count, finish, responses
from pvdrivers.block.back.plain.job cimport Job, give, make_job
from pvdrivers.block.back.plain.medium cimport iovec, transfer
from pvdrivers.block.back.plain.message cimport (
    CAPACITY, LAST, LEFT, PAGE, SECTOR, SEGMENTS_MAX, SEGMENT_SIZE, Asked, Segment, answer, head, segment_of, sound,
    table_gref, table_part,
)
from pvdrivers.block.back.plain.places cimport Page, Places, empty, fill, find, free_place, make, oldest, unmake


@cython.final
cdef class KeptCore(Core):
    """What a queue does without asking, for pages that it has been told of.

    :param limit: pages that are kept, at most

    The others are `Core`'s.
    """

    cdef Places places
    cdef uint8_t *table             # an indirect request's segments
    cdef iovec *buffers             # of the request in hand
    cdef uint32_t *used             # and the places of the pages that they are in

    def __init__(self, layout, disk, uint32_t max_indirect, int wake, uint32_t limit):
        super().__init__(layout, disk, max_indirect, wake)
        self.table = <uint8_t *>malloc(SEGMENTS_MAX * SEGMENT_SIZE)
        self.buffers = <iovec *>malloc(SEGMENTS_MAX * sizeof(iovec))
        self.used = <uint32_t *>malloc(SEGMENTS_MAX * sizeof(uint32_t))
        if not (make(&self.places, limit) and self.table and self.buffers and self.used):
            raise MemoryError

    cdef void let_go(self) noexcept:
        cdef uint32_t i
        if self.places.pages == NULL:
            return
        for i in range(self.places.limit):
            if self.places.pages[i].known:
                self.places.pages[i].known = False
                PyBuffer_Release(&self.places.pages[i].view)

    def close(self):
        """Let go of pages and disk; no job is under way."""
        self.let_go()
        super().close()

    def __dealloc__(self):
        self.let_go()
        unmake(&self.places)
        free(self.table)
        free(self.buffers)
        free(self.used)

    def learn(self, uint32_t gref, memory):
        """Take note of a page, which stays until it is forgotten.

        :raises ValueError: there are too many, or it is no page
        """
        cdef int place = free_place(&self.places)
        cdef Page *page
        if place < 0 or find(&self.places, gref) >= 0:
            raise ValueError("no room for a page, or it is known")
        page = &self.places.pages[place]
        PyObject_GetBuffer(memory, &page.view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        if page.view.len != PAGE:
            PyBuffer_Release(&page.view)
            raise ValueError("not a page")
        fill(&self.places, place, gref)

    def forget(self, uint32_t gref):
        """Let go of a page; False if it is in use."""
        cdef int place = find(&self.places, gref)
        if place < 0:
            return True
        if self.places.pages[place].users:
            return False
        PyBuffer_Release(&self.places.pages[place].view)
        empty(&self.places, place)
        return True

    def oldest(self):
        """Name the page that has not been used for the longest, of those that are not in use."""
        cdef int place = oldest(&self.places)
        return None if place < 0 else self.places.pages[place].gref

    def serve(self, bytes messages, uint64_t sectors):
        """Do what can be done at once, and begin what can be done without asking.

        :param messages: as a ring gives them
        :param sectors: of the disk, now
        :returns: responses, and the messages that are left: all from the first barrier on, which comes in between
        :raises ValueError: there are more than a ring has
        """
        cdef const uint8_t *message = <const uint8_t *>PyBytes_AsString(messages)
        cdef int size = self.terms.request_size
        cdef uint32_t number = <uint32_t>(len(messages) // size)
        cdef uint32_t i = 0, answered = 0
        cdef list rest = None
        cdef int verdict
        if number > CAPACITY:
            raise ValueError("more messages than a ring has")
        while i < number:
            with nogil:
                while i < number:
                    verdict = self.one(message + i * size, sectors, answered)
                    if verdict < 0:
                        break
                    answered += verdict
                    i += 1
            if i < number:
                if rest is None:
                    rest = []
                if verdict == LAST:
                    rest.append(messages[i * size :])
                    break
                rest.append(messages[i * size : (i + 1) * size])
                i += 1
        return responses(self, answered), b"" if rest is None else b"".join(rest)

    cdef int one(self, const uint8_t *message, uint64_t sectors, uint32_t slot) noexcept nogil:
        # How many responses (0: a thread has it), or LEFT or LAST.
        cdef Asked asked
        cdef Segment segment
        cdef Page *page
        cdef uint32_t i
        cdef int place, verdict = head(&self.terms, message, &asked)
        if verdict < 0:
            return verdict
        for i in range(asked.table_pages):
            place = find(&self.places, table_gref(&self.terms, message, i))
            if place < 0:
                return LEFT
            page = &self.places.pages[place]
            page.stamp = self.places.clock
            memcpy(self.table + i * PAGE, page.view.buf, table_part(&asked, i))
        if asked.table_pages:
            asked.table = self.table
        if not sound(&self.terms, &asked, sectors):
            return LEFT
        self.places.clock += 1
        for i in range(asked.count):
            segment = segment_of(&asked, i)
            place = find(&self.places, segment.gref)
            if place < 0:
                return LEFT
            page = &self.places.pages[place]
            page.stamp = self.places.clock
            self.used[i] = <uint32_t>place
            self.buffers[i].iov_base = <uint8_t *>page.view.buf + segment.start
            self.buffers[i].iov_len = segment.length
        cdef int status = transfer(
            &self.medium, asked.operation, asked.sector * SECTOR, asked.length * SECTOR, asked.count, self.buffers
        )
        if status > 0:
            return 0 if self.defer(&asked, message + self.terms.id_at) else LEFT
        count(self, asked.operation, asked.length, status)
        answer(&self.terms, self.answers, slot, message + self.terms.id_at, asked.operation, <int16_t>status)
        return 1

    cdef bint defer(self, const Asked *asked, const uint8_t *ident) noexcept nogil:
        # Have a thread do the request in hand. False: no memory.
        cdef Job *job = make_job(asked, ident)
        cdef uint32_t i
        if job == NULL:
            return False
        memcpy(job.buffers, self.buffers, asked.count * sizeof(iovec))
        memcpy(job.pages, self.used, asked.count * sizeof(uint32_t))
        for i in range(asked.count):
            self.places.pages[job.pages[i]].users += 1
        give(&self.threads, job)
        return True

    def collect(self):
        """Give the responses of what threads have done; its pages are in use no more."""
        cdef Job *job
        cdef Job *done
        cdef uint32_t number = 0, i
        if not self.threads.pending:
            return b""
        done = collected(self)
        while done != NULL:
            job = done
            done = job.next
            for i in range(job.count):
                self.places.pages[job.pages[i]].users -= 1
            number = finish(self, job, number)
        return responses(self, number)
