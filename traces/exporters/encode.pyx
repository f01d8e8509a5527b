# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Records to the pages of Parquet row groups, without Python and without the GIL.

Law: what a record means is not known here. The first of each kind is shown to Python (``describe``), which says how
names and numbers of all that are alike are got. Alike are records of an event with the same number of words and the
same of what they are told apart by (``exporters.details.told_by``).

Ref: apache/parquet-format: Encodings, Data Pages
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.math cimport rint
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from traces.decode.event cimport Event
from traces.exporters.pack cimport DELTA_BLOCK, DELTA_BLOCK_MAX, SLACK, deltas, flags, packed, repeated, width_of
from traces.formats.ids cimport (
    GRANT_TABLE_OP, HYPERCALL_OP_MASK, MMU_UPDATE, MMUEXT_OP, SCHED_OP, UNKNOWN_DOMID, VCPU_OP,
)

#: How records with one header are told apart: ``describe`` is asked once for all, for each value of a field, or for
#: each hypercall with its sub-operation and whether it goes on.
ALIKE, BY_FIELD, BY_HYPERCALL = range(3)
#: Encodings as Parquet numbers them.
PLAIN, DELTA_BINARY_PACKED, RLE_DICTIONARY = 0, 5, 8

cdef enum:
    E_PLAIN = 0
    E_DELTA = 5
    E_DICTIONARY = 8
    TOLD_BY_FIELD = 1
    TOLD_BY_HYPERCALL = 2
    WORDS = 7
    NAMES_MAX = 7
    NUMBERS_MAX = 7
    COLUMNS_MAX = 32
    # A row group ends before another kind than these; above half of it, all are forgotten before the next row group.
    # Real traces have some hundred, a hostile one a new one with each record.
    KINDS_MAX = 1 << 16
    # Of a column's distinct values, where these are stored once each.
    DISTINCT_MAX = 1 << 12
    PLACES = 1 << 13
    # After so many values it shows whether they repeat.
    TRIAL = 2048
    # Of a preempted hypercall, see ``exporters.details``.
    CMD_MASK = 0xFFF
    PREEMPTED = 0x80000000
    # Bits of the fourth plane.
    HAS_TIME = 1
    HAS_DOMAIN = 2

# As in ``analyses.elapsed``.
cdef enum:
    UNTIMED = -1
cdef uint64_t CYCLES_MAX = <uint64_t>1 << 61

cdef struct Shape:
    # How records with this header, without its flag for a time stamp, are told apart.
    uint32_t header
    uint8_t told
    uint8_t offset
    uint8_t size
    uint8_t used

cdef struct Source:
    # Where a number comes from: a field of the payload; or it is ``constant``, and size is 0.
    uint64_t constant
    uint64_t mask
    uint8_t column
    uint8_t offset
    uint8_t size
    uint8_t is_signed

cdef struct Kind:
    uint64_t told
    uint32_t header
    int32_t names[NAMES_MAX]    # indices of strings; -1: null
    Source sources[NUMBERS_MAX]
    uint8_t source_count
    uint8_t planes[3]           # bits for what is not null: words, names, numbers
    uint8_t wanted
    uint32_t count              # in the row group at hand

cdef struct Numbers:
    # The values of a column that are not null, each of 4 bytes or 8.
    uint8_t *values
    Py_ssize_t count
    int size

ctypedef fused Integer:
    uint32_t
    uint64_t

cdef struct Place:
    uint64_t value
    uint32_t turn
    uint16_t code

cdef struct Page:
    # One column of the row group: its dictionary, if it has one, and its data lie one behind the other.
    int encoding
    Py_ssize_t entries
    Py_ssize_t dictionary_size
    Py_ssize_t size
    Py_ssize_t nulls
    bint ranged
    uint64_t least
    uint64_t most


