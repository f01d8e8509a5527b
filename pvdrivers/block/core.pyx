# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Plain reads and writes of a backend, at memory speed: what `request` and `execute` say.

Law: a message that is not a plain read or write, or not a valid one, or names a page that is not kept where pages are
kept, is left to those who can say what is wrong with it; nothing has been done about it by then. What is parsed here is
a copy as well, and an indirect request's segments are copied out of their page before anybody looks at them.

Pages that are not kept are had for many requests at once: one call copies what all of them write, one what all have
read, into and out of frames of our own; or one maps all that are read into, one all that are written from. What was
mapped with others is answered with the last of them, since it is unmapped with them.

What would have to wait for the disk is done by threads, which Python lends.

Ref: xen/include/public/io/blkif.h
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from pvdrivers.block.message cimport (
    BARRIER, DIRECT_MAX, ERROR, INDIRECT, INDIRECT_PAGES, LAST, LEFT, PAGE, PER_INDIRECT_PAGE, READ, SECTOR,
    SEGMENTS_MAX, SEGMENT_SIZE, WRITE, Asked, Segment, Terms, answer, head, pages_of, segment_of, sound, table_gref,
    table_part,
)
from pvdrivers.block.job cimport Job, Work, end, give, make_job, prepare, take_done, toil
from pvdrivers.block.medium cimport FILE_DISK, MEMORY_DISK, NULL_DISK, Medium, iovec, transfer
from pvdrivers.transport.piece cimport Piece

from mmap import mmap

from pvdrivers.abi.blkif import MAX_INDIRECT_PAGES_PER_REQUEST, MAX_SEGMENTS_PER_REQUEST, SECTOR_SIZE, SEGMENT, BlkifOp
from pvdrivers.abi.blkif import SEGMENTS_PER_INDIRECT_PAGE
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.disks.base import Kind
from pvdrivers.errors import MachineError, NotGranted
from pvdrivers.transport.base import PIECE

cdef enum:
    CAPACITY = 1024         # more than a ring's slots
    FRAMES_MAX = 4096       # pages' copies at a time, of a queue
    BATCH_MAX = 32          # requests whose pages are had at once
    PIECES_MAX = 8192       # that are copied at once, at least as many as a request may have

if (PAGE_SIZE, SECTOR_SIZE, SEGMENT.size, MAX_SEGMENTS_PER_REQUEST) != (PAGE, SECTOR, SEGMENT_SIZE, DIRECT_MAX) or (
    SEGMENTS_PER_INDIRECT_PAGE, MAX_INDIRECT_PAGES_PER_REQUEST,
    BlkifOp.READ, BlkifOp.WRITE, BlkifOp.WRITE_BARRIER, BlkifOp.INDIRECT,
) != (PER_INDIRECT_PAGE, INDIRECT_PAGES, READ, WRITE, BARRIER, INDIRECT):
    raise ImportError("the block core was compiled for another protocol")
if (Kind.NULL, Kind.MEMORY, Kind.FILE) != (NULL_DISK, MEMORY_DISK, FILE_DISK):
    raise ImportError("the block core was compiled for other disks")
if PIECE.size != sizeof(Piece):
    raise ImportError("the block core was compiled for another transport")


cdef struct Page:
    Py_buffer view
    uint32_t gref
    uint32_t users      # jobs under way
    uint64_t stamp      # when it was used last, in requests
    bint known


cdef class Lot:
    # Pages that were mapped at once, for some jobs.

    cdef object mapping
    cdef Py_buffer view
    cdef uint32_t users         # jobs that are not done
    cdef uint32_t pages
    cdef Job *done              # those that wait for the others


