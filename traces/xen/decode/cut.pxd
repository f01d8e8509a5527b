"""Cuts xentrace bytes into records: boundaries, time stamps, who ran on the pCPU. Inlined where it is used.

Law: every byte ends either in a record or in ``skipped_bytes``, whatever the input is. What an event means is not
known here, but for those that say who runs: run states, losses, and on pCPUs of which no run state was recorded so
far, what the scheduler says besides.

Several cutters can share a trace, each taking the pCPUs of its ``lane``: windows of the others are jumped over.
That needs windows that lie one behind the other as their sizes say, so such a cutter stops where they don't
(``irregular``); with one lane, it finds its way through any damage.

Ref: xen/include/public/trace.h, xen/common/trace.c, tools/xentrace/xentrace.c (write_buffer).
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from traces.counting.states cimport IDLE_DOMID, PCPUS, UNKNOWN_DOMID
from traces.xen.formats.ids cimport (
    CONTINUE_RUNNING, CPU_CHANGE_HEADER, CPU_CHANGE_SIZE, LOST_RECORDS, RUNSTATE_BITS, RUNSTATE_CHANGE, SCHED_BLOCK,
    SCHED_SHUTDOWN, SCHED_SHUTDOWN_CODE, SCHED_SWITCH, SCHED_YIELD, SWITCH_INFCONT, WRAP_BUFFER,
)

cdef enum:
    LONGEST = 40    # bytes of a record
    # Who puts captures end to end has some. Each costs what thousands of records do, and a file can have one with each.
    RESTARTS_MAX = 1 << 10

cdef enum Damage:
    RESYNC
    BAD_PCPU
    STRADDLE
    WINDOW_CUT
    TRUNCATED
    TSC_BACKWARDS
    BAD_TSC
    LOST
    UNATTRIBUTED
    CLOCK_RESTART
    OUT_OF_ORDER
    RESTARTS_LEFT
    DAMAGES

cdef enum Place:
    BETWEEN         # two windows
    MINE            # inside of a window of this lane
    FOREIGN         # of another lane

cdef struct Pcpu:
    uint64_t first_tsc      # the lowest; 0 before the first time stamp
    uint64_t last_tsc
    uint64_t window_tsc     # of the last window's first record
    uint64_t shift          # added to its time stamps, where its clock differs from the others'
    uint32_t who            # domid << 16 | vcpu
    uint32_t before         # who ran before the switch that says who runs
    uint8_t switched        # who runs is said by a switch alone
    uint8_t stated          # run states are recorded here
    uint8_t seen

cdef struct Cutter:
    Pcpu *pcpus             # PCPUS of them
    uint32_t lane           # takes the pCPUs of which the number, divided by lanes, leaves lane
    uint32_t lanes
    uint64_t offset         # of the data's first byte in the stream
    uint64_t records
    uint64_t skipped_bytes
    uint64_t lost_records
    uint64_t counts[DAMAGES]
    uint64_t first_offsets[DAMAGES]
    uint32_t cpu
    uint32_t highest        # of all pCPUs that had a window
    uint64_t window_left
    int place
    bint window_is_new
    bint careful            # the next time stamp must be looked at closely
    bint resyncing
    bint clock_restarted    # the next record begins another run of the clock
    bint irregular
    uint64_t low            # of what time stamps of this run of the clock can be; both 0 before the first
    uint64_t high
    uint64_t limit          # the same as high once a second one has agreed; until then each is looked at closely
    uint64_t newest         # time stamp so far
    uint64_t previous       # the same when the running round of windows began
    uint64_t watermark      # no later record is older than this
    uint64_t promised       # the watermark up to which rows went out

cdef struct Record:
    const uint8_t *payload
    uint64_t tsc
    uint64_t offset
    uint32_t event
    uint32_t words
    uint32_t who
    bint timed


cdef inline void forget(Cutter *c) noexcept nogil:
    """Begin another run of the clock: what the last one told says nothing about it."""
    cdef int i
    c.clock_restarted = False
    c.newest = c.previous = c.watermark = c.promised = 0
    c.low = c.high = c.limit = 0
    for i in range(<int>PCPUS):
        c.pcpus[i].first_tsc = c.pcpus[i].last_tsc = c.pcpus[i].window_tsc = 0
        c.pcpus[i].who = nobody(i)
        c.pcpus[i].switched = c.pcpus[i].stated = 0


cdef inline uint32_t nobody(uint32_t cpu) noexcept nogil:
    return (<uint32_t>UNKNOWN_DOMID << 16) | cpu


cdef inline void note(Cutter *c, int damage, uint64_t at, uint64_t count) noexcept nogil:
    if c.counts[damage] == 0:
        c.first_offsets[damage] = at
    c.counts[damage] += count


cdef inline void renew(Cutter *c) noexcept nogil:
    """Take the last time stamp of the window's pCPU into ``newest``: not done at each record."""
    if c.pcpus[c.cpu].last_tsc > c.newest:
        c.newest = c.pcpus[c.cpu].last_tsc


