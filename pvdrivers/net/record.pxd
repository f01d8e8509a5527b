"""`pvdrivers.net.record.RECORD`, as compiled code has it."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef enum:
    UNSAID = 0
    VALIDATED = 1
    BLANK = 2

cdef struct Record:
    uint32_t place
    uint32_t length
    uint8_t checksum
    uint8_t gso
    uint16_t gso_size