cdef class Core:
    """What a queue does without asking.

    :param layout: the frontend's (`pvdrivers.abi.blkif.Blkif`)
    :param disk: whose `medium` is not NONE
    :param max_indirect: segments of an indirect request, at most
    :param limit: pages that are kept, at most
    :param wake: an eventfd, written to when a thread has something to collect
    :param ferry: how pages are had, if they are not kept
    :param slots: the ring's
    """

    cdef Terms terms
    cdef Medium medium
    cdef Work threads
    cdef Py_buffer disk             # where that is memory
    cdef Page *pages
    cdef uint32_t limit
    cdef uint32_t *index            # open addressing: place of a page and 1, by hash of its gref
    cdef uint32_t mask
    cdef int shift                  # of a hash, to its uppermost bits
    cdef uint64_t clock
    cdef uint8_t *answers           # room for a ring's responses
    cdef uint8_t *table             # an indirect request's segments
    cdef iovec *buffers             # of the request in hand
    cdef uint32_t *places           # and the pages that they are in
    cdef readonly uint64_t reads, writes, sectors_read, sectors_written, errors
    # Where pages are not kept.
    cdef object ferry
    cdef bint mapped                # for each request, or else copied
    cdef object arena               # frames, then an indirect request's table for each request of a batch
    cdef Py_buffer arena_view
    cdef uint32_t *frames           # those that are free
    cdef uint32_t free_frames, frame_count, table_pages
    cdef object batch               # pieces to be copied
    cdef Py_buffer batch_view
    cdef Job **owners               # whose each piece is
    cdef uint32_t piece_count
    cdef set lots

    def __cinit__(self):
        prepare(&self.threads)

    def __init__(
        self, layout, disk, uint32_t max_indirect, uint32_t limit, int wake, ferry=None, uint32_t slots=BATCH_MAX
    ):
        request, indirect, response = layout.request.offsets, layout.indirect.offsets, layout.response.offsets
        self.terms.request_size, self.terms.id_at = layout.request.size, request["id"]
        self.terms.sector_at, self.terms.segments_at = request["sector_number"], request["seg"]
        self.terms.indirect_count_at, self.terms.indirect_sector_at = indirect["nr_segments"], indirect["sector_number"]
        self.terms.grefs_at = indirect["indirect_grefs"]
        self.terms.response_size = layout.response.size
        self.terms.op_at, self.terms.status_at = response["operation"], response["status"]
        self.terms.max_indirect = min(max_indirect, SEGMENTS_MAX)
        self.terms.unit = disk.sector_size // SECTOR
        self.terms.readonly = disk.readonly
        self.medium.kind, self.medium.fd = disk.medium.kind, disk.medium.fd
        self.threads.wake, self.threads.fd = wake, self.medium.fd
        self.limit = limit
        self.shift = 32 - (4 * limit).bit_length()
        self.mask = (<uint32_t>1 << (32 - self.shift)) - 1
        self.pages = <Page *>calloc(limit, sizeof(Page))
        self.index = <uint32_t *>calloc(self.mask + 1, sizeof(uint32_t))
        self.answers = <uint8_t *>malloc(CAPACITY * self.terms.response_size)
        self.table = <uint8_t *>malloc(SEGMENTS_MAX * SEGMENT_SIZE)
        self.buffers = <iovec *>malloc(SEGMENTS_MAX * sizeof(iovec))
        self.places = <uint32_t *>malloc((SEGMENTS_MAX + INDIRECT_PAGES) * sizeof(uint32_t))
        if not (self.pages and self.index and self.answers and self.table and self.buffers and self.places):
            raise MemoryError
        if self.medium.kind == MEMORY_DISK:
            PyObject_GetBuffer(disk.medium.memory, &self.disk, PyBUF_SIMPLE | PyBUF_WRITABLE)
            self.medium.memory = <uint8_t *>self.disk.buf
        self.ferry = ferry
        if ferry is not None:
            self.embark(slots)

    cdef embark(self, uint32_t slots):
        cdef uint32_t i
        self.mapped = self.ferry.maps
        self.frame_count = min(slots * max(self.terms.max_indirect, <uint32_t>DIRECT_MAX), FRAMES_MAX)
        if self.mapped:
            self.frame_count = 0
        self.table_pages = pages_of(self.terms.max_indirect)
        # Pages of their own: a copy that crosses from one to another is two to the hypervisor.
        self.arena = mmap(-1, (self.frame_count + BATCH_MAX * self.table_pages + 1) * PAGE)
        PyObject_GetBuffer(self.arena, &self.arena_view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.batch = bytearray(PIECES_MAX * sizeof(Piece))
        PyObject_GetBuffer(self.batch, &self.batch_view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.frames = <uint32_t *>malloc(FRAMES_MAX * sizeof(uint32_t))
        self.owners = <Job **>malloc(PIECES_MAX * sizeof(void *))
        if not (self.frames and self.owners):
            raise MemoryError
        # The first is taken first, again and again: it is in the processor's cache.
        for i in range(self.frame_count):
            self.frames[i] = self.frame_count - 1 - i
        self.free_frames = self.frame_count
        self.lots = set()

    def close(self):
        """Let go of pages and disk; no job is under way."""
        cdef uint32_t i
        if self.ferry is not None:
            self.ferry = None
            PyBuffer_Release(&self.arena_view)
            PyBuffer_Release(&self.batch_view)
            self.arena.close()
        if self.pages != NULL:
            for i in range(self.limit):
                if self.pages[i].known:
                    self.pages[i].known = False
                    PyBuffer_Release(&self.pages[i].view)
        PyBuffer_Release(&self.disk)

    def __dealloc__(self):
        self.close()
        free(self.pages)
        free(self.index)
        free(self.answers)
        free(self.table)
        free(self.buffers)
        free(self.places)
        free(self.frames)
        free(self.owners)

    # Pages.

    cdef int find(self, uint32_t gref) noexcept nogil:
        cdef uint32_t at = (gref * <uint32_t>2654435761) >> self.shift
        while self.index[at]:
            if self.pages[self.index[at] - 1].gref == gref:
                return <int>self.index[at] - 1
            at = (at + 1) & self.mask
        return -1

    cdef void enter(self, uint32_t place) noexcept nogil:
        cdef uint32_t at = (self.pages[place].gref * <uint32_t>2654435761) >> self.shift
        while self.index[at]:
            at = (at + 1) & self.mask
        self.index[at] = place + 1

    def learn(self, uint32_t gref, memory):
        """Take note of a page, which stays until it is forgotten.

        :raises ValueError: there are too many, or it is no page
        """
        cdef uint32_t place = 0
        while place < self.limit and self.pages[place].known:
            place += 1
        if place == self.limit or self.find(gref) >= 0:
            raise ValueError("no room for a page, or it is known")
        PyObject_GetBuffer(memory, &self.pages[place].view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        if self.pages[place].view.len != PAGE:
            PyBuffer_Release(&self.pages[place].view)
            raise ValueError("not a page")
        self.clock += 1
        self.pages[place].gref, self.pages[place].users, self.pages[place].stamp = gref, 0, self.clock
        self.pages[place].known = True
        self.enter(place)

    def forget(self, uint32_t gref):
        """Let go of a page; False if it is in use."""
        cdef int place = self.find(gref)
        cdef uint32_t i
        if place < 0:
            return True
        if self.pages[place].users:
            return False
        self.pages[place].known = False
        PyBuffer_Release(&self.pages[place].view)
        memset(self.index, 0, (self.mask + 1) * sizeof(uint32_t))
        for i in range(self.limit):
            if self.pages[i].known:
                self.enter(i)
        return True

    def oldest(self):
        """Name the page that has not been used for the longest, of those that are not in use."""
        cdef int found = -1
        cdef uint32_t i
        for i in range(self.limit):
            if self.pages[i].known and not self.pages[i].users:
                if found < 0 or self.pages[i].stamp < self.pages[found].stamp:
                    found = <int>i
        return None if found < 0 else self.pages[found].gref

    # Requests.

    def serve(self, bytes messages, uint64_t sectors):
        """Do what can be done at once, and begin what can be done without asking.

        :param messages: as a ring gives them
        :param sectors: of the disk, now
        :returns: responses, and the messages that are left: all from the first barrier on, which comes in between
        """
        cdef const uint8_t *message = <const uint8_t *>PyBytes_AsString(messages)
        cdef uint32_t number = <uint32_t>(len(messages) // self.terms.request_size)
        cdef uint32_t i, answered = 0, left = 0
        cdef list rest = None
        cdef int verdict
        if number > CAPACITY:
            raise ValueError("more messages than a ring has")
        if self.ferry is not None:
            return self.ferried(messages, number, sectors)
        i = 0
        while i < number:
            with nogil:
                while i < number:
                    verdict = self.one(message + i * self.terms.request_size, sectors, answered)
                    if verdict < 0:
                        break
                    answered += verdict
                    i += 1
            if i < number:
                if rest is None:
                    rest = []
                if verdict == LAST:
                    rest.append(messages[i * self.terms.request_size :])
                    break
                rest.append(messages[i * self.terms.request_size : (i + 1) * self.terms.request_size])
                i += 1
        return (
            PyBytes_FromStringAndSize(<char *>self.answers, answered * self.terms.response_size),
            b"" if rest is None else b"".join(rest),
        )

    cdef int one(self, const uint8_t *message, uint64_t sectors, uint32_t slot) noexcept nogil:
        # How many responses (0: a thread has it), or LEFT or LAST.
        cdef Asked asked
        cdef uint32_t i
        cdef int place, verdict = head(&self.terms, message, &asked)
        cdef Segment segment
        if verdict < 0:
            return verdict
        for i in range(asked.table_pages):
            place = self.find(table_gref(&self.terms, message, i))
            if place < 0:
                return LEFT
            self.pages[place].stamp = self.clock
            memcpy(self.table + i * PAGE, self.pages[place].view.buf, table_part(&asked, i))
        if asked.table_pages:
            asked.table = self.table
        if not sound(&self.terms, &asked, sectors):
            return LEFT
        self.clock += 1
        for i in range(asked.count):
            segment = segment_of(&asked, i)
            place = self.find(segment.gref)
            if place < 0:
                return LEFT
            self.pages[place].stamp = self.clock
            self.places[i] = <uint32_t>place
            self.buffers[i].iov_base = <uint8_t *>self.pages[place].view.buf + segment.start
            self.buffers[i].iov_len = segment.length
        cdef int status = transfer(
            &self.medium, asked.operation, asked.sector * SECTOR, asked.length * SECTOR, asked.count, self.buffers
        )
        if status > 0:
            if self.defer(&asked, message + self.terms.id_at):
                return 0
            return LEFT
        self.count(asked.operation, asked.length, status)
        answer(&self.terms, self.answers, slot, message + self.terms.id_at, asked.operation, <int16_t>status)
        return 1

    cdef void count(self, uint8_t operation, uint64_t sectors, int status) noexcept nogil:
        if operation == READ:
            self.reads += 1
        else:
            self.writes += 1
        if status:
            self.errors += 1
        elif operation == READ:
            self.sectors_read += sectors
        else:
            self.sectors_written += sectors

    # Pages that are not kept.

    cdef ferried(self, bytes messages, uint32_t number, uint64_t sectors):
        # As `serve`, in stretches of a batch.
        cdef const uint8_t *message = <const uint8_t *>PyBytes_AsString(messages)
        cdef uint32_t at = 0, some, slot = 0
        cdef list rest = []
        cdef int barrier
        while at < number:
            some = min(number - at, <uint32_t>BATCH_MAX)
            slot, barrier = self.stretch(messages, message, at, some, sectors, slot, rest)
            if barrier >= 0:
                rest.append(messages[barrier * self.terms.request_size :])
                break
            at += some
        return PyBytes_FromStringAndSize(<char *>self.answers, slot * self.terms.response_size), b"".join(rest)

    cdef stretch(
        self, bytes messages, const uint8_t *message, uint32_t first, uint32_t number, uint64_t sectors, uint32_t slot,
        list rest
    ):
        cdef Asked[BATCH_MAX] asked
        cdef int[BATCH_MAX] verdicts
        cdef uint32_t i, j
        cdef int barrier = -1
        cdef uint8_t *at
        for i in range(number):
            verdicts[i] = head(&self.terms, message + (first + i) * self.terms.request_size, &asked[i])
            if verdicts[i] == LAST:
                barrier, number = first + i, i
                break
        # All indirect requests' segments at once.
        self.piece_count = 0
        for i in range(number):
            if verdicts[i] == 0 and asked[i].table_pages:
                at = <uint8_t *>self.arena_view.buf + (self.frame_count + i * self.table_pages) * PAGE
                asked[i].table = at
                for j in range(asked[i].table_pages):
                    self.piece(
                        table_gref(&self.terms, message + (first + i) * self.terms.request_size, j), 0,
                        table_part(&asked[i], j), (self.frame_count + i * self.table_pages + j) * PAGE,
                        <Job *>&verdicts[i],
                    )
        self.sail(False)
        for i in range(self.piece_count):
            if self.status(i):
                (<int *>self.owners[i])[0] = LEFT
        self.piece_count = 0
        cdef Job *jobs = NULL
        cdef Job **last = &jobs
        cdef Job *job
        for i in range(number):
            if verdicts[i] == 0:
                job = self.boarded(&asked[i], message + (first + i) * self.terms.request_size, sectors)
                if job != NULL:
                    last[0] = job
                    last = &job.next
                    continue
            rest.append(messages[(first + i) * self.terms.request_size : (first + i + 1) * self.terms.request_size])
        if self.mapped:
            self.moor(jobs, READ)
            self.moor(jobs, WRITE)
        else:
            job = jobs
            while job != NULL:
                if job.operation == WRITE:
                    self.load(job)
                job = job.next
            self.unload(False)
        cdef Job *done = NULL
        cdef int status
        with nogil:
            while jobs != NULL:
                job = jobs
                jobs = job.next
                job.next = NULL
                if job.status == 0:
                    status = transfer(&self.medium, job.operation, job.offset, job.length, job.count, job.buffers)
                    if status > 0:
                        give(&self.threads, job)
                        continue
                    job.status = <int16_t>status
                job.next = done
                done = job
        return self.landed(done, slot), barrier

    cdef Job *boarded(self, Asked *asked, const uint8_t *message, uint64_t sectors) noexcept:
        # A job with its frames, or NULL: not for us.
        cdef Job *job
        cdef Segment segment
        cdef uint32_t i
        if not sound(&self.terms, asked, sectors) or (not self.mapped and asked.count > self.free_frames):
            return NULL
        job = make_job(asked, message + self.terms.id_at)
        if job == NULL:
            return NULL
        for i in range(asked.count):
            segment = segment_of(asked, i)
            job.grefs[i] = segment.gref
            job.starts[i] = <uint16_t>segment.start
            job.buffers[i].iov_len = segment.length
            if not self.mapped:
                self.free_frames -= 1
                job.pages[i] = self.frames[self.free_frames]
                job.buffers[i].iov_base = <uint8_t *>self.arena_view.buf + job.pages[i] * PAGE
        return job

    cdef void piece(self, uint32_t gref, uint32_t offset, uint32_t length, uint32_t place, Job *owner) noexcept:
        cdef Piece *piece = <Piece *>self.batch_view.buf + self.piece_count
        piece.gref, piece.place, piece.status = gref, place, 0
        piece.offset, piece.length = <uint16_t>offset, <uint16_t>length
        self.owners[self.piece_count] = owner
        self.piece_count += 1

    cdef int32_t status(self, uint32_t number) noexcept:
        return (<Piece *>self.batch_view.buf)[number].status

    cdef sail(self, bint into_peer):
        if self.piece_count:
            self.ferry.move(memoryview(self.batch)[: self.piece_count * sizeof(Piece)], self.arena, into_peer)

    cdef load(self, Job *job):
        # A job's pieces among those to be copied; those before it first, if there is no room.
        cdef uint32_t i
        if self.piece_count + job.count > PIECES_MAX:
            self.unload(job.operation == READ)
        for i in range(job.count):
            self.piece(job.grefs[i], job.starts[i], <uint32_t>job.buffers[i].iov_len, job.pages[i] * PAGE, job)

    cdef unload(self, bint into_peer):
        cdef uint32_t i
        self.sail(into_peer)
        for i in range(self.piece_count):
            if self.status(i):
                self.owners[i].status = ERROR
        self.piece_count = 0

    cdef moor(self, Job *jobs, uint8_t operation):
        # Map all jobs' pages, or each job's if that cannot be done. A frontend may have granted for reading alone what
        # is only to be read.
        cdef Job *job = jobs
        cdef list some = []
        while job != NULL:
            if job.operation == operation:
                some.append(<size_t>job)
            job = job.next
        if some and not self.mooring(some, operation) and len(some) > 1:
            for each in some:
                self.mooring([each], operation)

    cdef bint mooring(self, list jobs, uint8_t operation):
        cdef Job *job
        cdef Lot lot = Lot()
        cdef uint32_t i, page = 0
        grefs = []
        for each in jobs:
            job = <Job *><size_t>each
            job.status = 0
            for i in range(job.count):
                grefs.append(job.grefs[i])
        try:
            lot.mapping = self.ferry.map(grefs, operation == READ)
        except (NotGranted, MachineError):
            for each in jobs:
                (<Job *><size_t>each).status = ERROR
            return False
        PyObject_GetBuffer(lot.mapping.memory, &lot.view, PyBUF_SIMPLE)
        lot.users, lot.pages = <uint32_t>len(jobs), <uint32_t>len(grefs)
        self.lots.add(lot)
        for each in jobs:
            job = <Job *><size_t>each
            job.lot = <void *>lot
            for i in range(job.count):
                job.buffers[i].iov_base = <uint8_t *>lot.view.buf + page * PAGE + job.starts[i]
                page += 1
        return True

    cdef uint32_t landed(self, Job *done, uint32_t slot=0):
        # Answer what is done, once its pages have been given back.
        cdef Job *job
        cdef uint32_t i
        cdef Lot lot
        if self.mapped:
            while done != NULL:
                job = done
                done = job.next
                if job.lot == NULL:
                    slot = self.finish(job, slot)
                    continue
                lot = <Lot>job.lot
                job.next = lot.done
                lot.done = job
                lot.users -= 1
                if not lot.users:
                    self.lots.remove(lot)
                    PyBuffer_Release(&lot.view)
                    self.ferry.unmap(lot.mapping, lot.pages)
                    while lot.done != NULL:
                        job = lot.done
                        lot.done = job.next
                        slot = self.finish(job, slot)
            return slot
        job = done
        while job != NULL:
            if job.operation == READ and job.status == 0:
                self.load(job)
            job = job.next
        self.unload(True)
        while done != NULL:
            job = done
            done = job.next
            for i in range(job.count):
                self.frames[self.free_frames] = job.pages[i]
                self.free_frames += 1
            slot = self.finish(job, slot)
        return slot

    # Threads.

    cdef bint defer(self, const Asked *asked, const uint8_t *ident) noexcept nogil:
        cdef Job *job = make_job(asked, ident)
        cdef uint32_t i
        if job == NULL:
            return False
        memcpy(job.buffers, self.buffers, asked.count * sizeof(iovec))
        memcpy(job.pages, self.places, asked.count * sizeof(uint32_t))
        for i in range(asked.count):
            self.pages[job.pages[i]].users += 1
        give(&self.threads, job)
        return True

    def work(self):
        """Lend this thread, until `end`."""
        with nogil:
            toil(&self.threads)

    def collect(self):
        """Give the responses of what threads have done; its pages are in use no more."""
        cdef uint32_t pending = self.threads.pending
        cdef uint32_t number = 0, i
        cdef Job *job
        if not pending:
            return b""
        cdef Job *done = take_done(&self.threads)
        self.medium.calls += pending - self.threads.pending
        if self.ferry is not None:
            number = self.landed(done)
        else:
            while done != NULL:
                job = done
                done = job.next
                for i in range(job.count):
                    self.pages[job.pages[i]].users -= 1
                number = self.finish(job, number)
        return PyBytes_FromStringAndSize(<char *>self.answers, number * self.terms.response_size)

    cdef uint32_t finish(self, Job *job, uint32_t slot) noexcept:
        self.count(job.operation, job.length // SECTOR, job.status)
        answer(&self.terms, self.answers, slot, job.ident, job.operation, job.status)
        free(job)
        return slot + 1

    def end(self):
        """Let threads go, once nothing is left for them to do."""
        end(&self.threads)

    @property
    def pending(self):
        """Jobs that have not been collected."""
        return self.threads.pending

    @property
    def syscalls(self):
        """Calls to the kernel for data."""
        return self.medium.calls
