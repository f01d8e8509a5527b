"""`pvdrivers.transport.base.PIECE`, as compiled code has it."""

from libc.stdint cimport int32_t, uint16_t, uint32_t

cdef struct Piece:
    uint32_t gref
    uint16_t offset
    uint16_t length
    uint32_t place
    int32_t status
