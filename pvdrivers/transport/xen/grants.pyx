# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What is done for each batch of requests: grant copies, packed pieces → gntdev's segments → one call, without the GIL;
and pages that are mapped and unmapped.

Ref: Linux include/uapi/xen/gntdev.h
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer
from libc.errno cimport errno
from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from pvdrivers.transport.piece cimport Piece

import os

from pvdrivers.abi import devices as abi
from pvdrivers.abi.grants import GntSt
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.errors import MachineError
from pvdrivers.transport.base import PIECE

cdef extern from "<sys/ioctl.h>":
    int ioctl(int fd, unsigned long request, ...) nogil

cdef extern from "<sys/mman.h>":
    void *mmap(void *address, size_t length, int access, int flags, int fd, long offset) nogil
    int munmap(void *address, size_t length) nogil
    int PROT_READ, PROT_WRITE, MAP_SHARED
    void *MAP_FAILED

cdef enum:
    PAGE = 4096

cdef struct Foreign:
    uint32_t ref
    uint16_t offset
    uint16_t domid


cdef union Side:
    uint64_t virt
    Foreign foreign


cdef struct Segment:
    Side source
    Side dest
    uint16_t len
    uint16_t flags
    int16_t status


cdef struct Copy:
    uint32_t count
    uint64_t segments


cdef struct Ref:
    uint32_t domid
    uint32_t ref


cdef struct Map:
    uint32_t count
    uint32_t pad
    uint64_t index
    Ref refs[1]                 # and more


cdef struct Unmap:
    uint64_t index
    uint32_t count
    uint32_t pad

if (
    PIECE.size, abi.COPY_TO.size, abi.GRANT_COPY.size, abi.MAP_GRANT_REF.size, abi.UNMAP_GRANT_REF.size, PAGE_SIZE,
) != (sizeof(Piece), sizeof(Segment), sizeof(Copy), sizeof(Map), sizeof(Unmap), PAGE):
    raise ImportError("grants were compiled for another kernel's interface")

cdef unsigned long COPY, MAP, UNMAP
COPY, MAP, UNMAP = abi.IOCTL_GNTDEV_GRANT_COPY, abi.IOCTL_GNTDEV_MAP_GRANT_REF, abi.IOCTL_GNTDEV_UNMAP_GRANT_REF
cdef uint16_t DEST, SOURCE
DEST, SOURCE = abi.GNTCOPY_DEST_GREF, abi.GNTCOPY_SOURCE_GREF
cdef int32_t BAD = GntSt.BAD_COPY_ARG


