# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""xentrace bytes to rows; how they are cut is said in ``cut.pxd``, whose law is this one's too."""

cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcpy, memmove, memset

from traces.xen.decode.cut cimport (
    BETWEEN, Cutter, DAMAGES, LONGEST, MINE, Pcpu, Record, TRUNCATED, forget, is_plain, length_of, next_record,
    note,
)
from traces.xen.decode.event cimport Event, before
from traces.counting.states cimport PCPUS, UNKNOWN_DOMID

#: In the order of ``cut.Damage``.
DAMAGE_CODES = (
    "resync", "bad_pcpu", "record_straddles_window", "window_cut_short", "truncated", "tsc_backwards", "bad_tsc",
    "lost_records", "unattributed", "clock_restart", "out_of_order",
    "too_many_restarts",
)


cdef class Cut:
    """What a stream of bytes has come to so far; ``finish`` accounts for what can't be used any more."""

    cdef Cutter cut

    def __cinit__(self):
        memset(&self.cut, 0, sizeof(self.cut))
        self.cut.lanes = 1
        self.cut.pcpus = <Pcpu *>calloc(PCPUS, sizeof(Pcpu))
        if self.cut.pcpus == NULL:
            raise MemoryError()
        forget(&self.cut)

    def __dealloc__(self):
        free(self.cut.pcpus)

    def shift(self, dict cycles):
        """Correct the clocks of pCPUs: add so many cycles to the time stamps of each."""
        for pcpu, more in cycles.items():
            self.cut.pcpus[<uint32_t>pcpu % PCPUS].shift = more

    @property
    def offset(self):
        """Bytes used so far, in the stream's own count."""
        return self.cut.offset

    @property
    def records(self):
        """Records so far, windows' headers among them."""
        return self.cut.records

    @property
    def skipped_bytes(self):
        """Bytes that are no record."""
        return self.cut.skipped_bytes

    @property
    def lost_records(self):
        """Records that Xen says it had no room for."""
        return self.cut.lost_records

    @property
    def watermark(self):
        """No later record is older than this."""
        return self.cut.watermark

    @property
    def newest(self):
        """The highest time stamp of this run of the clock."""
        return self.cut.newest

    @property
    def clock_restarted(self):
        """Whether the next row begins another run of the clock."""
        return bool(self.cut.clock_restarted)

    @property
    def pcpus(self):
        """The pCPUs that had a window, ascending."""
        return [i for i in range(PCPUS) if self.cut.pcpus[i].seen]

    @property
    def damages(self):
        """What was wrong: code to (count, file offset of the first)."""
        cdef int i
        cdef dict found = {}
        for i in range(<int>DAMAGES):
            if self.cut.counts[i]:
                found[DAMAGE_CODES[i]] = (self.cut.counts[i], self.cut.first_offsets[i])
        return found

    def promise(self, uint64_t tsc):
        """From now on, records older than ``tsc`` are out of order."""
        self.cut.promised = tsc

    def finish(self, uint64_t rest):
        """The stream has ended with ``rest`` bytes that ``tokenize`` did not use: account for them."""
        if rest or (self.cut.place != BETWEEN and self.cut.window_left):
            if not self.cut.resyncing:
                note(&self.cut, TRUNCATED, self.cut.offset, 1)
        self.cut.skipped_bytes += rest
        self.cut.offset += rest


@cython.final
cdef class Tokenizer(Cut):
    """Cuts a stream of xentrace bytes into rows; keeps what must be known from one piece to the next.

    ``tokenize`` fills columns and says how many bytes it used.
    """

    def tokenize(self, const uint8_t[::1] data, uint64_t[::1] tsc, uint32_t[::1] event, uint8_t[::1] words,
                 uint8_t[::1] timed, uint16_t[::1] pcpu, uint16_t[::1] domid, uint16_t[::1] vcpu,
                 uint64_t[::1] offset):
        """Fill the columns from ``data``, which continues the stream.

        Returns (rows filled, bytes used). It stops when a column is full, when the rest of ``data`` holds no whole
        record, or before a record of another run of the clock (``clock_restarted`` is then true; the rows returned
        end the old run).
        """
        cdef Py_ssize_t row = 0, used = 0, size = data.shape[0], capacity = tsc.shape[0]
        cdef Record r
        if size == 0:
            return 0, 0
        if self.cut.clock_restarted:
            forget(&self.cut)
        with nogil:
            while row < capacity and next_record(&self.cut, &data[0], size, &used, &r):
                tsc[row] = r.tsc
                event[row] = r.event
                words[row] = <uint8_t>r.words
                timed[row] = r.timed
                pcpu[row] = <uint16_t>self.cut.cpu
                domid[row] = <uint16_t>(r.who >> 16)
                vcpu[row] = <uint16_t>r.who
                offset[row] = r.offset
                row += 1
        self.cut.offset += used
        return row, used


