"""Kinds of records, see ``alike.pyx``."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from traces.counting.keyed cimport folded, mixed
from traces.exporters.parquet.told cimport MASKS, Shape, told_of

cdef enum:
    # So many names every record has.
    ALWAYS = 2
    NAMES_MAX = ALWAYS + 8
    NUMBERS_MAX = 8
    # Real traces have some hundred, a hostile one a new one with each record.
    KINDS_MAX = 1 << 16
    # The header of a place where nothing is: no record has it without its flag for a time stamp.
    EMPTY = 0xFFFFFFFF

cdef struct Known:
    uint64_t told
    uint32_t header
    uint16_t kind
    uint8_t remarkable      # to look at before a record of it counts: not wanted, or not met yet

cdef struct Origin:
    # Where a number comes from: a field of the payload; or it is ``constant``, and size is 0.
    uint64_t constant
    uint64_t mask
    uint8_t offset
    uint8_t size
    uint8_t is_signed

@cython.final
cdef class KindTable:
    cdef object describe
    cdef object told_by
    cdef list strings                   # of each name, those that there are
    cdef list string_ids
    cdef uint32_t count
    cdef int name_count
    cdef int number_count
    cdef uint64_t masks[MASKS]
    cdef uint64_t seed                  # see ``counting.keyed``
    cdef Shape *shapes
    cdef uint32_t shape_mask
    cdef uint32_t shape_count
    cdef Known *table
    cdef uint32_t table_mask
    # Of each kind.
    cdef uint8_t *wanted
    cdef int32_t *names[NAMES_MAX]      # their places in strings; -1: null
    cdef Origin *sources[NUMBERS_MAX]
    # Of words, of names that not all have, and of numbers: which are not null, the lowest bit of a byte each.
    cdef uint64_t *levels[3]

    cdef int forget(self) except -1
    cdef void begin(self) noexcept nogil
    cdef Known *learn(self, uint32_t header, const uint8_t *payload) except? NULL with gil
    cdef Shape *_shape(self, uint32_t header) except NULL
    cdef Shape *_shape_at(self, uint32_t header) noexcept
    cdef Known *_place(self, uint32_t header, uint64_t told) noexcept
    cdef int32_t _string(self, int name, bytes string) except -1


cdef inline uint32_t place_of(uint64_t seed, uint32_t header, uint64_t told) noexcept nogil:
    return mixed(folded(told, seed) ^ header, seed)


cdef inline uint32_t shape_place(uint64_t seed, uint32_t header) noexcept nogil:
    return mixed(header, seed)


cdef inline Known *find(KindTable kinds, uint32_t header, const uint8_t *payload) noexcept nogil:
    """Find a record's kind; NULL for one that is not known yet. Reads eight bytes more than the record has."""
    cdef uint32_t at = shape_place(kinds.seed, header)
    cdef const Shape *shape = &kinds.shapes[at & kinds.shape_mask]
    cdef uint64_t told
    cdef Known *known
    while shape.header != header:
        if shape.header == EMPTY:
            return NULL
        at += 1
        shape = &kinds.shapes[at & kinds.shape_mask]
    told = told_of(shape, kinds.masks, payload)
    at = place_of(kinds.seed, header, told)
    known = &kinds.table[at & kinds.table_mask]
    while known.told != told or known.header != header:
        if known.header == EMPTY:
            return NULL
        at += 1
        known = &kinds.table[at & kinds.table_mask]
    return known


cdef inline uint64_t got(const Origin *source, const uint8_t *payload) noexcept nogil:
    """Read a number. Reads eight bytes from where it begins, wherever the record ends."""
    cdef uint64_t value
    cdef int unused = 64 - 8 * source.size
    if source.size == 0:
        return source.constant
    value = (<const uint64_t *>(payload + source.offset))[0] << unused
    return (<uint64_t>(<int64_t>value >> unused) if source.is_signed else value >> unused) & source.mask
