"""The messages of both rings, as compiled code reads and writes them; what they mean stands in the modules beside.

Inlined where it is used; needs no GIL.
Ref: xen/include/public/io/netif.h
"""

from libc.stdint cimport int16_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from pvdrivers.net.record cimport BLANK, UNSAID, VALIDATED, Record

cdef enum:
    PAGE = 4096
    HEADER = 14             # Ethernet's
    SLOTS_MAX = 18          # that any backend takes; on the TX ring, after the first
    SLOT = 12               # of the TX ring, an extra's as well
    # Flags. Those of the checksum have changed places between the rings.
    TX_BLANK = 1
    TX_VALIDATED = 2
    RX_VALIDATED = 1
    RX_BLANK = 2
    MORE_DATA = 4
    EXTRA_INFO = 8
    EXTRA_MORE = 1          # of an extra
    EXTRA_GSO = 1
    GSO_TYPES = 2           # 1 and 2
    ERROR = -1
    OKAY = 0
    NULL_ANSWER = 1

cdef struct TxRequest:
    uint32_t gref
    uint16_t offset
    uint16_t flags
    uint16_t id
    uint16_t size

cdef struct TxResponse:
    uint16_t id
    int16_t status

cdef struct RxRequest:
    uint16_t id
    uint16_t pad
    uint32_t gref

cdef struct RxResponse:
    uint16_t id
    uint16_t offset
    uint16_t flags
    int16_t status

cdef struct Extra:
    uint8_t type
    uint8_t flags
    uint16_t size
    uint8_t gso
    uint8_t pad
    uint16_t features


cdef inline bint plain_gso(const Extra *extra) noexcept nogil:
    """Whether an extra is all that there are, and cuts a frame as frames are cut."""
    return (
        extra.type == EXTRA_GSO and not extra.flags & EXTRA_MORE and extra.size != 0
        and 1 <= extra.gso and extra.gso <= GSO_TYPES
    )


cdef inline void told(Record *record, bint blank, bint validated, const Extra *gso) noexcept nogil:
    """Say what the first slot's flags and the extra, if there is one, tell of a frame."""
    record.gso, record.gso_size = 0, 0
    if gso != NULL:
        record.checksum, record.gso, record.gso_size = BLANK, gso.gso, gso.size
    elif blank:
        record.checksum = BLANK
    else:
        record.checksum = VALIDATED if validated else UNSAID


cdef inline void form_gso(Extra *extra, const Record *record) noexcept nogil:
    """Form a frame's extra, the only one."""
    extra.type, extra.flags, extra.size, extra.gso = EXTRA_GSO, 0, record.gso_size, record.gso
    extra.pad, extra.features = 0, 0
