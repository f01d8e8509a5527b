# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Grant copies, many at once: packed pieces → gntdev's segments → one call, without the GIL.

Ref: Linux include/uapi/xen/gntdev.h, struct ioctl_gntdev_grant_copy
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.errno cimport errno
from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

import os

from pvdrivers.abi import devices as abi
from pvdrivers.abi.grants import GntSt
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.transport.base import PIECE

cdef extern from "<sys/ioctl.h>":
    int ioctl(int fd, unsigned long request, ...) nogil

cdef enum:
    PAGE = 4096

# `pvdrivers.transport.base.PIECE`
cdef struct Piece:
    uint32_t gref
    uint16_t offset
    uint16_t length
    uint32_t place
    int32_t status


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

if (PIECE.size, abi.COPY_TO.size, abi.GRANT_COPY.size, PAGE_SIZE) != (
    sizeof(Piece), sizeof(Segment), sizeof(Copy), PAGE
):
    raise ImportError("grant copies were compiled for another kernel's interface")

cdef unsigned long REQUEST = abi.IOCTL_GNTDEV_GRANT_COPY
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
        failed = ioctl(fd, REQUEST, &call)
    if failed:
        return errno
    asked = 0
    for i in range(count):
        if <uint32_t>piece[i].offset + piece[i].length <= PAGE:
            piece[i].status = segments[asked].status
            asked += 1
    return 0
