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
    # Places for what was met last, found by a cheap hash: a trace made to fill one of them only loses what they save.
    NEAR_SHAPES_BITS = 8
    NEAR_BITS = 10

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
    cdef Shape near_shapes[1 << NEAR_SHAPES_BITS]
    cdef Known *near[1 << NEAR_BITS]    # in ``table``, or NULL
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
    cdef const Shape *shape = &kinds.near_shapes[
        header * <uint32_t>0x9E3779B1 >> (32 - <uint32_t>NEAR_SHAPES_BITS)]
    cdef uint64_t told
    cdef Known *known
    if shape.header != header:
        shape = found_shape(kinds, header)
        if shape == NULL:
            return NULL
    told = told_of(shape, kinds.masks, payload)
    known = kinds.near[near_place(header, told)]
    if known == NULL or known.told != told or known.header != header:
        known = found(kinds, header, told)
    return known


cdef inline uint64_t near_place(uint32_t header, uint64_t told) noexcept nogil:
    return (told + header) * <uint64_t>0x9E3779B97F4A7C15 >> (64 - <uint64_t>NEAR_BITS)


cdef const Shape *found_shape(KindTable kinds, uint32_t header) noexcept nogil


cdef Known *found(KindTable kinds, uint32_t header, uint64_t told) noexcept nogil


cdef inline uint64_t got(const Origin *source, const uint8_t *payload) noexcept nogil:
    """Read a number. Reads eight bytes from where it begins, wherever the record ends."""
    cdef uint64_t value
    cdef int unused = 64 - 8 * source.size
    if source.size == 0:
        return source.constant
    value = (<const uint64_t *>(payload + source.offset))[0] << unused
    return (<uint64_t>(<int64_t>value >> unused) if source.is_signed else value >> unused) & source.mask
