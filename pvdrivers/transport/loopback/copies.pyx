# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Packed pieces to and from another domain's pages, many a call; `peer` has the same for one piece, and knows regions.

Law: what the table says of a reference is read once, for each piece; nothing is copied beyond a page, a region or the
local memory. A region that is not known here is for `peer` to find.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from pvdrivers.transport.piece cimport Piece

from pvdrivers.abi.grants import GntSt
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.transport.base import PIECE

cdef enum:
    PAGE = 4096
    # Regions that are found at once: those of one queue, and more.
    KNOWN = 256

cdef struct Region:
    uint64_t number
    uint8_t *memory         # NULL: none is known here
    uint64_t size
    bint writable

if (PIECE.size, PAGE_SIZE) != (sizeof(Piece), PAGE):
    raise ImportError("copies were compiled for other pieces")

cdef int32_t OKAY, FAILED, BAD_REF, BAD_COPY
OKAY, FAILED, BAD_REF, BAD_COPY = GntSt.OKAY, GntSt.GENERAL_ERROR, GntSt.BAD_GNTREF, GntSt.BAD_COPY_ARG


cdef class Copies:
    """Copies of one peer's; used by one thread at a time.

    :param table: the peer's grant table: for each reference 0, or a region's number and a page in it
    :param page_bits: how many bits of that are the page
    """

    cdef Py_buffer table
    cdef bint held
    cdef uint32_t page_bits
    cdef Region[KNOWN] regions

    def __init__(self, table, uint32_t page_bits):
        PyObject_GetBuffer(table, &self.table, PyBUF_SIMPLE)
        self.held = True
        self.page_bits = page_bits
        self.forget()

    def learn(self, uint64_t number, memory, bint writable):
        """Take note of where a region is, until it is forgotten; it stays there as long.

        :param memory: the region's
        """
        cdef Py_buffer view
        cdef Region *region = &self.regions[number % KNOWN]
        PyObject_GetBuffer(memory, &view, PyBUF_SIMPLE)
        region.number, region.memory, region.size, region.writable = number, <uint8_t *>view.buf, view.len, writable
        PyBuffer_Release(&view)

    def forget(self):
        """Forget all regions."""
        memset(self.regions, 0, sizeof(self.regions))

    def copy(self, batch, memory, bint into_peer, Py_ssize_t first):
        """Copy pieces; see `base.Transport.copy`.

        :param first: of them
        :returns: the first piece that was not copied since its region is not known, or how many there are
        :raises ValueError: a piece is not within ``memory``, or this is closed
        """
        cdef Py_buffer pieces, local
        cdef Piece *piece
        cdef Py_ssize_t number, at
        if not self.held:
            raise ValueError("the way to this peer is closed")
        PyObject_GetBuffer(batch, &pieces, PyBUF_SIMPLE | PyBUF_WRITABLE)
        try:
            PyObject_GetBuffer(memory, &local, PyBUF_SIMPLE if into_peer else PyBUF_SIMPLE | PyBUF_WRITABLE)
            try:
                piece = <Piece *>pieces.buf
                number = pieces.len // <Py_ssize_t>sizeof(Piece)
                for at in range(first, number):
                    if <uint64_t>piece[at].place + piece[at].length > <uint64_t>local.len:
                        raise ValueError(
                            f"{piece[at].length} bytes at {piece[at].place} are not within {local.len}"
                        )
                with nogil:
                    at = first
                    while at < number and self.one(&piece[at], <uint8_t *>local.buf, into_peer):
                        at += 1
                return at
            finally:
                PyBuffer_Release(&local)
        finally:
            PyBuffer_Release(&pieces)

    cdef bint one(self, Piece *piece, uint8_t *local, bint into_peer) noexcept nogil:
        # False: its region is not known.
        cdef uint64_t entry = 0, start
        cdef Region *region
        if <uint32_t>piece.offset + piece.length > PAGE:
            piece.status = BAD_COPY
            return True
        if piece.gref < <uint64_t>self.table.len // 8:
            entry = (<const volatile uint64_t *>self.table.buf)[piece.gref]
        if not entry:
            piece.status = BAD_REF
            return True
        region = &self.regions[(entry >> self.page_bits) % KNOWN]
        if region.memory == NULL or region.number != entry >> self.page_bits:
            return False
        start = (entry & ((<uint64_t>1 << self.page_bits) - 1)) * PAGE + piece.offset
        if (into_peer and not region.writable) or start + piece.length > region.size:
            piece.status = FAILED
        elif into_peer:
            memcpy(region.memory + start, local + piece.place, piece.length)
            piece.status = OKAY
        else:
            memcpy(local + piece.place, region.memory + start, piece.length)
            piece.status = OKAY
        return True

    def close(self):
        """Let the table go; not an error if that was done."""
        if self.held:
            self.held = False
            PyBuffer_Release(&self.table)

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.table)