cdef inline Py_ssize_t between_windows(Cutter *c, const uint8_t *data, Py_ssize_t pos, Py_ssize_t size) noexcept nogil:
    """Go on from between two windows: open the next, or skip. Returns where, or -1 when more bytes are needed."""
    cdef uint32_t[3] change
    cdef Py_ssize_t next_
    if size - pos < CPU_CHANGE_SIZE:
        return -1
    memcpy(change, data + pos, CPU_CHANGE_SIZE)
    if change[0] != CPU_CHANGE_HEADER or change[1] >= PCPUS:
        # Whatever lies here is no window: go on at the next thing that looks like one.
        if not c.resyncing:
            note(c, BAD_PCPU if change[0] == CPU_CHANGE_HEADER else RESYNC, c.offset + pos, 1)
            c.resyncing = True
            c.irregular = True
        next_ = find_window(data, pos + 1, size)
        c.skipped_bytes += next_ - pos
        return next_
    # xentrace reads the pCPUs' buffers in rounds, lowest first. What a round leaves behind is younger than all
    # that the round before it wrote.
    renew(c)
    if change[1] <= c.cpu:
        c.watermark = c.previous
        c.previous = c.newest
    c.cpu = change[1]
    if c.cpu > c.highest:
        c.highest = c.cpu
    c.window_left = change[2]
    c.window_is_new = c.careful = True
    c.resyncing = False
    c.place = FOREIGN
    if c.cpu % c.lanes == c.lane:
        c.place = MINE
        c.pcpus[c.cpu].seen = 1
        c.records += 1
    return pos + CPU_CHANGE_SIZE


cdef inline Py_ssize_t find_window(const uint8_t *data, Py_ssize_t pos, Py_ssize_t size) noexcept nogil:
    """Find the next place from pos on where a CPU_CHANGE header stands, or may stand once more bytes come."""
    cdef uint32_t header
    while pos + 4 <= size:
        memcpy(&header, data + pos, 4)
        if header == CPU_CHANGE_HEADER:
            return pos
        pos += 1
    return pos


cdef inline Py_ssize_t jump(Cutter *c, Py_ssize_t pos, Py_ssize_t size) noexcept nogil:
    """Pass over the rest of the window, as far as there are bytes."""
    cdef Py_ssize_t step = size - pos
    if <uint64_t>step > c.window_left:
        step = <Py_ssize_t>c.window_left
    c.window_left -= step
    return pos + step


cdef inline bint stamp(Cutter *c, Pcpu *p, uint64_t tsc, uint64_t at) noexcept nogil:
    """Check a time stamp that is no common one. Returns False where another run of the clock begins."""
    if c.high == 0:
        c.low = tsc - TSC_REACH() if tsc > TSC_REACH() else 0
        c.high = tsc + TSC_REACH() if tsc < ~TSC_REACH() else ~<uint64_t>0
    elif c.low <= tsc < c.high:
        c.limit = c.high
    else:
        c.irregular = True
        if c.limit == 0 and c.counts[<int>CLOCK_RESTART] < RESTARTS_MAX:
            # One of two is wrong, and it may be the first.
            note(c, CLOCK_RESTART, at, 1)
            return False
        note(c, BAD_TSC, at, 1)
        return True
    if c.window_is_new:
        if p.window_tsc and tsc <= p.window_tsc:
            # Not younger than the last window's beginning: another capture or boot starts here.
            c.irregular = True
            if c.counts[<int>CLOCK_RESTART] < RESTARTS_MAX:
                note(c, CLOCK_RESTART, at, 1)
                return False
            note(c, RESTARTS_LEFT, at, 1)
        c.window_is_new = False
        p.window_tsc = tsc
    if tsc < p.last_tsc:
        note(c, TSC_BACKWARDS, at, 1)
        # What it goes back from may be the highest.
        renew(c)
    if tsc < c.promised:
        note(c, OUT_OF_ORDER, at, 1)
    p.last_tsc = tsc
    if tsc and (p.first_tsc == 0 or tsc < p.first_tsc):
        p.first_tsc = tsc
    if tsc > c.newest:
        c.newest = tsc
    c.careful = tsc < c.promised
    return True


cdef inline uint64_t TSC_REACH() noexcept nogil:
    # Cycles that no trace is long: seven years at 5 GHz. Sums of several runs of the clock stay below 64 bits. Where the
    # clock begins means nothing: firmware and hypervisors set it to anything.
    return <uint64_t>1 << 60


cdef inline uint32_t length_of(uint32_t header) noexcept nogil:
    return 4 + ((header >> 26) & 0x1C) + ((header >> 28) & 8)


cdef inline bint is_plain(uint32_t header) noexcept nogil:
    """Whether a record tells nothing but its time: not who runs, nor of windows and buffers. True only if so."""
    return (header & 0x0FFFF000) != (RUNSTATE_CHANGE & 0x0FFFF000) and (header & 0x0FFFF000) != (
        LOST_RECORDS & 0x0FFFF000)


