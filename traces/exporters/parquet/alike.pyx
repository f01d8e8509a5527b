# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Kinds of records: the first of each is shown to Python, which says what all that are alike have in common.

Law: what a record means is not known here. Alike are records of an event with the same number of words and the same of
what they are told apart by (``exporters.details.told_by``).
"""

import os

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memset

from traces.exporters.parquet.memory cimport claimed
from traces.exporters.parquet.told cimport BY_SIZE, CALLS, NEVER, WITHOUT, WITH_ARGUMENT, prepare
from traces.xen.formats.ids cimport GRANT_TABLE_OP

#: How records with one header are told apart: ``describe`` is asked once for all, for each value of a field, or for
#: each hypercall with its sub-operation and whether it goes on.
ALIKE, BY_FIELD, BY_HYPERCALL = range(3)

cdef enum:
    # Places at first: so many that real traces' kinds hardly ever find theirs taken, which a branch would not foresee.
    SHAPES_FIRST = 1 << 10
    KNOWN_FIRST = 1 << 12


@cython.final
cdef class KindTable:
    """Learns kinds of records.

    describe   of a kind's first record: called with event, words and payload, returns whether it is wanted, the names
               (bytes as a dictionary has them, or None), and of each number (column, offset, size, is signed, mask,
               constant)
    told_by    called with event and words, returns (ALIKE, BY_FIELD or BY_HYPERCALL, offset, size)
    names      how many there are, like numbers
    """

    def __cinit__(self, describe, told_by, int names, int numbers):
        cdef int i
        if names > NAMES_MAX or numbers > NUMBERS_MAX:
            raise ValueError("more columns than there is room for")
        self.seed = int.from_bytes(os.urandom(8), "little")
        self.describe = describe
        self.told_by = told_by
        self.name_count = names
        self.number_count = numbers
        prepare(self.masks)
        # Of all but a hostile trace only the beginning is ever touched.
        self.wanted = <uint8_t *>claimed(KINDS_MAX)
        for i in range(names):
            self.names[i] = <int32_t *>claimed(<size_t>KINDS_MAX * 4)
        for i in range(numbers):
            self.sources[i] = <Origin *>claimed(KINDS_MAX * sizeof(Origin))
        for i in range(3):
            self.levels[i] = <uint64_t *>claimed(<size_t>KINDS_MAX * 8)
        self.forget()

    def __dealloc__(self):
        cdef int i
        free(self.wanted)
        for i in range(NAMES_MAX):
            free(self.names[i])
        for i in range(NUMBERS_MAX):
            free(self.sources[i])
        for i in range(3):
            free(self.levels[i])
        free(self.shapes)
        free(self.table)

    cdef int forget(self) except -1:
        self.strings = [[] for _ in range(self.name_count)]
        self.string_ids = [{} for _ in range(self.name_count)]
        self.count = self.shape_count = 0
        free(self.shapes)
        free(self.table)
        self.shapes = NULL
        self.table = NULL
        self.shape_mask = SHAPES_FIRST - 1
        self.table_mask = KNOWN_FIRST - 1
        self.shapes = <Shape *>empty((self.shape_mask + 1) * sizeof(Shape))
        self.table = <Known *>empty((self.table_mask + 1) * sizeof(Known))
        memset(self.near_shapes, 0xFF, sizeof(self.near_shapes))
        memset(self.near, 0, sizeof(self.near))
        return 0

    cdef void begin(self) noexcept nogil:
        # A row group: none was met in it yet.
        cdef uint32_t i
        for i in range(self.table_mask + 1):
            self.table[i].remarkable = 1

    cdef Known *learn(self, uint32_t header, const uint8_t *payload) except? NULL with gil:
        # NULL: there is room for no other.
        cdef Shape *shape
        cdef Known *old = self.table
        cdef uint64_t told
        cdef uint32_t at, i, kind = self.count
        cdef int words = header >> 28
        if kind == KINDS_MAX:
            return NULL
        shape = self._shape(header)
        told = told_of(shape, self.masks, payload)
        wanted, names, numbers = self.describe(header & 0x0FFFFFFF, words, payload[:4 * words])
        if 2 * kind > self.table_mask:
            self.table = <Known *>empty(2 * (self.table_mask + 1) * sizeof(Known))
            self.table_mask = 2 * self.table_mask + 1
            for i in range(self.table_mask // 2 + 1):
                if old[i].header != EMPTY:
                    self._place(old[i].header, old[i].told)[0] = old[i]
            free(old)
            memset(self.near, 0, sizeof(self.near))
        self.levels[0][kind] = self.levels[1][kind] = self.levels[2][kind] = 0
        for i in range(<uint32_t>words):
            self.levels[0][kind] |= level(i)
        for i in range(<uint32_t>self.name_count):
            self.names[i][kind] = -1 if names[i] is None else self._string(i, names[i])
            if i >= ALWAYS:
                if self.names[i][kind] >= 0:
                    self.levels[1][kind] |= level(i - ALWAYS)
            elif self.names[i][kind] < 0:
                raise ValueError("every record has such a name")
        for column, offset, size, is_signed, mask, constant in numbers:
            # Every number is read within the record, and goes to its column once.
            if (not 0 <= column < self.number_count or not 0 <= size <= 8 or offset + size > 4 * words
                    or self.levels[2][kind] & level(column)):
                raise ValueError("no such number")
            self.sources[<int>column][kind] = Origin(
                constant=constant, mask=mask, offset=offset, size=size, is_signed=is_signed)
            self.levels[2][kind] |= level(column)
        self.wanted[kind] = wanted
        self._place(header, told)[0] = Known(told=told, header=header, kind=kind, remarkable=1)
        self.count += 1
        return find(self, header, payload)

    cdef Known *_place(self, uint32_t header, uint64_t told) noexcept:
        cdef uint32_t at = place_of(self.seed, header, told)
        while self.table[at & self.table_mask].header != EMPTY:
            at += 1
        return &self.table[at & self.table_mask]

    cdef Shape *_shape(self, uint32_t header) except NULL:
        # Find it, or make it.
        cdef Shape *old = self.shapes
        cdef Shape *shape = self._shape_at(header)
        cdef uint32_t i
        if shape.header == header:
            return shape
        told, offset, size = self.told_by(header & 0x0FFFFFFF, header >> 28)
        if 2 * self.shape_count > self.shape_mask:
            self.shapes = <Shape *>empty(2 * (self.shape_mask + 1) * sizeof(Shape))
            self.shape_mask = 2 * self.shape_mask + 1
            for i in range(self.shape_mask // 2 + 1):
                if old[i].header != EMPTY:
                    self._shape_at(old[i].header)[0] = old[i]
            free(old)
        shape = self._shape_at(header)
        self.shape_count += 1
        if told == BY_HYPERCALL:
            # Without an argument there is none that could tell.
            shape[0] = Shape(header=header, masks=WITH_ARGUMENT if header >> 28 > 1 else WITHOUT, selects=CALLS - 1,
                             grant_op=GRANT_TABLE_OP if header >> 28 > 1 else NEVER, offset=0)
        else:
            if not 0 <= size <= 8 or offset + size > 4 * (header >> 28):
                raise ValueError("no such field")
            shape[0] = Shape(header=header, masks=BY_SIZE + size, selects=0, grant_op=NEVER, offset=offset)
        return shape

    cdef Shape *_shape_at(self, uint32_t header) noexcept:
        cdef uint32_t at = shape_place(self.seed, header)
        while self.shapes[at & self.shape_mask].header not in (header, <uint32_t>EMPTY):
            at += 1
        return &self.shapes[at & self.shape_mask]

    cdef int32_t _string(self, int name, bytes string) except -1:
        cdef dict ids = self.string_ids[name]
        found = ids.get(string)
        if found is None:
            found = ids[string] = len(ids)
            self.strings[name].append(string)
        return found


cdef const Shape *found_shape(KindTable kinds, uint32_t header) noexcept nogil:
    # Where the hash that nobody can foresee has it: NULL if nowhere; and near from now on.
    cdef uint32_t at = shape_place(kinds.seed, header)
    cdef const Shape *shape = &kinds.shapes[at & kinds.shape_mask]
    while shape.header != header:
        if shape.header == EMPTY:
            return NULL
        at += 1
        shape = &kinds.shapes[at & kinds.shape_mask]
    kinds.near_shapes[header * <uint32_t>0x9E3779B1 >> (32 - <uint32_t>NEAR_SHAPES_BITS)] = shape[0]
    return shape


cdef Known *found(KindTable kinds, uint32_t header, uint64_t told) noexcept nogil:
    cdef uint32_t at = place_of(kinds.seed, header, told)
    cdef Known *known = &kinds.table[at & kinds.table_mask]
    while known.told != told or known.header != header:
        if known.header == EMPTY:
            return NULL
        at += 1
        known = &kinds.table[at & kinds.table_mask]
    kinds.near[near_place(header, told)] = known
    return known


cdef uint64_t level(int column) noexcept:
    return <uint64_t>1 << 8 * column


cdef void *empty(size_t size) except NULL:
    # Places whose header is EMPTY.
    return memset(claimed(size), 0xFF, size)
