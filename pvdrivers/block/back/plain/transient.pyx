# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Plain reads and writes, where a frontend's pages are had for a batch of requests, and not kept.

Law: as `core`. What was mapped for a request is unmapped before it is answered.

One call copies what all requests of a batch write, one what all have read, into and out of frames of our own; or one
maps all pages that are read into, one all that are written from. What was mapped with others is answered with the last
of them, since it is unmapped with them.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AsString
from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from pvdrivers.block.back.plain.core cimport Core, collected, finish, responses
from pvdrivers.block.back.plain.job cimport Job, give, make_job
from pvdrivers.block.back.plain.medium cimport transfer
from pvdrivers.block.back.plain.message cimport (
    CAPACITY, DIRECT_MAX, ERROR, LAST, LEFT, PAGE, READ, WRITE, Asked, Segment, head, pages_of, segment_of, sound,
    table_gref, table_part,
)
from pvdrivers.transport.piece cimport Piece

from mmap import mmap

from pvdrivers.errors import MachineError, NotGranted
from pvdrivers.transport.base import PIECE

cdef enum:
    FRAMES_MAX = 4096       # pages' copies at a time, of a queue
    BATCH_MAX = 32          # requests whose pages are had at once
    PIECES_MAX = 8192       # that are copied at once, at least as many as a request may have

if PIECE.size != sizeof(Piece):
    raise ImportError("the block core was compiled for another transport")


cdef class Lot:
    # Pages that were mapped at once, for some jobs.

    cdef object mapping
    cdef Py_buffer view
    cdef uint32_t users         # jobs that are not done
    cdef uint32_t pages
    cdef Job *done              # those that wait for the others