cdef struct Line:
    # Of one pCPU: what waits for its turn, in order of the file, and unless ``jumbled`` of time too.
    Event *events
    Py_ssize_t count
    Py_ssize_t room
    bint jumbled


@cython.final
cdef class EventQueue(Cut):
    """Cuts a stream of xentrace bytes, and gives the records in order of time as an array of ``event.Event``."""

    cdef Line *lines
    cdef readonly Py_ssize_t pending
    cdef bint starved       # of memory

    def __cinit__(self):
        self.pending = 0
        self.starved = False
        self.lines = <Line *>calloc(PCPUS, sizeof(Line))
        if self.lines == NULL:
            raise MemoryError()

    def __dealloc__(self):
        cdef int i
        if self.lines != NULL:
            for i in range(<int>PCPUS):
                free(self.lines[i].events)
        free(self.lines)

    def walk(self, const uint8_t[::1] data):
        """Take the next bytes of the stream; returns how many are used up.

        It stops where no whole record is left, or before a record of another run of the clock (``clock_restarted``).
        Raises MemoryError.
        """
        cdef Py_ssize_t used = 0
        if data.shape[0] == 0:
            return 0
        if self.cut.clock_restarted:
            forget(&self.cut)
        with nogil:
            self._walk(&data[0], data.shape[0], &used)
        if self.starved:
            raise MemoryError()
        self.cut.offset += used
        return used

    cdef void _walk(self, const uint8_t *data, Py_ssize_t size, Py_ssize_t *used) noexcept nogil:
        cdef Record r
        cdef Event *event
        cdef Line *line
        while True:
            used[0] = self._walk_plain(data, used[0], size)
            if not next_record(&self.cut, data, size, used, &r):
                return
            line = &self.lines[self.cut.cpu]
            if line.count == line.room and not widen(line):
                self.starved = True
                return
            event = &line.events[line.count]
            event.tsc = r.tsc
            event.offset = r.offset
            event.header = r.event | r.words << 28 | <uint32_t>r.timed << 31
            event.who = r.who
            event.pcpu = self.cut.cpu
            if line.count and r.tsc < line.events[line.count - 1].tsc:
                line.jumbled = True
            line.count += 1
            self.pending += 1

    cdef Py_ssize_t _walk_plain(self, const uint8_t *data, Py_ssize_t pos, Py_ssize_t size) noexcept nogil:
        # What ``_walk`` does, for the records that most are: of a vCPU that goes on running, in a window in good order.
        # Stops before any other.
        cdef Cutter *cut = &self.cut
        cdef Pcpu *p = &cut.pcpus[cut.cpu]
        cdef Line *line = &self.lines[cut.cpu]
        cdef Event *event = line.events + line.count
        cdef Event *full = line.events + line.room
        cdef uint64_t last = p.last_tsc, tsc, offset = cut.offset, shift = p.shift
        cdef uint32_t who = p.who, cpu = cut.cpu, header
        cdef Py_ssize_t begin = pos, end = size - pos
        if cut.place != MINE or cut.careful or not p.stated or who >> 16 == UNKNOWN_DOMID or (
                line.count and (event - 1).tsc > last):
            return pos
        if <uint64_t>end > cut.window_left:
            end = <Py_ssize_t>cut.window_left
        # The longest record fits, whatever the next one is.
        end = pos + end - LONGEST
        while pos <= end and event < full:
            memcpy(&header, data + pos, 4)
            memcpy(&tsc, data + pos + 4, 8)
            tsc = tsc + shift if header >> 31 else last
            if not is_plain(header) or tsc < last or (tsc >= cut.limit and header >> 31):
                break
            event.tsc = last = tsc
            event.offset = offset + pos
            event.header = header
            event.who = who
            event.pcpu = cpu
            event += 1
            pos += length_of(header)
        p.last_tsc = last
        cut.window_left -= pos - begin
        cut.records += event - line.events - line.count
        self.pending += event - line.events - line.count
        line.count = event - line.events
        return pos

    def ready(self, uint64_t limit):
        """Count the records up to a time stamp."""
        cdef Py_ssize_t found = 0, i
        for i in range(<int>PCPUS):
            self._sort(&self.lines[i])
            found += up_to(&self.lines[i], limit)
        return found

    cdef void _sort(self, Line *line) noexcept nogil:
        if line.jumbled:
            qsort(line.events, line.count, sizeof(Event), &compare)
            line.jumbled = False

    def take(self, uint64_t limit, uint8_t[::1] events):
        """Give the records up to a time stamp, in order of time and then of the file.

        events   array of ``Event`` that has room for as many as are ``ready``
        Raises MemoryError.
        """
        cdef Py_ssize_t i, count, ready = self.ready(limit)
        cdef Line *line
        cdef Event **heads
        cdef Event **ends
        cdef int lines = 0
        if events.shape[0] < ready * <Py_ssize_t>sizeof(Event):
            raise ValueError("too little room")
        if not ready:
            return
        heads = <Event **>malloc(2 * PCPUS * sizeof(Event *))
        if heads == NULL:
            raise MemoryError()
        ends = heads + <Py_ssize_t>PCPUS
        with nogil:
            for i in range(<int>PCPUS):
                line = &self.lines[i]
                count = up_to(line, limit)
                if count:
                    heads[lines] = line.events
                    ends[lines] = line.events + count
                    lines += 1
            merge(heads, ends, lines, <Event *>&events[0])
            for i in range(<int>PCPUS):
                line = &self.lines[i]
                if line.count:
                    count = up_to(line, limit)
                    line.count -= count
                    memmove(line.events, line.events + count, line.count * sizeof(Event))
        free(heads)
        self.pending -= ready

    @property
    def oldest(self):
        """The file offset of the first record that waits; where the stream stands if there is none."""
        cdef uint64_t found = self.cut.offset
        cdef Py_ssize_t i, j
        for i in range(<int>PCPUS):
            for j in range(self.lines[i].count):
                if self.lines[i].events[j].offset < found:
                    found = self.lines[i].events[j].offset
        return found