cdef inline bint next_record(
    Cutter *c, const uint8_t *data, Py_ssize_t size, Py_ssize_t *at, Record *r
) noexcept nogil:
    """Cut the next record from ``at`` on, which moves behind it.

    False: no whole record is left, or ``clock_restarted`` (``forget`` before going on), or ``irregular`` and there are other lanes.
    """
    cdef Py_ssize_t pos = at[0], next_
    cdef uint32_t header, length
    cdef uint64_t tsc
    cdef Pcpu *p
    while True:
        if c.window_left == 0:
            c.place = BETWEEN
        if c.place != MINE:
            if c.place == FOREIGN:
                pos = jump(c, pos, size)
                if c.window_left:
                    break
                continue
            next_ = between_windows(c, data, pos, size)
            if next_ < 0 or (c.irregular and c.lanes > 1):
                break
            pos = next_
            continue
        if size - pos < 4:
            break
        memcpy(&header, data + pos, 4)
        length = length_of(header)
        if header == CPU_CHANGE_HEADER:
            # A window's size lied, or its end was lost.
            note(c, WINDOW_CUT, c.offset + pos, 1)
            c.place = BETWEEN
            c.irregular = True
            if c.lanes > 1:
                break
            continue
        if length > c.window_left:
            note(c, STRADDLE, c.offset + pos, 1)
            c.irregular = True
            next_ = jump(c, pos, size)
            c.skipped_bytes += next_ - pos
            pos = next_
            if c.lanes > 1:
                break
            continue
        if size - pos < <Py_ssize_t>length:
            break
        p = &c.pcpus[c.cpu]
        if header >> 31:
            memcpy(&tsc, data + pos + 4, 8)
            tsc += p.shift
            if c.careful or tsc < p.last_tsc or tsc >= c.limit:
                if not stamp(c, p, tsc, c.offset + pos):
                    c.clock_restarted = True
                    break
            else:
                p.last_tsc = tsc
        r.event = header & 0x0FFFFFFF
        r.words = (header >> 28) & 7
        r.timed = header >> 31
        r.payload = data + pos + 4 + ((header >> 28) & 8)
        r.tsc = p.last_tsc
        r.offset = c.offset + pos
        c.records += 1
        c.window_left -= length
        pos += length
        if r.event == WRAP_BUFFER:
            continue
        attribute(c, p, r)
        at[0] = pos
        return True
    renew(c)
    at[0] = pos
    return False


cdef inline void infer(Cutter *c, Pcpu *p, Record *r) noexcept nogil:
    """Say who runs where no run state was recorded so far, by what xen/common/schedule.c records of whoever runs."""
    cdef uint32_t[4] word
    r.who = p.who
    if r.words == 4 and (r.event == SCHED_SWITCH or r.event == SWITCH_INFCONT):
        memcpy(word, r.payload, 16)
        if r.event == SCHED_SWITCH and word[2] <= IDLE_DOMID and word[3] <= 0xFFFF:
            p.before = p.who
            p.who = word[2] << 16 | word[3]
            p.switched = 1
        elif r.event == SWITCH_INFCONT and word[0] <= IDLE_DOMID and word[1] <= 0xFFFF:
            r.who = p.who = p.before = word[0] << 16 | word[1]
    elif r.words >= 2 and r.event in (SCHED_YIELD, SCHED_BLOCK, SCHED_SHUTDOWN, SCHED_SHUTDOWN_CODE):
        memcpy(word, r.payload, 8)
        if word[0] <= IDLE_DOMID and word[1] <= 0xFFFF:
            r.who = p.who = p.before = word[0] << 16 | word[1]
    if r.who >> 16 == UNKNOWN_DOMID:
        note(c, UNATTRIBUTED, r.offset, 1)


cdef inline void attribute(Cutter *c, Pcpu *p, Record *r) noexcept nogil:
    """Say who ran when the record was made, and take note of who runs from then on."""
    cdef uint32_t[2] word
    if (r.event & 0x0FFFE000) == 0x00020000 and r.words:
        memcpy(word, r.payload, 4)
        if (r.event & ~<uint32_t>RUNSTATE_BITS) == RUNSTATE_CHANGE:
            p.stated = 1
            if (r.event >> 4) & 3 == 0:
                p.who = word[0]
                p.switched = 0
            elif (r.event >> 8) & 3 == 0:
                r.who = p.before if p.switched else p.who
                if r.who >> 16 == UNKNOWN_DOMID:
                    note(c, UNATTRIBUTED, r.offset, 1)
                p.who = nobody(c.cpu)
                p.switched = 0
                return
        elif r.event == CONTINUE_RUNNING:
            p.stated = 1
            p.who = word[0]
            p.switched = 0
    elif (r.event & 0x0FFFF000) == (SCHED_SWITCH & 0x0FFFF000) and not p.stated:
        infer(c, p, r)
        return
    r.who = p.who
    if p.who >> 16 == UNKNOWN_DOMID:
        note(c, UNATTRIBUTED, r.offset, 1)
    if r.event == LOST_RECORDS and r.words == 4:
        memcpy(word, r.payload, 8)
        note(c, LOST, r.offset, word[0])
        c.lost_records += word[0]
        # Here the domain is the low half.
        p.who = (word[1] << 16) | (word[1] >> 16)
        p.switched = 0
