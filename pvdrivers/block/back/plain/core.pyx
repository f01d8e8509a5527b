# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Plain reads and writes of a backend, at memory speed: what `kept` and `transient`, two ways to the pages, share.

Law: a message that is not a plain read or write, or not a valid one, is left to those who can say what is wrong with
it; nothing has been done about it by then. What is parsed is a copy, and an indirect request's segments are copied out
of their page before anybody looks at them.

What has to wait for the disk is done by threads, which Python lends.

Ref: xen/include/public/io/blkif.h
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc

from pvdrivers.block.back.plain.job cimport end, prepare, toil
from pvdrivers.block.back.plain.medium cimport FILE_DISK, MEMORY_DISK, NULL_DISK
from pvdrivers.block.back.plain.message cimport (
    BARRIER, CAPACITY, DIRECT_MAX, INDIRECT, INDIRECT_PAGES, PAGE, PER_INDIRECT_PAGE, READ, SECTOR, SEGMENTS_MAX,
    SEGMENT_SIZE, WRITE,
)

from pvdrivers.abi.blkif import MAX_INDIRECT_PAGES_PER_REQUEST, MAX_SEGMENTS_PER_REQUEST, SECTOR_SIZE, SEGMENT, BlkifOp
from pvdrivers.abi.blkif import SEGMENTS_PER_INDIRECT_PAGE
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.disks.base import Kind

if (PAGE_SIZE, SECTOR_SIZE, SEGMENT.size, MAX_SEGMENTS_PER_REQUEST) != (PAGE, SECTOR, SEGMENT_SIZE, DIRECT_MAX) or (
    SEGMENTS_PER_INDIRECT_PAGE, MAX_INDIRECT_PAGES_PER_REQUEST,
    BlkifOp.READ, BlkifOp.WRITE, BlkifOp.WRITE_BARRIER, BlkifOp.INDIRECT,
) != (PER_INDIRECT_PAGE, INDIRECT_PAGES, READ, WRITE, BARRIER, INDIRECT):
    raise ImportError("the block core was compiled for another protocol")
if (Kind.NULL, Kind.MEMORY, Kind.FILE) != (NULL_DISK, MEMORY_DISK, FILE_DISK):
    raise ImportError("the block core was compiled for other disks")


cdef class Core:
    """What a queue does without asking.

    :param layout: the frontend's (`pvdrivers.abi.blkif.Blkif`)
    :param disk: whose `medium` is not NONE
    :param max_indirect: segments of an indirect request, at most
    :param wake: an eventfd, written to when a thread has something to collect
    """

    def __cinit__(self):
        prepare(&self.threads)

    def __init__(self, layout, disk, uint32_t max_indirect, int wake):
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
        self.answers = <uint8_t *>malloc(CAPACITY * self.terms.response_size)
        if self.answers == NULL:
            raise MemoryError
        if self.medium.kind == MEMORY_DISK:
            PyObject_GetBuffer(disk.medium.memory, &self.disk, PyBUF_SIMPLE | PyBUF_WRITABLE)
            self.medium.memory = <uint8_t *>self.disk.buf

    def close(self):
        """Let go of pages and disk; no job is under way."""
        PyBuffer_Release(&self.disk)

    def __dealloc__(self):
        PyBuffer_Release(&self.disk)
        free(self.answers)

    def work(self):
        """Lend this thread, until `end`."""
        with nogil:
            toil(&self.threads)

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