cdef bint widen(Line *line) noexcept nogil:
    cdef Py_ssize_t room = 2 * line.room + 4096
    cdef Event *events = <Event *>realloc(line.events, room * sizeof(Event))
    if events == NULL:
        return False
    line.events = events
    line.room = room
    return True


cdef Py_ssize_t up_to(const Line *line, uint64_t limit) noexcept nogil:
    """Count the records up to a time stamp."""
    cdef Py_ssize_t low = 0, high = line.count, middle
    while low < high:
        middle = (low + high) // 2
        if line.events[middle].tsc <= limit:
            low = middle + 1
        else:
            high = middle
    return low


cdef int compare(const void *one, const void *other) noexcept nogil:
    return before(<const Event *>other, <const Event *>one) - before(<const Event *>one, <const Event *>other)


cdef void merge(Event **heads, Event **ends, int lines, Event *out) noexcept nogil:
    """Merge lines that are in order each; a heap of them, the one with the oldest record on top."""
    cdef int i
    cdef Event *head
    cdef Event *end
    cdef Event *rival
    for i in range(lines // 2 - 1, -1, -1):
        sink(heads, ends, lines, i)
    while lines:
        head, end = heads[0], ends[0]
        rival = NULL
        if lines > 1:
            rival = heads[1]
            if lines > 2 and before(heads[2], rival):
                rival = heads[2]
        while head < end and (rival == NULL or before(head, rival)):
            out[0] = head[0]
            out += 1
            head += 1
        heads[0] = head
        if head == end:
            lines -= 1
            heads[0], ends[0] = heads[lines], ends[lines]
        sink(heads, ends, lines, 0)


cdef void sink(Event **heads, Event **ends, int lines, int i) noexcept nogil:
    cdef int child
    while True:
        child = 2 * i + 1
        if child >= lines:
            return
        if child + 1 < lines and before(heads[child + 1], heads[child]):
            child += 1
        if not before(heads[child], heads[i]):
            return
        heads[i], heads[child] = heads[child], heads[i]
        ends[i], ends[child] = ends[child], ends[i]
        i = child