def copy(int fd, uint16_t domid, batch, memory, bint into_peer):
    """Copy pieces; see `base.Transport.copy`.

    :param fd: of gntdev
    :raises ValueError: a piece is not within ``memory``
    :raises OSError: the kernel does none of it
    """
    cdef Py_buffer pieces, local
    cdef Segment *segments = NULL
    cdef int error = 0
    PyObject_GetBuffer(batch, &pieces, PyBUF_SIMPLE | PyBUF_WRITABLE)
    try:
        PyObject_GetBuffer(memory, &local, PyBUF_SIMPLE | PyBUF_WRITABLE)
        try:
            segments = <Segment *>malloc(max(pieces.len // sizeof(Piece), 1) * sizeof(Segment))
            if segments == NULL:
                raise MemoryError
            error = move(fd, domid, &pieces, &local, segments, into_peer)
        finally:
            free(segments)
            PyBuffer_Release(&local)
    finally:
        PyBuffer_Release(&pieces)
    if error:
        raise OSError(error, os.strerror(error))


cdef int move(int fd, uint16_t domid, Py_buffer *pieces, Py_buffer *local, Segment *segments, bint into_peer) except -1:
    cdef Piece *piece = <Piece *>pieces.buf
    cdef uint32_t count = <uint32_t>(pieces.len // sizeof(Piece)), asked = 0, i
    cdef Segment *segment
    cdef Side *near
    cdef Side *far
    cdef Copy call
    cdef int failed
    for i in range(count):
        if <uint64_t>piece[i].place + piece[i].length > <uint64_t>local.len:
            raise ValueError(f"{piece[i].length} bytes at {piece[i].place} are not within {local.len}")
    for i in range(count):
        # gntdev refuses the whole of a call with a piece beyond its page; the others are none the worse for it.
        piece[i].status = BAD
        if <uint32_t>piece[i].offset + piece[i].length > PAGE:
            continue
        segment = segments + asked
        asked += 1
        memset(segment, 0, sizeof(Segment))
        near, far = (&segment.source, &segment.dest) if into_peer else (&segment.dest, &segment.source)
        near.virt = <uintptr_t>local.buf + piece[i].place
        far.foreign.ref, far.foreign.offset, far.foreign.domid = piece[i].gref, piece[i].offset, domid
        segment.len, segment.flags = piece[i].length, DEST if into_peer else SOURCE
    if not asked:
        return 0
    call.count, call.segments = asked, <uintptr_t>segments
    with nogil:
        failed = ioctl(fd, COPY, &call)
    if failed:
        return errno
    asked = 0
    for i in range(count):
        if <uint32_t>piece[i].offset + piece[i].length <= PAGE:
            piece[i].status = segments[asked].status
            asked += 1
    return 0


cdef class Mapping:
    """Pages of another domain in this one's memory; see `base.Mapping`.

    :param fd: of gntdev, which stays open as long as this is mapped
    :param held: where this is as long as it is mapped
    :raises MachineError: gntdev has no room for it
    :raises OSError: it does not map it; EINVAL when one of the pages was not granted (so)
    """

    cdef readonly object grefs
    cdef object held
    cdef object view
    cdef void *address
    cdef uint64_t index
    cdef uint32_t count
    cdef int fd
    cdef int exports
    cdef bint readonly

    def __cinit__(self, int fd, uint32_t domid, grefs, bint writable, dict held):
        cdef uint32_t count = <uint32_t>len(grefs), i
        cdef Map *call = <Map *>malloc(sizeof(Map) + count * sizeof(Ref))
        cdef int failed
        if call == NULL:
            raise MemoryError
        try:
            call.count, call.pad = count, 0
            for i in range(count):
                call.refs[i].domid, call.refs[i].ref = domid, grefs[i]
            with nogil:
                failed = ioctl(fd, MAP, call)
            if failed:
                raise MachineError(f"no room to map {count} pages: {os.strerror(errno)}")
            self.index = call.index
        finally:
            free(call)
        self.fd, self.count, self.grefs, self.readonly = fd, count, grefs, not writable
        cdef int access = PROT_READ | (PROT_WRITE if writable else 0)
        with nogil:
            self.address = mmap(NULL, count * <size_t>PAGE, access, MAP_SHARED, fd, <long>self.index)
            failed = errno
        if self.address == MAP_FAILED:
            self.forget()
            raise OSError(failed, os.strerror(failed))
        self.view = memoryview(self)
        self.held = held
        held[self] = None

    cdef void forget(self) noexcept:
        cdef Unmap call
        call.index, call.count, call.pad = self.index, self.count, 0
        with nogil:
            ioctl(self.fd, UNMAP, &call)

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self.address, self.count * <Py_ssize_t>PAGE, self.readonly, flags)
        self.exports += 1

    def __releasebuffer__(self, Py_buffer *buffer):
        self.exports -= 1

    @property
    def memory(self):
        """The pages, one after the other."""
        return self.view

    def unmap(self):
        """See `base.Mapping`; nothing if it was done before, or the device is closed."""
        if self.view is None:
            return
        self.view.release()
        if self.exports:
            self.view = memoryview(self)
            raise BufferError("something uses these pages still")
        self.view = None
        with nogil:
            munmap(self.address, self.count * <size_t>PAGE)
        if self.held.pop(self, self) is None:
            self.forget()

    close = unmap