cdef class Choice:
    """Which records are wanted, apart from their kinds.

    domid           None for all
    vcpus, pcpus    numbers below 65536; None for all
    begin, end      in cycles since the trace's first record; None for no limit
    """

    cdef int64_t domid
    cdef uint8_t *vcpus
    cdef uint8_t *pcpus
    cdef int64_t begin
    cdef int64_t end
    cdef bint choosy        # not all are wanted

    def __cinit__(self, domid=None, vcpus=None, pcpus=None, begin=None, end=None):
        self.domid = -1 if domid is None else domid
        self.begin = -(1 << 62) if begin is None else min(begin, 1 << 62)
        self.end = (1 << 63) - 1 if end is None else min(end, (1 << 63) - 1)
        self.vcpus = self._one_of(vcpus)
        self.pcpus = self._one_of(pcpus)
        self.choosy = (
            domid is not None or vcpus is not None or pcpus is not None or begin is not None or end is not None
        )

    cdef uint8_t *_one_of(self, numbers) except? NULL:
        cdef uint8_t *found
        if numbers is None:
            return NULL
        found = <uint8_t *>calloc(1 << 16, 1)
        if found == NULL:
            raise MemoryError()
        for number in numbers:
            if 0 <= number < 1 << 16:
                found[<Py_ssize_t>number] = 1
        return found

    def __dealloc__(self):
        free(self.vcpus)
        free(self.pcpus)