@cython.final
cdef class TransientCore(Core):
    """What a queue does without asking, for pages that it has to ask for.

    :param access: how pages are had
    :param slots: the ring's

    The others are `Core`'s.
    """

    cdef object access
    cdef bint mapped                # for each request, or else copied
    cdef object arena               # frames, then an indirect request's table for each request of a batch
    cdef Py_buffer arena_view
    cdef uint32_t *frames           # those that are free
    cdef uint32_t free_frames, frame_count, table_pages
    cdef object pieces              # to be copied
    cdef Py_buffer pieces_view
    cdef Job **owners               # whose each piece is
    cdef uint32_t piece_count
    cdef set lots

    def __init__(self, layout, disk, uint32_t max_indirect, int wake, access, uint32_t slots):
        cdef uint32_t i
        super().__init__(layout, disk, max_indirect, wake)
        self.access, self.mapped, self.lots = access, access.maps, set()
        if not self.mapped:
            self.frame_count = min(slots * max(self.terms.max_indirect, <uint32_t>DIRECT_MAX), <uint32_t>FRAMES_MAX)
        self.table_pages = pages_of(self.terms.max_indirect)
        # Pages of their own: a copy that crosses from one to another is two to the hypervisor.
        self.arena = mmap(-1, (self.frame_count + BATCH_MAX * self.table_pages + 1) * PAGE)
        PyObject_GetBuffer(self.arena, &self.arena_view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.pieces = bytearray(PIECES_MAX * sizeof(Piece))
        PyObject_GetBuffer(self.pieces, &self.pieces_view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.frames = <uint32_t *>malloc(FRAMES_MAX * sizeof(uint32_t))
        self.owners = <Job **>malloc(PIECES_MAX * sizeof(void *))
        if not (self.frames and self.owners):
            raise MemoryError
        # The first is taken first, again and again: it is in the processor's cache.
        for i in range(self.frame_count):
            self.frames[i] = self.frame_count - 1 - i
        self.free_frames = self.frame_count

    def close(self):
        """Let go of pages and disk; no job is under way."""
        PyBuffer_Release(&self.arena_view)
        PyBuffer_Release(&self.pieces_view)
        if self.arena is not None:
            self.arena.close()
        self.access = None
        super().close()

    def __dealloc__(self):
        PyBuffer_Release(&self.arena_view)
        PyBuffer_Release(&self.pieces_view)
        free(self.frames)
        free(self.owners)

    # A batch.

    def serve(self, bytes messages, uint64_t sectors):
        """Do what can be done at once, and begin what can be done without asking.

        :param messages: as a ring gives them
        :param sectors: of the disk, now
        :returns: responses, and the messages that are left: all from the first barrier on, which comes in between
        :raises ValueError: there are more than a ring has
        """
        cdef uint32_t number = <uint32_t>(len(messages) // self.terms.request_size)
        cdef uint32_t first = 0, slot = 0
        cdef list rest = []
        cdef int barrier
        if number > CAPACITY:
            raise ValueError("more messages than a ring has")
        while first < number:
            slot, barrier = self.batch(messages, first, min(number - first, <uint32_t>BATCH_MAX), sectors, slot, rest)
            if barrier >= 0:
                rest.append(messages[barrier * self.terms.request_size :])
                break
            first += BATCH_MAX
        return responses(self, slot), b"".join(rest)

    cdef batch(self, bytes messages, uint32_t first, uint32_t number, uint64_t sectors, uint32_t slot, list rest):
        # The slot of the next response, and the number of a barrier, or -1.
        cdef int size = self.terms.request_size
        cdef const uint8_t *message = <const uint8_t *>PyBytes_AsString(messages) + first * size
        cdef Asked[BATCH_MAX] asked
        cdef int[BATCH_MAX] verdicts
        cdef Job *jobs = NULL
        cdef Job **last = &jobs
        cdef uint32_t i
        cdef int barrier = -1
        for i in range(number):
            verdicts[i] = head(&self.terms, message + i * size, &asked[i])
            if verdicts[i] == LAST:
                barrier, number = first + i, i
                break
        self.fetch_tables(message, asked, verdicts, number)
        for i in range(number):
            if verdicts[i] == 0:
                last[0] = self.job_of(&asked[i], message + i * size, sectors)
                if last[0] != NULL:
                    last = &last[0].next
                    continue
            rest.append(messages[(first + i) * size : (first + i + 1) * size])
        if self.mapped:
            self.map_all(jobs, READ)
            self.map_all(jobs, WRITE)
        else:
            self.copy_all(jobs, WRITE)
        return self.finish_all(self.begun(jobs), slot), barrier

    cdef fetch_tables(self, const uint8_t *message, Asked *asked, int *verdicts, uint32_t number):
        # Copy all indirect requests' segments at once; those whose segments cannot be had are left.
        cdef uint32_t i, j, frame, piece = 0
        for i in range(number):
            if verdicts[i] == 0 and asked[i].table_pages:
                frame = self.frame_count + i * self.table_pages
                asked[i].table = self.frame_at(frame)
                for j in range(asked[i].table_pages):
                    self.add_piece(
                        table_gref(&self.terms, message + i * self.terms.request_size, j), 0, table_part(&asked[i], j),
                        frame + j, NULL,
                    )
        self.copy(False)
        for i in range(number):
            if verdicts[i] == 0:
                for j in range(asked[i].table_pages):
                    if self.status_of(piece):
                        verdicts[i] = LEFT
                    piece += 1
        self.piece_count = 0

    cdef Job *job_of(self, Asked *asked, const uint8_t *message, uint64_t sectors) noexcept:
        # With its frames, where it is copied; NULL: not for us.
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
            job.grefs[i], job.starts[i] = segment.gref, <uint16_t>segment.start
            job.buffers[i].iov_len = segment.length
            if not self.mapped:
                self.free_frames -= 1
                job.pages[i] = self.frames[self.free_frames]
                job.buffers[i].iov_base = self.frame_at(job.pages[i])
        return job

    cdef Job *begun(self, Job *jobs) noexcept:
        # Those that are done at once, or have failed; threads get the others.
        cdef Job *done = NULL
        cdef Job *job
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
        return done

    def collect(self):
        """Give the responses of what threads have done; its pages have been given back."""
        if not self.threads.pending:
            return b""
        return responses(self, self.finish_all(collected(self), 0))

    cdef uint32_t finish_all(self, Job *done, uint32_t slot):
        return self.finish_mapped(done, slot) if self.mapped else self.finish_copied(done, slot)

    # Copies.

    cdef uint8_t *frame_at(self, uint32_t frame) noexcept:
        return <uint8_t *>self.arena_view.buf + <size_t>frame * PAGE

    cdef void add_piece(self, uint32_t gref, uint32_t start, uint32_t length, uint32_t frame, Job *owner) noexcept:
        cdef Piece *piece = <Piece *>self.pieces_view.buf + self.piece_count
        piece.gref, piece.place, piece.status = gref, frame * PAGE, 0
        piece.offset, piece.length = <uint16_t>start, <uint16_t>length
        self.owners[self.piece_count] = owner
        self.piece_count += 1

    cdef int32_t status_of(self, uint32_t piece) noexcept:
        return (<Piece *>self.pieces_view.buf)[piece].status

    cdef copy(self, bint into_peer):
        if self.piece_count:
            self.access.move(memoryview(self.pieces)[: self.piece_count * sizeof(Piece)], self.arena, into_peer)

    cdef copy_all(self, Job *jobs, uint8_t operation):
        # What jobs write into their frames, or what they have read out of them; those before it first, if there is no
        # room for a job's pieces.
        cdef Job *job = jobs
        cdef uint32_t i
        while job != NULL:
            if job.operation == operation and job.status == 0:
                if self.piece_count + job.count > PIECES_MAX:
                    self.copy_jobs(operation == READ)
                for i in range(job.count):
                    self.add_piece(job.grefs[i], job.starts[i], <uint32_t>job.buffers[i].iov_len, job.pages[i], job)
            job = job.next
        self.copy_jobs(operation == READ)

    cdef copy_jobs(self, bint into_peer):
        # A piece that is not copied fails its job, and no other.
        cdef uint32_t i
        self.copy(into_peer)
        for i in range(self.piece_count):
            if self.status_of(i):
                self.owners[i].status = ERROR
        self.piece_count = 0

    cdef uint32_t finish_copied(self, Job *done, uint32_t slot):
        cdef Job *job
        cdef uint32_t i
        self.copy_all(done, READ)
        while done != NULL:
            job = done
            done = job.next
            for i in range(job.count):
                self.frames[self.free_frames] = job.pages[i]
                self.free_frames += 1
            slot = finish(self, job, slot)
        return slot

    # Mappings.

    cdef map_all(self, Job *jobs, uint8_t operation):
        # Map all jobs' pages, or each job's if that cannot be done. A frontend may have granted for reading alone what
        # is only to be read.
        cdef Job *job = jobs
        cdef list some = []
        while job != NULL:
            if job.operation == operation:
                some.append(<size_t>job)
            job = job.next
        if some and not self.map_lot(some, operation) and len(some) > 1:
            for each in some:
                self.map_lot([each], operation)

    cdef bint map_lot(self, list jobs, uint8_t operation):
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
            lot.mapping = self.access.map(grefs, operation == READ)
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

    cdef uint32_t finish_mapped(self, Job *done, uint32_t slot):
        # Those that were mapped with others once all of these are done.
        cdef Job *job
        cdef Lot lot
        while done != NULL:
            job = done
            done = job.next
            if job.lot == NULL:
                slot = finish(self, job, slot)
                continue
            lot = <Lot>job.lot
            job.next = lot.done
            lot.done = job
            lot.users -= 1
            if lot.users:
                continue
            self.lots.remove(lot)
            PyBuffer_Release(&lot.view)
            self.access.unmap(lot.mapping, lot.pages)
            while lot.done != NULL:
                job = lot.done
                lot.done = job.next
                slot = finish(self, job, slot)
        return slot
