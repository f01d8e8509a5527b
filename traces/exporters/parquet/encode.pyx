# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Records to the pages of Parquet row groups, without Python and without the GIL.

Law: what a record means is not known here; ``alike`` learns it, a kind at a time. A row group is made in blocks that
stay in a core's own cache: each is read record by record into arrays, and these make a page of each column.

Ref: apache/parquet-format: Encodings, Data Pages
"""

import os

cimport cython
from cpython.bytes cimport PyBytes_AsString, PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memcpy, memset

from traces.xen.decode.event cimport Event
from traces.exporters.parquet.alike cimport ALWAYS, KINDS_MAX, NAMES_MAX, NUMBERS_MAX, KindTable, Known, Origin, find, got
from traces.exporters.parquet.block cimport (
    BITS, BLOCK, HAS_DOMAIN, HAS_NAME, HAS_NUMBER, HAS_TIME, HAS_WORD, HAVE_ALL, LEVELS, PADDED, Block,
)
from traces.exporters.parquet.dictionary cimport Dictionary, Small, clear, code_of, small_code
from traces.exporters.parquet.memory cimport claimed
from traces.exporters.parquet.pack cimport DELTA_BLOCK, DELTA_BLOCK_MAX, deltas, packed, repeated, set_in, width_of
from traces.exporters.parquet.column cimport E_DELTA, E_DICTIONARY, E_PLAIN, Column, finish, levels, room_for
from traces.exporters.parquet.whole cimport rounded
from traces.counting.states cimport UNKNOWN_DOMID

cdef extern from "Python.h":
    object PyMemoryView_FromMemory(char *memory, Py_ssize_t size, int flags)
    int PyBUF_READ

cdef extern from *:
    int __builtin_ctzll(unsigned long long) noexcept nogil

#: An encoding as Parquet numbers them.
PLAIN = E_PLAIN

cdef enum:
    WORDS = 7
    # A column with fewer values is not judged yet, whether they repeat.
    TRIAL = 1 << 10
    OFFSET = 0
    TSC
    NS
    PCPU
    DOMID
    VCPU
    NAMES
    COLUMNS_MAX = NAMES + NAMES_MAX + WORDS + NUMBERS_MAX

# As in ``analyses.elapsed``.
cdef enum:
    UNTIMED = -1
cdef uint64_t CYCLES_MAX = <uint64_t>1 << 61


@cython.final
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
        found = <uint8_t *>claimed(1 << 16)
        for number in numbers:
            if 0 <= number < 1 << 16:
                found[<Py_ssize_t>number] = 1
        return found

    def __dealloc__(self):
        free(self.vcpus)
        free(self.pcpus)


@cython.final
cdef class Encoder:
    """Makes the pages of one row group after the other, for one thread.

    kinds   of records, which all have the first two names
    rows    the most in a row group
    sizes   of the kinds' numbers, 4 or 8 bytes each

    The columns are: offset, tsc, ns, pcpu, domid, vcpu, names, words, numbers.
    """

    cdef KindTable kinds
    cdef Choice choice
    cdef double ns_per_cycle
    cdef Py_ssize_t room
    cdef int names
    cdef int numbers
    cdef int sizes[NUMBERS_MAX]
    cdef Block *block
    cdef Column *columns
    cdef Small *small[NAMES + NAMES_MAX]    # of those columns that have one
    cdef uint16_t *name_codes[NAMES_MAX]    # of each kind that was met in the row group
    cdef bint starved                       # of memory

    def __cinit__(self, KindTable kinds not None, Choice choice not None, double hz, Py_ssize_t rows, sizes):
        cdef int i
        self.kinds = kinds
        self.choice = choice
        self.ns_per_cycle = 1e9 / hz
        self.room = rows
        self.names = kinds.name_count
        self.numbers = kinds.number_count
        self.starved = False
        if len(sizes) != self.numbers or not set(sizes) <= {4, 8}:
            raise ValueError("numbers have 4 or 8 bytes")
        for i in range(self.numbers):
            self.sizes[i] = sizes[i]
        self.block = <Block *>claimed(sizeof(Block))
        self.columns = <Column *>claimed(COLUMNS_MAX * sizeof(Column))
        self._prepare(self.block)
        for i in range(PCPU, NAMES + self.names):
            self.small[i] = <Small *>claimed(sizeof(Small))
        for i in range(self.names):
            self.name_codes[i] = <uint16_t *>claimed(KINDS_MAX * 2)
        for i in range(NAMES + self.names, self._count()):
            self.columns[i].dictionary = <Dictionary *>claimed(sizeof(Dictionary))
            self.columns[i].dictionary.seed = int.from_bytes(os.urandom(8), "little")

    def __dealloc__(self):
        cdef int i
        free(self.block)
        for i in range(NAMES + NAMES_MAX):
            free(self.small[i])
        for i in range(NAMES_MAX):
            free(self.name_codes[i])
        if self.columns != NULL:
            for i in range(COLUMNS_MAX):
                free(self.columns[i].pages)
                free(self.columns[i].dictionary)
        free(self.columns)

    cdef void _prepare(self, Block *b) noexcept:
        cdef int i, bit
        for i in range(PADDED):
            b.all[i] = <uint16_t>i
        for i in range(256):
            for bit in range(8):
                if i >> bit & 1:
                    b.eights[i][b.counts[i] // 4] |= <uint64_t>bit << 16 * (b.counts[i] % 4)
                    b.counts[i] += 1

    cdef int _count(self) noexcept nogil:
        return NAMES + self.names + WORDS + self.numbers

    def encode(self, const uint8_t[::1] events, Py_ssize_t first, Py_ssize_t last, const uint8_t[::1] data not None,
               uint64_t base, uint64_t start, int64_t begin):
        """Encode the events from number ``first`` on, without those that are not wanted: up to ``last``, or as far as it goes.

        events  array of ``Event``
        data    the bytes that they lie in, the first of them at file offset ``base``, and ``batches.BEHIND`` more
        start   the time stamp at which this run of the clock began, ``begin`` cycles after the trace did

        Returns how far it went, the rows, and of each column (dictionary or None, its entries, pages, their encodings,
        nulls, (least, most) or None). The pages are valid until the next call. No rows have no columns.
        """
        cdef Py_ssize_t next_ = first, rows = 0
        cdef int i
        if last * <Py_ssize_t>sizeof(Event) > events.shape[0] or first < 0:
            raise ValueError("no such events")
        if self.kinds.count > KINDS_MAX // 2:
            # A row group ends before there is no room for another kind.
            self.kinds.forget()
        self._begin()
        if first < last and data.shape[0]:
            with nogil:
                while next_ < last and rows < self.room:
                    if self._gather(<const Event *>&events[0], &next_, last, min(BLOCK, self.room - rows),
                                    &data[0] - base, start, begin):
                        last = next_
                    rows += self.block.rows
                    if self.block.rows:
                        self._pages(start, begin)
                if rows:
                    self._end()
        if self.starved:
            raise MemoryError()
        return next_, rows, [self._column(i) for i in range(self._count())] if rows else []

    cdef void _begin(self) noexcept:
        cdef int i
        cdef uint32_t j
        cdef Column *c
        cdef Small *small
        self.kinds.begin()
        for i in range(self._count()):
            c = &self.columns[i]
            c.used = c.waiting = c.nulls = c.values = c.entries = 0
            c.has_plain = c.has_coded = c.given_up = c.ranged = False
            if c.dictionary != NULL:
                clear(c.dictionary)
        for i in range(PCPU, NAMES + self.names):
            small = self.small[i]
            for j in range(small.entries):
                small.codes[small.values[j]] = 0
            small.entries = 0

    cdef bint _gather(self, const Event *events, Py_ssize_t *next_, Py_ssize_t last, Py_ssize_t most,
                      const uint8_t *data, uint64_t start, int64_t begin) except -1 nogil:
        # Read each event once, and put what the columns need into arrays. True: there is room for no other kind.
        cdef Block *b = self.block
        cdef Py_ssize_t i = next_[0], row = 0
        cdef const Event *event
        cdef const uint8_t *payload
        cdef uint32_t header
        cdef Known *known
        cdef bint choosy = self.choice.choosy, full = False
        while i < last and row < most:
            event = &events[i]
            header = event.header & 0x7FFFFFFF
            payload = data + event.offset + 4 + ((event.header >> 28) & 8)
            if choosy and not self._chosen(event, start, begin):
                i += 1
                continue
            known = find(self.kinds, header, payload)
            if known == NULL or known.remarkable:
                if known == NULL:
                    known = self.kinds.learn(header, payload)
                    if known == NULL:
                        full = True
                        break
                if not self.kinds.wanted[known.kind]:
                    i += 1
                    continue
                known.remarkable = 0
                self._meet(known.kind)
            b.kinds[row] = known.kind
            b.payloads[row] = payload
            b.offsets[row] = event.offset
            b.tscs[row] = event.tsc
            b.pcpus[row] = <uint16_t>event.pcpu
            b.domids[row] = <uint16_t>(event.who >> 16)
            b.vcpus[row] = <uint16_t>event.who
            row += 1
            i += 1
        b.rows = row
        next_[0] = i
        return full

    cdef inline int64_t _cycles(self, uint64_t tsc, uint64_t start, int64_t begin) noexcept nogil:
        cdef uint64_t since = tsc - start if tsc > start else 0
        return <int64_t>(since if since < CYCLES_MAX else CYCLES_MAX) + begin

    cdef bint _chosen(self, const Event *event, uint64_t start, int64_t begin) noexcept nogil:
        cdef int64_t cycles = self._cycles(event.tsc, start, begin) if event.tsc else UNTIMED
        if self.choice.domid >= 0 and event.who >> 16 != <uint32_t>self.choice.domid:
            return False
        if self.choice.vcpus != NULL and not self.choice.vcpus[event.who & 0xFFFF]:
            return False
        if self.choice.pcpus != NULL and not self.choice.pcpus[event.pcpu]:
            return False
        return self.choice.begin <= cycles < self.choice.end

    cdef void _meet(self, uint16_t kind) noexcept nogil:
        # The first of a kind in this row group: its names get their codes.
        cdef int i
        cdef int32_t name
        for i in range(self.names):
            name = self.kinds.names[i][kind]
            if name >= 0:
                self.name_codes[i][kind] = small_code(self.small[NAMES + i], <uint16_t>name)

    cdef void _pages(self, uint64_t start, int64_t begin) noexcept nogil:
        cdef int i, first_word = NAMES + self.names, first_number = NAMES + self.names + WORDS
        cdef Block *b = self.block
        b.level = NULL
        self._levels()
        self._growing(OFFSET, b.offsets, b.rows)
        self._growing(TSC, b.tscs, b.rows)
        self._times(start, begin)
        self._small(PCPU, b.pcpus, HAVE_ALL)
        self._small(DOMID, b.domids, HAS_DOMAIN)
        self._small(VCPU, b.vcpus, HAS_DOMAIN)
        for i in range(self.names):
            self._names(i)
        for i in range(WORDS):
            self._words(first_word + i, i)
        for i in range(self.numbers):
            self._numbers(first_number + i, i)

    cdef void _levels(self) noexcept nogil:
        # Eight rows at once: a flag of each for each of eight columns, in a byte a column.
        cdef Block *b = self.block
        cdef Py_ssize_t group, i, groups = (b.rows + 7) // 8
        cdef int plane, column
        cdef const uint64_t *has
        cdef const uint16_t *kind
        cdef uint64_t eight
        cdef bint whole = True
        # Of any kind, and taken away again below.
        memset(&b.kinds[b.rows], 0, 16)
        for plane in range(3):
            has = self.kinds.levels[plane]
            kind = b.kinds
            for group in range(groups):
                eight = (has[kind[0]] | has[kind[1]] << 1 | has[kind[2]] << 2 | has[kind[3]] << 3
                         | has[kind[4]] << 4 | has[kind[5]] << 5 | has[kind[6]] << 6 | has[kind[7]] << 7)
                kind += 8
                for column in range(8):
                    b.bits[8 * plane + column][group] = <uint8_t>(eight >> 8 * column)
        for column in range(3 * 8):
            b.bits[column][groups - 1] &= <uint8_t>(0xFF >> (8 * groups - b.rows))
            memset(&b.bits[column][groups], 0, 8)
        for i in range(b.rows):
            whole &= (b.tscs[i] != 0) & (b.domids[i] != UNKNOWN_DOMID)
        memset(b.bits[<int>HAS_TIME], 0, 2 * BITS)
        if whole:
            for column in range(HAS_TIME, LEVELS):
                memset(b.bits[column], 0xFF, b.rows // 8)
                b.bits[column][b.rows // 8] = <uint8_t>((1 << b.rows % 8) - 1)
        else:
            for i in range(b.rows):
                b.bits[<int>HAS_TIME][i // 8] |= <uint8_t>((b.tscs[i] != 0) << i % 8)
                b.bits[<int>HAS_DOMAIN][i // 8] |= <uint8_t>((b.domids[i] != UNKNOWN_DOMID) << i % 8)

    cdef Py_ssize_t _present(self, int column, int level) noexcept nogil:
        # Say in ``chosen`` which rows have a value of a column, one after the other, and give how many they are.
        cdef Block *b = self.block
        cdef Py_ssize_t i, words = (b.rows + 63) // 64, found = 0, present = b.rows
        cdef uint64_t word, half
        cdef uint8_t *bits
        cdef bint again = False
        if level != HAVE_ALL:
            bits = b.bits[level]
            # Columns often have values in the same rows as the one before.
            if b.level != NULL and memcmp(bits, b.level, (b.rows + 7) // 8) == 0:
                present = b.present
                again = True
            else:
                present = b.present = set_in(bits, words)
            b.level = bits
        if present == 0:
            self.columns[column].waiting += b.rows
            self.columns[column].nulls += b.rows
        elif present == b.rows:
            b.chosen = b.all
        elif again:
            b.chosen = b.some
        elif 8 * present > b.rows:
            b.chosen = b.some
            for i in range((b.rows + 7) // 8):
                # The row's number is added to four at once.
                word = <uint64_t>(8 * i) * <uint64_t>0x0001000100010001
                half = b.eights[bits[i]][0] + word
                memcpy(&b.some[found], &half, 8)
                half = b.eights[bits[i]][1] + word
                memcpy(&b.some[found + 4], &half, 8)
                found += b.counts[bits[i]]
        else:
            b.chosen = b.some
            for i in range(words):
                memcpy(&word, &bits[8 * i], 8)
                while word:
                    b.some[found] = <uint16_t>(64 * i + __builtin_ctzll(word))
                    found += 1
                    word &= word - 1
        return present

    cdef void _growing(self, int column, const uint64_t *values, Py_ssize_t present) noexcept nogil:
        cdef Block *b = self.block
        cdef Column *c = &self.columns[column]
        cdef uint8_t *at
        cdef uint8_t *end
        cdef Py_ssize_t i
        cdef uint64_t least = values[0], most = values[0]
        cdef bint grows
        at = room_for(c, b.rows // 8 + 64 + (present // DELTA_BLOCK + 1) * DELTA_BLOCK_MAX)
        if at == NULL:
            self.starved = True
            return
        if column == NS:
            at = levels(c, at, b.level, b.rows, present)
        end = deltas(at, values, present, &grows)
        if grows:
            most = values[present - 1]
        else:
            for i in range(present):
                least = values[i] if values[i] < least else least
                most = values[i] if values[i] > most else most
        self._range(c, least, most)
        finish(c, E_DELTA, b.rows, present, end)

    cdef void _range(self, Column *c, uint64_t least, uint64_t most) noexcept nogil:
        c.least = min(c.least, least) if c.ranged else least
        c.most = max(c.most, most) if c.ranged else most
        c.ranged = True

    cdef void _times(self, uint64_t start, int64_t begin) noexcept nogil:
        cdef Block *b = self.block
        cdef Py_ssize_t i, present = self._present(NS, HAS_TIME)
        cdef const uint16_t *chosen = b.chosen
        cdef double ns
        for i in range(present):
            ns = rounded(<double>self._cycles(b.tscs[chosen[i]], start, begin) * self.ns_per_cycle)
            b.values[i] = <uint64_t>(<int64_t>ns) if ns < 2.0 * <double>CYCLES_MAX else 2 * CYCLES_MAX
        if present:
            self._growing(NS, b.values, present)

    cdef void _small(self, int column, const uint16_t *values, int level) noexcept nogil:
        cdef Block *b = self.block
        cdef Small *small = self.small[column]
        cdef Py_ssize_t i, present = self._present(column, level)
        cdef const uint16_t *chosen = b.chosen
        cdef uint16_t *codes = b.codes
        cdef int32_t code
        for i in range(present):
            code = small.codes[values[chosen[i]]]
            codes[i] = <uint16_t>(code - 1) if code else small_code(small, values[chosen[i]])
        if present:
            self._coded(column, small.entries, present, level != HAVE_ALL)

    cdef void _names(self, int name) noexcept nogil:
        cdef Block *b = self.block
        cdef const uint16_t *codes = self.name_codes[name]
        cdef Py_ssize_t i, present = self._present(NAMES + name, HAVE_ALL if name < ALWAYS else HAS_NAME + name - ALWAYS)
        cdef const uint16_t *chosen = b.chosen
        for i in range(present):
            b.codes[i] = codes[b.kinds[chosen[i]]]
        if present:
            self._coded(NAMES + name, self.small[NAMES + name].entries, present, name >= ALWAYS)

    cdef void _words(self, int column, int word) noexcept nogil:
        cdef Block *b = self.block
        cdef Py_ssize_t i, present = self._present(column, HAS_WORD + word)
        cdef const uint16_t *chosen = b.chosen
        cdef uint32_t value
        for i in range(present):
            memcpy(&value, b.payloads[chosen[i]] + 4 * word, 4)
            b.values[i] = value
        if present:
            self._valued(column, 4, present)

    cdef void _numbers(self, int column, int number) noexcept nogil:
        cdef Block *b = self.block
        cdef const Origin *sources = self.kinds.sources[number]
        cdef Py_ssize_t i, row, present = self._present(column, HAS_NUMBER + number)
        cdef const uint16_t *chosen = b.chosen
        for i in range(present):
            row = chosen[i]
            b.values[i] = got(&sources[b.kinds[row]], b.payloads[row])
        if present:
            self._valued(column, self.sizes[number], present)

    cdef void _valued(self, int column, int size, Py_ssize_t present) noexcept nogil:
        # A page of numbers: of their codes, as long as they repeat enough for that.
        cdef Block *b = self.block
        cdef Column *c = &self.columns[column]
        cdef uint8_t *at
        if not c.given_up and not self._encode(c, present):
            c.given_up = True
        if not c.given_up:
            self._coded(column, c.entries, present, True)
            return
        at = room_for(c, b.rows // 8 + 64 + 8 * present)
        if at == NULL:
            self.starved = True
            return
        at = levels(c, at, b.level, b.rows, present)
        if size == 8:
            self._plain_long(c, <uint64_t *>at, present)
        else:
            self._plain_short(c, <uint32_t *>at, present)
        finish(c, E_PLAIN, b.rows, present, at + size * present)

    cdef void _plain_long(self, Column *c, uint64_t *at, Py_ssize_t present) noexcept nogil:
        cdef const uint64_t *values = self.block.values
        cdef Py_ssize_t i
        cdef uint64_t least = values[0], most = values[0]
        for i in range(present):
            at[i] = values[i]
            least = min(least, values[i])
            most = max(most, values[i])
        self._range(c, least, most)

    cdef void _plain_short(self, Column *c, uint32_t *at, Py_ssize_t present) noexcept nogil:
        cdef const uint64_t *values = self.block.values
        cdef Py_ssize_t i
        cdef uint32_t value, least = <uint32_t>values[0], most = <uint32_t>values[0]
        for i in range(present):
            value = <uint32_t>values[i]
            at[i] = value
            least = min(least, value)
            most = max(most, value)
        self._range(c, least, most)

    cdef bint _encode(self, Column *c, Py_ssize_t present) noexcept nogil:
        # Give each value its code. False: they do not repeat enough.
        cdef Block *b = self.block
        cdef Dictionary *d = c.dictionary
        cdef Py_ssize_t i
        cdef int code = 0
        for i in range(present):
            code = code_of(d, b.values[i])
            if code < 0:
                break
            b.codes[i] = <uint16_t>code
        if code < 0 or (c.values + present >= TRIAL and 2 * d.entries > c.values + present):
            return False
        c.entries = d.entries
        return True

    cdef void _coded(self, int column, Py_ssize_t entries, Py_ssize_t present, bint nullable) noexcept nogil:
        # A page of codes below ``entries``.
        cdef Block *b = self.block
        cdef Column *c = &self.columns[column]
        cdef int width = max(width_of(entries - 1), 1)
        cdef uint8_t *at = room_for(c, b.rows // 8 + 64 + 2 * present)
        if at == NULL:
            self.starved = True
            return
        if nullable:
            at = levels(c, at, b.level, b.rows, present)
        at[0] = <uint8_t>width
        # The last eight are filled up with the first code: readers look up what they have unpacked, wanted or not.
        memset(&b.codes[present], 0, 8 * sizeof(uint16_t))
        at = repeated(at + 1, present, 0, width) if entries == 1 else packed(at + 1, b.codes, present, width)
        finish(c, E_DICTIONARY, b.rows, present, at)

    cdef void _end(self) noexcept nogil:
        # Rows without a value that still wait.
        cdef int i
        cdef Column *c
        cdef uint8_t *at
        for i in range(self._count()):
            c = &self.columns[i]
            if c.waiting:
                at = room_for(c, 64)
                if at == NULL:
                    self.starved = True
                    return
                at = levels(c, at, NULL, 0, 0)
                if c.has_coded and i > NS:
                    # Codes begin with their width.
                    at[0] = 1
                    at += 1
                    finish(c, E_DICTIONARY, 0, 0, at)
                else:
                    finish(c, E_PLAIN, 0, 0, at)

    cdef object _column(self, int column):
        cdef Column *c = &self.columns[column]
        cdef Small *small = self.small[column] if column < NAMES + self.names else NULL
        cdef Py_ssize_t i, entries = c.entries if small == NULL else small.entries
        cdef object dictionary = None
        if entries and NAMES <= column < NAMES + self.names:
            strings = self.kinds.strings[column - NAMES]
            dictionary = b"".join([strings[small.values[i]] for i in range(entries)])
        elif entries:
            dictionary = self._dictionary(column, entries)
        encodings = ([E_DELTA if column <= NS else E_DICTIONARY] if c.has_coded else []) + (
            [E_PLAIN] if c.has_plain else [])
        return (dictionary, entries, PyMemoryView_FromMemory(<char *>c.pages, c.used, PyBUF_READ), encodings, c.nulls,
                (c.least, c.most) if c.ranged else None)

    cdef object _dictionary(self, int column, Py_ssize_t entries):
        # Of numbers; and what range these have: pages that are not coded have widened it by theirs.
        cdef Column *c = &self.columns[column]
        cdef Small *small = self.small[column] if column < NAMES else NULL
        cdef int number = column - NAMES - self.names - WORDS
        cdef Py_ssize_t i, size = self.sizes[number] if number >= 0 else 4
        cdef uint64_t value
        cdef bytes made = PyBytes_FromStringAndSize(NULL, entries * size)
        cdef char *at = PyBytes_AsString(made)
        for i in range(entries):
            value = c.dictionary.values[i] if small == NULL else small.values[i]
            memcpy(at + size * i, &value, size)
            self._range(c, value, value)
        return made