cdef class Encoder:
    """Makes the pages of one row group after the other, for one thread.

    describe   of a kind's first record: called with event, words and payload, returns whether it is wanted, the names
               (bytes or None, the first is never None), and of each number (column, offset, size, is signed, mask,
               constant)
    told_by    called with event and words, returns (ALIKE, BY_FIELD or BY_HYPERCALL, offset, size)
    rows       the most in a row group
    sizes      of the numbers, 4 or 8 bytes each

    The columns are: offset, tsc, ns, pcpu, domid, vcpu, event, first name, words, other names, numbers.
    """

    cdef object describe
    cdef object told_by
    cdef Choice choice
    cdef double ns_per_cycle
    cdef dict string_ids
    cdef uint8_t *text              # the strings, each with its length as a dictionary has them
    cdef Py_ssize_t *text_ends
    cdef Py_ssize_t string_count
    cdef Shape *shapes
    cdef uint32_t shape_mask
    cdef uint32_t shape_count
    cdef Kind *kinds
    cdef uint32_t kind_count
    cdef uint32_t kind_room
    cdef uint32_t *table            # of kinds, by hash: index + 1
    cdef uint32_t table_mask
    cdef int name_count
    cdef int number_count
    cdef Py_ssize_t room
    # Of each row.
    cdef uint16_t *kind_of
    cdef uint64_t *offsets
    cdef uint64_t *tscs
    cdef uint64_t *times            # but those without
    cdef uint8_t *planes[4]
    # Of each column.
    cdef Numbers times_
    cdef Numbers pcpus
    cdef Numbers domids
    cdef Numbers vcpus
    cdef Numbers words[WORDS]
    cdef Numbers numbers[NUMBERS_MAX]
    cdef Page pages[COLUMNS_MAX]
    cdef int page_count
    # Room to work in.
    cdef uint16_t *codes
    cdef uint16_t *kind_codes
    cdef uint8_t *kind_has
    cdef int32_t *string_codes
    cdef Place *places
    cdef uint32_t turn
    cdef uint64_t *distinct
    cdef uint8_t *out
    cdef Py_ssize_t used
    cdef Py_ssize_t out_room
    cdef bint starved               # of memory

    def __cinit__(self, describe, told_by, Choice choice not None, double hz, Py_ssize_t rows, int names, sizes):
        cdef Py_ssize_t padded = rows + 64
        cdef int i
        self.describe = describe
        self.told_by = told_by
        self.choice = choice
        self.ns_per_cycle = 1e9 / hz
        self.room = rows
        self.name_count = names
        self.number_count = len(sizes)
        if names > NAMES_MAX or self.number_count > NUMBERS_MAX:
            raise ValueError("more columns than there is room for")
        self.turn = 0
        self.starved = False
        self.kind_of = <uint16_t *>claimed(padded * 2)
        self.offsets = <uint64_t *>claimed(padded * 8)
        self.tscs = <uint64_t *>claimed(padded * 8)
        self.codes = <uint16_t *>claimed(padded * 2)
        self.kind_codes = <uint16_t *>claimed(<Py_ssize_t>KINDS_MAX * 2)
        self.kind_has = <uint8_t *>claimed(KINDS_MAX)
        self.places = <Place *>claimed(PLACES * sizeof(Place))
        self.distinct = <uint64_t *>claimed(DISTINCT_MAX * 8)
        for i in range(4):
            self.planes[i] = <uint8_t *>claimed(padded)
        prepare(&self.times_, padded, 8)
        prepare(&self.pcpus, padded, 4)
        prepare(&self.domids, padded, 4)
        prepare(&self.vcpus, padded, 4)
        for i in range(WORDS):
            prepare(&self.words[i], padded, 4)
        for i in range(self.number_count):
            prepare(&self.numbers[i], padded, sizes[i])
        self._forget()

    def __dealloc__(self):
        cdef int i
        for i in range(4):
            free(self.planes[i])
        for i in range(WORDS):
            free(self.words[i].values)
        for i in range(NUMBERS_MAX):
            free(self.numbers[i].values)
        for one in (<size_t>self.times_.values, <size_t>self.pcpus.values, <size_t>self.domids.values):
            free(<void *><size_t>one)
        free(self.vcpus.values)
        free(self.text)
        free(self.text_ends)
        free(self.shapes)
        free(self.kinds)
        free(self.table)
        free(self.kind_of)
        free(self.offsets)
        free(self.tscs)
        free(self.codes)
        free(self.kind_codes)
        free(self.kind_has)
        free(self.string_codes)
        free(self.places)
        free(self.distinct)
        free(self.out)

    cdef int _forget(self) except -1:
        self.string_ids = {}
        self.string_count = 0
        self.kind_count = self.shape_count = 0
        free(self.shapes)
        free(self.table)
        self.shapes = NULL
        self.table = NULL
        self.shape_mask = 255
        self.table_mask = 1023
        self.shapes = <Shape *>claimed((self.shape_mask + 1) * sizeof(Shape))
        self.table = <uint32_t *>claimed((self.table_mask + 1) * 4)
        return 0

    def encode(self, const uint8_t[::1] events, Py_ssize_t first, Py_ssize_t last, const uint8_t[::1] data not None,
               uint64_t base, uint64_t start, int64_t begin):
        """Encode the events from number ``first`` on, without those that are not wanted: up to ``last``, or as far as it goes.

        events  array of ``Event``
        data    the bytes that they lie in, the first of them at file offset ``base``
        start   the time stamp at which this run of the clock began, ``begin`` cycles after the trace did

        Returns how far it went, the rows, the body, and of each column, which lie in it one behind the other,
        (encoding, entries of the dictionary, bytes of it, bytes of the data, nulls, (least, most) or None). No rows
        have no columns.
        """
        cdef Py_ssize_t next_ = first, rows = 0
        cdef int i
        cdef Page *page
        if last - first > self.room or last * <Py_ssize_t>sizeof(Event) > events.shape[0] or first < 0:
            raise ValueError("more events than there is room for")
        if self.kind_count > KINDS_MAX // 2:
            self._forget()
        if first < last and data.shape[0]:
            with nogil:
                rows = self._gather(<const Event *>&events[0], &next_, last, &data[0] - base, start, begin)
                if rows:
                    self._columns(rows)
        if self.starved:
            raise MemoryError()
        found = []
        if rows:
            for i in range(self.page_count):
                page = &self.pages[i]
                found.append((page.encoding, page.entries, page.dictionary_size, page.size, page.nulls,
                              (page.least, page.most) if page.ranged else None))
        return next_, rows, PyBytes_FromStringAndSize(<char *>self.out, self.used if rows else 0), found

    cdef Py_ssize_t _gather(self, const Event *events, Py_ssize_t *next_, Py_ssize_t last, const uint8_t *data,
                            uint64_t start, int64_t begin) except -1 nogil:
        # Read each event once, and put what the columns need into arrays.
        cdef Py_ssize_t i, row = 0
        cdef int word, left
        cdef const Event *event
        cdef const uint8_t *payload
        cdef uint64_t since
        cdef int64_t cycles
        cdef uint32_t value
        cdef Kind *kind
        cdef Source *source
        cdef Numbers *column
        cdef int index
        cdef double ns
        cdef uint8_t known
        cdef bint choosy = self.choice.choosy
        for i in range(<int>self.kind_count):
            self.kinds[i].count = 0
        self.times_.count = self.pcpus.count = self.domids.count = self.vcpus.count = 0
        for i in range(WORDS):
            self.words[i].count = 0
        for i in range(self.number_count):
            self.numbers[i].count = 0
        for i in range(next_[0], last):
            event = &events[i]
            payload = data + event.offset + 4 + (event.header >> 31) * 8
            cycles = UNTIMED
            if event.tsc:
                since = event.tsc - start if event.tsc > start else 0
                cycles = <int64_t>(since if since < CYCLES_MAX else CYCLES_MAX) + begin
            if choosy and not self._chosen(event, cycles):
                continue
            index = self._find(event.header & 0x7FFFFFFF, payload)
            if index < 0:
                last = i
                break
            kind = &self.kinds[index]
            if not kind.wanted:
                continue
            kind.count += 1
            self.kind_of[row] = <uint16_t>index
            self.offsets[row] = event.offset
            self.tscs[row] = event.tsc
            known = 0
            if event.tsc:
                ns = rint(<double>cycles * self.ns_per_cycle)
                (<int64_t *>self.times_.values)[self.times_.count] = (
                    <int64_t>ns if ns < 2.0 * <double>CYCLES_MAX else <int64_t>(2 * CYCLES_MAX))
                self.times_.count += 1
                known |= HAS_TIME
            (<uint32_t *>self.pcpus.values)[row] = event.pcpu
            # Written in any case, and overwritten where they do not count.
            (<uint32_t *>self.domids.values)[self.domids.count] = event.who >> 16
            (<uint32_t *>self.vcpus.values)[self.domids.count] = event.who & 0xFFFF
            if event.who >> 16 != UNKNOWN_DOMID:
                self.domids.count += 1
                known |= HAS_DOMAIN
            self.planes[0][row] = kind.planes[0]
            self.planes[1][row] = kind.planes[1]
            self.planes[2][row] = kind.planes[2]
            self.planes[3][row] = known
            row += 1
            for word in range((event.header >> 28) & 7):
                column = &self.words[word]
                memcpy(column.values + 4 * column.count, payload + 4 * word, 4)
                column.count += 1
            source = kind.sources
            for left in range(kind.source_count):
                column = &self.numbers[source.column]
                since = got(source, payload)
                if column.size == 4:
                    (<uint32_t *>column.values)[column.count] = <uint32_t>since
                else:
                    (<uint64_t *>column.values)[column.count] = since
                column.count += 1
                source += 1
        self.pcpus.count = row
        self.vcpus.count = self.domids.count
        next_[0] = last
        return row

    cdef inline bint _chosen(self, const Event *event, int64_t cycles) noexcept nogil:
        if self.choice.domid >= 0 and event.who >> 16 != <uint32_t>self.choice.domid:
            return False
        if self.choice.vcpus != NULL and not self.choice.vcpus[event.who & 0xFFFF]:
            return False
        if self.choice.pcpus != NULL and not self.choice.pcpus[event.pcpu]:
            return False
        return self.choice.begin <= cycles < self.choice.end

    cdef inline int _find(self, uint32_t header, const uint8_t *payload) except -2 nogil:
        # The index of a record's kind; -1: there is room for no other.
        cdef uint32_t at = (header * <uint32_t>0x9E3779B1) >> 16
        cdef Shape *shape = &self.shapes[at & self.shape_mask]
        cdef uint64_t told = 0
        cdef Kind *kind
        while shape.used and shape.header != header:
            at += 1
            shape = &self.shapes[at & self.shape_mask]
        if not shape.used:
            shape = self._shape(header)
        if shape.told == TOLD_BY_HYPERCALL:
            told = hypercall(header, payload)
        elif shape.told == TOLD_BY_FIELD:
            memcpy(&told, payload + shape.offset, shape.size)
        at = place_of(header, told)
        while self.table[at & self.table_mask]:
            kind = &self.kinds[self.table[at & self.table_mask] - 1]
            if kind.told == told and kind.header == header:
                return <int>(self.table[at & self.table_mask] - 1)
            at += 1
        return self._learn(header, told, payload)

    cdef Shape *_shape(self, uint32_t header) except NULL with gil:
        cdef Shape *old = self.shapes
        cdef uint32_t i, at
        cdef Shape *shape
        if 2 * self.shape_count > self.shape_mask:
            self.shape_mask = 2 * self.shape_mask + 1
            self.shapes = <Shape *>calloc(self.shape_mask + 1, sizeof(Shape))
            if self.shapes == NULL:
                self.shapes = old
                self.shape_mask //= 2
                raise MemoryError()
            for i in range(self.shape_mask // 2 + 1):
                if old[i].used:
                    self._place(old[i].header)[0] = old[i]
            free(old)
        shape = self._place(header)
        shape.header = header
        shape.told, shape.offset, shape.size = self.told_by(header & 0x0FFFFFFF, header >> 28)
        shape.used = 1
        self.shape_count += 1
        return shape

    cdef Shape *_place(self, uint32_t header) noexcept:
        cdef uint32_t at = (header * <uint32_t>0x9E3779B1) >> 16
        while self.shapes[at & self.shape_mask].used:
            at += 1
        return &self.shapes[at & self.shape_mask]

    cdef int _learn(self, uint32_t header, uint64_t told, const uint8_t *payload) except -2 with gil:
        cdef Kind *kind
        cdef uint32_t i, at
        cdef uint32_t *table
        cdef int words = header >> 28
        if self.kind_count == KINDS_MAX:
            return -1
        wanted, names, numbers = self.describe(header & 0x0FFFFFFF, words, payload[:4 * words])
        if self.kind_count == self.kind_room or self.kinds == NULL:
            kind = <Kind *>realloc(self.kinds, (2 * self.kind_room + 256) * sizeof(Kind))
            if kind == NULL:
                raise MemoryError()
            self.kinds = kind
            self.kind_room = 2 * self.kind_room + 256
        if 2 * self.kind_count > self.table_mask:
            table = <uint32_t *>claimed(2 * (self.table_mask + 1) * 4)
            self.table_mask = 2 * self.table_mask + 1
            for i in range(self.kind_count):
                at = place_of(self.kinds[i].header, self.kinds[i].told)
                while table[at & self.table_mask]:
                    at += 1
                table[at & self.table_mask] = i + 1
            free(self.table)
            self.table = table
        kind = &self.kinds[self.kind_count]
        memset(kind, 0, sizeof(Kind))
        kind.header = header
        kind.told = told
        kind.wanted = wanted
        kind.planes[0] = <uint8_t>((1 << words) - 1)
        for i in range(<uint32_t>self.name_count):
            kind.names[i] = -1 if names[i] is None else self._string(names[i])
            kind.planes[1] |= <uint8_t>((kind.names[i] >= 0) << i)
        for column, offset, size, is_signed, mask, constant in numbers:
            # Every number is read within the record, and goes to its column once.
            if (not 0 <= column < self.number_count or size not in (0, 1, 2, 4, 8) or offset + size > 4 * words
                    or kind.planes[2] >> <int>column & 1):
                raise ValueError("no such number")
            kind.sources[kind.source_count] = Source(
                constant=constant, mask=mask, column=column, offset=offset, size=size, is_signed=is_signed)
            kind.source_count += 1
            kind.planes[2] |= <uint8_t>(1 << <int>column)
        at = place_of(header, told)
        while self.table[at & self.table_mask]:
            at += 1
        self.kind_count += 1
        self.table[at & self.table_mask] = self.kind_count
        return <int>self.kind_count - 1

    cdef int32_t _string(self, bytes string) except -1:
        cdef Py_ssize_t end, size = len(string)
        cdef uint32_t length = <uint32_t>size
        cdef void *grown
        found = self.string_ids.get(string)
        if found is not None:
            return found
        end = self.text_ends[self.string_count - 1] if self.string_count else 0
        for_text = end + 4 + size
        grown = realloc(self.text, 2 * for_text)
        if grown == NULL:
            raise MemoryError()
        self.text = <uint8_t *>grown
        grown = realloc(self.text_ends, (self.string_count + 1) * sizeof(Py_ssize_t))
        if grown == NULL:
            raise MemoryError()
        self.text_ends = <Py_ssize_t *>grown
        grown = realloc(self.string_codes, (self.string_count + 1) * 4)
        if grown == NULL:
            raise MemoryError()
        self.string_codes = <int32_t *>grown
        memcpy(self.text + end, &length, 4)
        memcpy(self.text + end + 4, <const char *>string, size)
        self.text_ends[self.string_count] = end + 4 + size
        self.string_ids[string] = self.string_count
        self.string_count += 1
        return <int32_t>self.string_count - 1

    cdef void _columns(self, Py_ssize_t rows) noexcept nogil:
        cdef int i
        self.used = self.page_count = 0
        self._growing(self.offsets, rows, -1, rows)
        self._growing(self.tscs, rows, -1, rows)
        self._growing(<uint64_t *>self.times_.values, self.times_.count, 0, rows)
        self._numbers(&self.pcpus, -1, -1, rows)
        self._numbers(&self.domids, 3, 1, rows)
        self._numbers(&self.vcpus, 3, 1, rows)
        self._events(rows)
        self._names(0, rows)
        for i in range(WORDS):
            self._numbers(&self.words[i], 0, i, rows)
        for i in range(1, self.name_count):
            self._names(i, rows)
        for i in range(self.number_count):
            self._numbers(&self.numbers[i], 2, i, rows)

    cdef Page *_page(self, int encoding, Py_ssize_t nulls) noexcept nogil:
        cdef Page *page = &self.pages[self.page_count]
        memset(page, 0, sizeof(Page))
        page.encoding = encoding
        page.nulls = nulls
        self.page_count += 1
        return page

    cdef uint8_t *_reserve(self, Py_ssize_t size) noexcept nogil:
        cdef uint8_t *grown
        if self.used + size + SLACK > self.out_room:
            grown = <uint8_t *>realloc(self.out, 2 * (self.used + size + SLACK))
            if grown == NULL:
                self.starved = True
                return NULL
            self.out = grown
            self.out_room = 2 * (self.used + size + SLACK)
        return self.out + self.used

    cdef uint8_t *_levels(self, uint8_t *at, int plane, int bit, Py_ssize_t present, Py_ssize_t rows) noexcept nogil:
        # Which rows are not null, for a column that may have nulls: as many bytes as rows are room enough.
        cdef uint8_t *begin = at
        cdef uint32_t size
        if plane < 0:
            return at
        at += 4
        if present == rows or present == 0:
            at = repeated(at, rows, present == rows, 1)
        else:
            at = flags(at, self.planes[plane], rows, bit)
        size = <uint32_t>(at - begin - 4)
        memcpy(begin, &size, 4)
        return at

    cdef void _growing(self, const uint64_t *values, Py_ssize_t count, int bit, Py_ssize_t rows) noexcept nogil:
        cdef uint8_t *begin = self._reserve(rows + 64 + (count // DELTA_BLOCK + 1) * DELTA_BLOCK_MAX)
        cdef uint8_t *at
        cdef Page *page
        cdef Py_ssize_t i
        cdef uint64_t least, most
        if begin == NULL:
            return
        page = self._page(E_DELTA if count else E_PLAIN, rows - count)
        at = self._levels(begin, 3 if bit >= 0 else -1, bit, count, rows)
        if count:
            at = deltas(at, values, count)
            least = most = values[0]
            for i in range(count):
                least = min(least, values[i])
                most = max(most, values[i])
            page.ranged = True
            page.least = least
            page.most = most
        page.size = at - begin
        self.used += page.size

    cdef void _numbers(self, const Numbers *numbers, int plane, int bit, Py_ssize_t rows) noexcept nogil:
        cdef Py_ssize_t count = numbers.count, entries = 0, i
        cdef uint8_t *begin = self._reserve(2 * rows + 64 + 8 * DISTINCT_MAX + 8 * count)
        cdef uint8_t *at
        cdef Page *page
        if begin == NULL:
            return
        if numbers.size == 4:
            entries = self._encode(<const uint32_t *>numbers.values, count)
        else:
            entries = self._encode(<const uint64_t *>numbers.values, count)
        # Not worth it for a few.
        if entries * numbers.size + count * width_of(entries) // 8 >= count * numbers.size:
            entries = 0
        page = self._page(E_DICTIONARY if entries else E_PLAIN, rows - count)
        page.entries = entries
        at = begin
        if entries:
            page.ranged = True
            page.least = page.most = self.distinct[0]
            for i in range(entries):
                memcpy(at, &self.distinct[i], numbers.size)
                at += numbers.size
                page.least = min(page.least, self.distinct[i])
                page.most = max(page.most, self.distinct[i])
        page.dictionary_size = at - begin
        at = self._levels(at, plane, bit, count, rows)
        if entries:
            at = self._indices(at, count, entries)
        else:
            memcpy(at, numbers.values, count * numbers.size)
            at += count * numbers.size
        page.size = at - begin - page.dictionary_size
        self.used += at - begin

    cdef uint8_t *_indices(self, uint8_t *at, Py_ssize_t count, Py_ssize_t entries) noexcept nogil:
        cdef int width = max(width_of(entries - 1), 1)
        at[0] = <uint8_t>width
        return repeated(at + 1, count, 0, width) if entries == 1 else packed(at + 1, self.codes, count, width)

    cdef Py_ssize_t _encode(self, const Integer *values, Py_ssize_t count) noexcept nogil:
        # Give each value its code, by the order in which they first come; 0: they do not repeat enough.
        cdef Py_ssize_t i
        cdef int entries = 0
        self.turn += 1
        for i in range(count):
            if i == TRIAL and entries > TRIAL // 2:
                return 0
            entries = self._code(values[i], i, entries)
            if entries < 0:
                return 0
        return entries

    cdef inline int _code(self, uint64_t value, Py_ssize_t i, int entries) noexcept nogil:
        cdef uint32_t at = <uint32_t>((value * <uint64_t>0x9E3779B97F4A7C15) >> 40)
        cdef Place *place = &self.places[at & (PLACES - 1)]
        while place.turn == self.turn:
            if place.value == value:
                self.codes[i] = place.code
                return entries
            at += 1
            place = &self.places[at & (PLACES - 1)]
        if entries == DISTINCT_MAX:
            return -1
        place.turn = self.turn
        place.value = value
        place.code = <uint16_t>entries
        self.distinct[entries] = value
        self.codes[i] = <uint16_t>entries
        return entries + 1

    cdef void _events(self, Py_ssize_t rows) noexcept nogil:
        # By kind: all records of one are of one event.
        cdef Py_ssize_t i, entries = 0
        cdef uint32_t event
        cdef uint8_t *begin = self._reserve(4 * <Py_ssize_t>self.kind_count + 2 * rows + 64)
        cdef uint8_t *at = begin
        cdef Page *page
        if begin == NULL:
            return
        for i in range(<Py_ssize_t>self.kind_count):
            if self.kinds[i].count:
                event = self.kinds[i].header & 0x0FFFFFFF
                self.kind_codes[i] = <uint16_t>entries
                memcpy(at, &event, 4)
                at += 4
                entries += 1
        page = self._page(E_DICTIONARY, 0)
        page.entries = entries
        page.dictionary_size = at - begin
        for i in range(rows):
            self.codes[i] = self.kind_codes[self.kind_of[i]]
        at = self._indices(at, rows, entries)
        page.size = at - begin - page.dictionary_size
        self.used += at - begin

    cdef void _names(self, int column, Py_ssize_t rows) noexcept nogil:
        cdef Py_ssize_t i, entries = 0, count = 0, text = 0, begin_, size
        cdef int32_t string
        cdef uint16_t kind
        cdef uint8_t *begin
        cdef uint8_t *at
        cdef Page *page
        for i in range(self.string_count):
            self.string_codes[i] = -1
        for i in range(<Py_ssize_t>self.kind_count):
            string = self.kinds[i].names[column]
            self.kind_has[i] = string >= 0
            if self.kinds[i].count and string >= 0:
                count += self.kinds[i].count
                if self.string_codes[string] < 0:
                    self.string_codes[string] = <int32_t>entries
                    entries += 1
                    text += self.text_ends[string] - (self.text_ends[string - 1] if string else 0)
                self.kind_codes[i] = <uint16_t>self.string_codes[string]
        begin = self._reserve(text + 2 * rows + rows + 64)
        if begin == NULL:
            return
        page = self._page(E_DICTIONARY if entries else E_PLAIN, rows - count)
        page.entries = entries
        at = begin
        entries = 0
        for i in range(<Py_ssize_t>self.kind_count):
            string = self.kinds[i].names[column]
            # In the order of their codes.
            if self.kinds[i].count and string >= 0 and self.string_codes[string] == entries:
                begin_ = self.text_ends[string - 1] if string else 0
                size = self.text_ends[string] - begin_
                memcpy(at, self.text + begin_, size)
                at += size
                entries += 1
        page.dictionary_size = at - begin
        at = self._levels(at, 1 if column else -1, column, count, rows)
        if entries == 1:
            at = self._indices(at, count, entries)
        elif entries:
            count = 0
            for i in range(rows):
                kind = self.kind_of[i]
                self.codes[count] = self.kind_codes[kind]
                count += self.kind_has[kind]
            at = self._indices(at, count, entries)
        page.size = at - begin - page.dictionary_size
        self.used += at - begin


cdef void *claimed(size_t size) except NULL:
    cdef void *found = calloc(size, 1)
    if found == NULL:
        raise MemoryError()
    return found


cdef int prepare(Numbers *numbers, Py_ssize_t rows, int size) except -1:
    if size not in (4, 8):
        raise ValueError("numbers have 4 or 8 bytes")
    numbers.size = size
    numbers.values = <uint8_t *>claimed(rows * size)
    return 0


cdef inline uint32_t place_of(uint32_t header, uint64_t told) noexcept nogil:
    return <uint32_t>(((told + header) * <uint64_t>0x9E3779B97F4A7C15) >> 32) ^ header


cdef inline uint64_t hypercall(uint32_t header, const uint8_t *payload) noexcept nogil:
    """What hypercalls are told apart by, as ``exporters.details`` has it."""
    cdef uint32_t op, nr, first, told = 0
    memcpy(&op, payload, 4)
    if (header >> 28) < 2:
        return op
    nr = op & HYPERCALL_OP_MASK
    memcpy(&first, payload + 4, 4)
    if nr == GRANT_TABLE_OP or nr == VCPU_OP or nr == SCHED_OP:
        told = first & CMD_MASK
    if nr == MMU_UPDATE or nr == MMUEXT_OP:
        told = first & <uint32_t>PREEMPTED
    elif nr == GRANT_TABLE_OP and first > CMD_MASK:
        told |= <uint32_t>PREEMPTED
    return op | <uint64_t>told << 32


cdef inline uint64_t got(const Source *source, const uint8_t *payload) noexcept nogil:
    cdef uint64_t value = 0
    cdef uint32_t four
    if source.size == 4:
        memcpy(&four, payload + source.offset, 4)
        value = <uint64_t><int64_t><int32_t>four if source.is_signed else four
    elif source.size == 0:
        return source.constant
    else:
        memcpy(&value, payload + source.offset, source.size)
        if source.is_signed:
            if source.size == 1:
                value = <uint64_t><int64_t><int8_t>value
            elif source.size == 2:
                value = <uint64_t><int64_t><int16_t>value
    return value & source.mask
