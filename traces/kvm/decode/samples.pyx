# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Samples of tracepoints in a perf.data, put in order of time and into pages as a ring buffer's.

Ref: Linux, include/uapi/linux/perf_event.h (perf_event_header, PERF_RECORD_SAMPLE), tools/perf/util/ordered-events.c
"""

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, qsort, realloc
from libc.string cimport memcpy, memmove, memset

from traces.kvm.decode.cursor cimport long_word, word

cdef extern from *:
    const uint64_t NEVER "UINT64_MAX"

cdef enum:
    # Kinds of records. Ref: perf_event.h; tools/lib/perf/include/perf/event.h
    LOST = 2
    COMM = 3
    SAMPLE = 9
    LOST_SAMPLES = 13
    FINISHED_ROUND = 68
    AUXTRACE = 71
    COMPRESSED = 81
    HEAD = 8
    CPUS_MAX = 8192
    PAGE = 4096
    PAGE_HEAD = 16
    # Samples that wait for their round's end, and their bytes; beyond that they go out as they are.
    PENDING_MAX = 1 << 20
    POOL_MAX = 64 << 20

cdef struct Sample:
    uint64_t ts
    uint64_t number
    uint32_t cpu
    uint32_t length
    uint64_t place

cdef struct Page:
    uint8_t *data
    uint32_t used
    uint64_t last
    uint64_t lost


cdef int _order(const void *one, const void *other) noexcept nogil:
    cdef const Sample *a = <const Sample *>one
    cdef const Sample *b = <const Sample *>other
    if a.ts != b.ts:
        return 1 if a.ts > b.ts else -1
    return 1 if a.number > b.number else -1


@cython.final
cdef class Samples:
    """Takes records as they come, and gives pages.

    :param events: numbers of the tracepoints
    :param tid: where in a sample its process and thread are, ``time`` its time, ``cpu`` its processor
    :param raw: where its bytes are; with ``chained``, behind a call chain that begins there
    """

    cdef uint8_t known[1 << 16]
    cdef Py_ssize_t tid, time, cpu, raw
    cdef bint chained
    cdef Sample *pending
    cdef Py_ssize_t count, room
    cdef uint8_t *pool
    cdef uint64_t used, space
    cdef Page *pages
    cdef uint64_t number, newest, before
    cdef readonly list made             # (processor, page)
    cdef readonly dict comms            # names of threads
    cdef readonly dict processes        # of threads of samples, as far as there is room
    cdef readonly object skipped        # records that are none
    cdef readonly bint compressed

    def __cinit__(self, events, Py_ssize_t tid, Py_ssize_t time, Py_ssize_t cpu, Py_ssize_t raw, bint chained):
        for event in events:
            self.known[<uint16_t>event] = 1
        self.tid, self.time, self.cpu, self.raw, self.chained = tid, time, cpu, raw, chained
        self.pages = <Page *>calloc(CPUS_MAX, sizeof(Page))
        if self.pages == NULL:
            raise MemoryError
        self.made, self.comms, self.processes, self.skipped = [], {}, {}, 0

    def __dealloc__(self):
        cdef int i
        if self.pages != NULL:
            for i in range(CPUS_MAX):
                free(self.pages[i].data)
        free(self.pages)
        free(self.pending)
        free(self.pool)

    def feed(self, const uint8_t[::1] data not None):
        """Take some records; say how many bytes were whole ones, 0 where not even the first is."""
        cdef Py_ssize_t at = 0, size, end = len(data)
        cdef const uint8_t *one
        cdef uint32_t kind
        while at + HEAD <= end:
            one = &data[at]
            kind = word(one)
            size = word(one + 4) >> 16
            if size < HEAD:
                # Nothing behind it can be found.
                self.skipped += 1
                return end
            if at + size > end:
                break
            if kind == SAMPLE:
                self._sample(one, size)
            elif kind == FINISHED_ROUND:
                # All up to what was newest at the last round's end: more of that cannot come.
                self._flush(self.before)
                self.before = self.newest
            elif kind == COMM:
                self._comm(one, size)
            elif kind == LOST and size >= 24:
                self.pages[0].lost += long_word(one + 16)
            elif kind == LOST_SAMPLES and size >= 16:
                self.pages[0].lost += long_word(one + 8)
            elif kind == COMPRESSED:
                self.compressed = True
                return end
            elif kind == AUXTRACE and size >= 16:
                # What a processor traced by itself lies behind it.
                size += <Py_ssize_t>min(long_word(one + 8), <uint64_t>(end - at))
            at += size
        return min(at, end)

    def finish(self):
        """Give the rest."""
        cdef int i
        self._flush(NEVER)
        for i in range(CPUS_MAX):
            if self.pages[i].used > PAGE_HEAD or self.pages[i].lost:
                self._turn(i)

    cdef int _comm(self, const uint8_t *one, Py_ssize_t size) except -1:
        # Process, thread, and its name up to a NUL.
        if size > 16 and len(self.comms) < 1 << 16:
            self.comms[word(one + 12)] = bytes(one[16:size]).split(b"\0")[0]
        return 0

    cdef int _sample(self, const uint8_t *one, Py_ssize_t size) except -1:
        cdef Py_ssize_t at = self.raw
        cdef uint64_t chain
        cdef uint32_t length, cpu
        cdef Sample *sample
        if at + 8 > size:
            return self._skip()
        if self.chained:
            chain = long_word(one + at)
            if chain > <uint64_t>size // 8 or at + 8 + 8 * <Py_ssize_t>chain + 4 > size:
                return self._skip()
            at += 8 + 8 * <Py_ssize_t>chain
        length = word(one + at) & ~<uint32_t>3
        cpu = word(one + self.cpu)
        if length < HEAD or at + 4 + <Py_ssize_t>length > size or cpu >= CPUS_MAX:
            return self._skip()
        if length > PAGE - PAGE_HEAD - 16 or not self.known[<uint16_t>word(one + at + 4)]:
            return self._skip()
        if self.count >= PENDING_MAX or self.used + length > POOL_MAX:
            self._flush(NEVER)
        self._grow(length)
        sample = &self.pending[self.count]
        sample.ts = long_word(one + self.time)
        sample.number = self.number
        sample.cpu = cpu
        sample.length = length
        sample.place = self.used
        memcpy(self.pool + self.used, one + at + 4, length)
        self.used += length
        self.count += 1
        self.number += 1
        if sample.ts > self.newest:
            self.newest = sample.ts
        if len(self.processes) < 1 << 16:
            self.processes[word(one + self.tid + 4)] = word(one + self.tid)
        return 0

    cdef int _skip(self) except -1:
        self.skipped += 1
        return 0

    cdef int _grow(self, uint32_t length) except -1:
        cdef void *more
        if self.count == self.room:
            more = realloc(self.pending, (2 * self.room + 1024) * sizeof(Sample))
            if more == NULL:
                raise MemoryError
            self.pending, self.room = <Sample *>more, 2 * self.room + 1024
        if self.used + length > self.space:
            more = realloc(self.pool, 2 * self.space + length + (1 << 16))
            if more == NULL:
                raise MemoryError
            self.pool, self.space = <uint8_t *>more, 2 * self.space + length + (1 << 16)
        return 0

    cdef int _flush(self, uint64_t limit) except -1:
        cdef Py_ssize_t i, out = 0
        cdef uint64_t used = 0, place
        if self.count == 0:
            return 0
        qsort(self.pending, self.count, sizeof(Sample), _order)
        while out < self.count and self.pending[out].ts <= limit:
            self._put(&self.pending[out])
            out += 1
        self.count -= out
        memmove(self.pending, self.pending + out, self.count * sizeof(Sample))
        if self.count == 0:
            self.used = 0
            return 0
        if out:
            self._compact()
        return 0

    cdef int _compact(self) except -1:
        # What is left of the pool goes to its beginning.
        cdef uint8_t *kept = <uint8_t *>calloc(1, self.space)
        cdef uint64_t used = 0
        cdef Py_ssize_t i
        if kept == NULL:
            raise MemoryError
        for i in range(self.count):
            memcpy(kept + used, self.pool + self.pending[i].place, self.pending[i].length)
            self.pending[i].place = used
            used += self.pending[i].length
        free(self.pool)
        self.pool, self.used = kept, used
        return 0

    cdef int _put(self, const Sample *sample) except -1:
        cdef Page *page = &self.pages[sample.cpu]
        cdef uint64_t delta
        cdef uint32_t first
        if page.data == NULL:
            page.data = <uint8_t *>calloc(1, PAGE)
            if page.data == NULL:
                raise MemoryError
        # A time that is extended, a length that does not fit, and the record.
        if page.used and (page.used + 16 + sample.length > PAGE - 8 or sample.ts < page.last):
            self._turn(sample.cpu)
        if page.used == 0:
            page.used = PAGE_HEAD
            page.last = sample.ts
            memcpy(page.data, &sample.ts, 8)
        delta = sample.ts - page.last
        page.last = sample.ts
        if delta >> 27:
            if delta >> 59:
                self._turn(sample.cpu)
                return self._put(sample)
            first = 30 | <uint32_t>(delta & ((1 << 27) - 1)) << 5
            self._word(page, first)
            self._word(page, <uint32_t>(delta >> 27))
            delta = 0
        if sample.length <= 4 * 28:
            self._word(page, sample.length // 4 | <uint32_t>delta << 5)
        else:
            self._word(page, <uint32_t>delta << 5)
            self._word(page, sample.length + 4)
        memcpy(page.data + page.used, self.pool + sample.place, sample.length)
        page.used += sample.length
        return 0

    cdef void _word(self, Page *page, uint32_t value) noexcept nogil:
        memcpy(page.data + page.used, &value, 4)
        page.used += 4

    cdef int _turn(self, uint32_t cpu) except -1:
        # End a page; what was lost is told behind its records.
        cdef Page *page = &self.pages[cpu]
        cdef uint64_t commit
        if page.data == NULL:
            page.data = <uint8_t *>calloc(1, PAGE)
            if page.data == NULL:
                raise MemoryError
        if page.used < PAGE_HEAD:
            page.used = PAGE_HEAD
            memcpy(page.data, &page.last, 8)
        commit = page.used - PAGE_HEAD
        if page.lost:
            memcpy(page.data + page.used, &page.lost, 8)
            commit |= <uint64_t>1 << 31 | <uint64_t>1 << 30
        memcpy(page.data + 8, &commit, 8)
        self.made.append((cpu, bytes(page.data[:PAGE])))
        memset(page.data, 0, PAGE)
        page.used = 0
        page.lost = 0
        return 0
