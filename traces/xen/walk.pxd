"""Walks the windows of a lane, record by record: what each tells is counted in tables, or becomes a row.

Nine of ten records are like one that was there before, and are counted near (``near``) by ``count_near``; all others
go the longer way through ``walk``, and both come to the same counts. Inlined into ``lane``; needs no GIL.
Ref: xen/common/trace.c (__trace_hypercall), xen/arch/x86/pv/trace.c, xen/common/grant_table.c
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from traces.counting.counter cimport Counter, Room, Slot, add, count
from traces.counting.pairs cimport ClockPairs, keep
from traces.counting.row cimport ROW_BORN, ROW_ENDED, ROW_LOST, ROW_RUNSTATE, Rows, put
from traces.counting.states cimport BLOCKED, OFFLINE, PCPUS, RUNNABLE, RUNNING, UNKNOWN_DOMID
from traces.xen.decode.cut cimport Cutter, LONGEST, MINE, Pcpu, Record, forget, length_of, next_record, nobody
from traces.xen.formats.ids cimport *
from traces.xen.kinds cimport *
from traces.xen.near cimport (
    COUNT_MASK, ELSEWHERE, EXITING, End, NEAR_PLACES, Near, Nears, PLAIN_SHAPE, SPECIAL, TOOK_PLACES, call_of,
    place_of, shape_of,
)
from traces.xen.seat cimport (
    NOBODY, Seat, enters, exits, hold_switch, injects, leaves, settle_took, tell_switch,
)
from traces.xen.tables cimport *

cdef enum:
    CR3 = 3
    NO_VCPU = 0xFFFFFFFF
    # As a part of the run that follows it, one over so much is as long as a switch itself takes at most.
    SHORT_SWITCH = 64
    REMOVED_MAX = 4096

cdef struct Walk:
    Cutter cut
    Seat *seats             # by pCPU
    Room room               # of all tables
    Counter *tables         # those that count the record at hand
    Counter counted[TABLE_COUNT]
    Counter passed[TABLE_COUNT]     # what was not chosen
    Nears *nears            # of what is counted, the part that is not in ``counted`` yet; empty between pieces
    bint partial            # only what lies between these time stamps, and on these pCPUs, is counted
    uint64_t begin
    uint64_t end
    uint8_t *pcpus          # NULL: all
    Rows rows               # for ``fold``
    ClockPairs *pairs       # by the length of their cycles in bits
    uint32_t removed[REMOVED_MAX]
    Py_ssize_t removed_count
    bint stated             # there are run states
    uint32_t before         # of 4.x the release before which Xen recorded this, 0 if nothing tells


cdef inline void restart(Walk *w) noexcept nogil:
    cdef int i
    forget(&w.cut)
    memset(w.seats, 0, PCPUS * sizeof(Seat))
    for i in range(<int>PCPUS):
        w.seats[i].who = nobody(i)
        w.seats[i].notifier = NOBODY


cdef inline Py_ssize_t walk(Walk *w, const uint8_t *data, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t pos = 0
    cdef Record r
    cdef Seat *seat
    cdef Slot *slot
    cdef uint64_t who
    cdef uint32_t notifier
    if w.cut.clock_restarted:
        restart(w)
    while True:
        if not w.partial:
            pos = count_near(w, data, pos, size)
        if not next_record(&w.cut, data, size, &pos, &r):
            break
        seat = &w.seats[w.cut.cpu]
        if r.who != seat.who:
            leaves(seat, &w.rows, <uint16_t>w.cut.cpu)
            seat.who = r.who
        who = <uint64_t>r.who << 32
        if w.partial:
            w.tables = &w.counted[0] if counts(w, &r) else &w.passed[0]
        slot = count(&w.tables[<int>EVENTS], who | r.event, r.offset)
        if slot.kind == UNSEEN:
            slot.kind = classify(r.event)
            w.stated |= slot.kind == RUNSTATE and r.words > 0
            date(w, &r)
        if seat.held:
            # It is the same pCPU's next record that tells.
            if slot.kind != RUNSTATE:
                switched(w, seat, w.cut.cpu)
            seat.held = False
        notifier = seat.notifier
        seat.notifier = NOBODY
        if slot.kind != PLAIN:
            tell(w, slot.kind, &r, who, seat, notifier)
    w.cut.offset += pos
    return pos


cdef inline Py_ssize_t count_near(Walk *w, const uint8_t *data, Py_ssize_t pos, Py_ssize_t size) noexcept nogil:
    # What ``walk`` does, for the records that most are: of a vCPU that goes on running, in a window in good order,
    # and like one that was there before. Stops before any other. A trace is mostly read here: hence the local
    # variables, and few branches, each on what is known early.
    cdef Cutter *cut = &w.cut
    cdef Nears *nears = w.nears
    cdef Pcpu *p = &cut.pcpus[cut.cpu]
    cdef Seat *seat = &w.seats[cut.cpu]
    cdef uint64_t who = <uint64_t>p.who << 32, last = p.last_tsc, limit = cut.limit, shift = p.shift
    cdef uint64_t tsc, key, call
    cdef Py_ssize_t begin = pos, end
    cdef uint32_t header, notifier = seat.notifier
    cdef const uint8_t *payload
    cdef uint8_t shape
    cdef Near *near
    cdef Record r
    if cut.place != MINE or cut.careful or not p.stated or seat.who != p.who or p.who >> 16 == UNKNOWN_DOMID:
        return pos
    end = size - pos
    if <uint64_t>end > cut.window_left:
        end = <Py_ssize_t>cut.window_left
    # The longest record fits, whatever the next one is.
    end = pos + end - LONGEST
    while pos <= end:
        memcpy(&header, data + pos, 4)
        payload = data + pos + 4 + ((header >> 28) & 8)
        shape = shape_of(nears, header)[0]
        tsc = last
        if header >> 31:
            memcpy(&tsc, data + pos + 4, 8)
            tsc += shift
        if shape == ELSEWHERE or tsc < last or (tsc >= limit and header >> 31):
            break
        key = who | header
        call = call_of(nears, shape, payload)
        near = place_of(nears, key, call)
        if near.key != key or near.call != call:
            move_in(w, near, key, call)
            break
        if shape & SPECIAL:
            r.payload = payload
            r.tsc = tsc
            r.offset = cut.offset + pos
            r.event = header & 0x0FFFFFFF
            r.words = (header >> 28) & 7
            r.who = p.who
            seat.notifier = NOBODY
            if near.kind == ENTRY:
                enters(seat, &w.rows, nears, <uint16_t>cut.cpu, &r)
            elif near.kind == EXIT and r.words >= 2:
                exits(seat, &w.rows, w.counted, <uint16_t>cut.cpu, &r)
                if seat.exit_open:
                    seat.exit_near = near
                    seat.exit_key = key
            else:
                tell(w, near.kind, &r, who, seat, notifier)
            notifier = seat.notifier
        else:
            notifier = near.notifier
        near.count += 1
        near.sum += word_at(payload, 1)
        last = tsc
        pos += length_of(header)
    seat.notifier = notifier
    p.last_tsc = last
    cut.window_left -= pos - begin
    return pos


cdef inline void move_in(Walk *w, Near *near, uint64_t key, uint64_t call) noexcept nogil:
    # The record at hand is counted by ``walk``, which keeps where the first of each kind lies.
    cdef uint32_t event = key & 0x0FFFFFFF, nr = call & HYPERCALL_OP_MASK
    cdef int kind = classify(event)
    cdef bint is_call = kind == HYPERCALL or kind == SUBCALL
    cdef uint8_t *shape = shape_of(w.nears, event)
    cdef uint8_t wanted
    if kind == SWITCH:
        # Run states say the same.
        kind = PLAIN
    if kind == RUNSTATE or kind == LOSS or event == WRAP_BUFFER or event == CPU_CHANGE_HEADER & 0x0FFFFFFF:
        # ``cut`` must see these.
        shape[0] = ELSEWHERE
    elif not is_call and kind != PLAIN:
        # Where it looks like something else, both go the longer way.
        wanted = SPECIAL | EXITING if kind == EXIT else SPECIAL
        shape[0] = wanted if shape[0] == wanted or shape[0] == PLAIN_SHAPE else ELSEWHERE
    if shape[0] == ELSEWHERE:
        return
    settle(w, near)
    near.key = key
    near.call = call
    near.kind = PLAIN if is_call else kind
    near.notifier = NOBODY
    w.nears.ends[near - w.nears.places].known = False
    if is_call and (key >> 28) & 7 and (nr == EVENT_CHANNEL_OP or nr == EVENT_CHANNEL_OP_COMPAT):
        near.notifier = key >> 48


cdef inline void settle(Walk *w, Near *near) noexcept nogil:
    cdef uint64_t who = near.key & ~<uint64_t>0xFFFFFFFF
    cdef uint32_t event = near.key & 0x0FFFFFFF, words = (near.key >> 28) & 7
    cdef End *end = &w.nears.ends[near - w.nears.places]
    cdef Slot *slot
    if near.count:
        w.cut.records += near.count
        add(&w.counted[<int>EVENTS], who | event, w.cut.offset, near.count)
        if words and (event == PV_HYPERCALL_V2 or event == PV_HYPERCALL_SUBCALL):
            # The highest bit of a count is all these records' or none's.
            hypercalls(w.tables, HYPERCALLS if event == PV_HYPERCALL_V2 else SUBCALLS, who, words,
                       <uint32_t>near.call, near.call >> 32, w.cut.offset, near.count,
                       near.sum - (near.call >> 63 << 31) * near.count)
    near.count = near.sum = 0
    if end.count:
        slot = add(&w.counted[<int>EXITS + flavour_of(event)], who | <uint32_t>near.call, w.cut.offset,
                   end.count)
        slot.sum += end.sum
        if end.most > slot.most:
            slot.most = end.most
        end.count = end.sum = end.most = 0


cdef inline bint counts(Walk *w, const Record *r) noexcept nogil:
    return w.begin <= r.tsc < w.end and (w.pcpus == NULL or w.pcpus[w.cut.cpu])


cdef inline void tell(Walk *w, int kind, Record *r, uint64_t who, Seat *seat, uint32_t notifier) noexcept nogil:
    cdef int old, new
    cdef uint32_t arg
    if kind == HYPERCALL or kind == SUBCALL:
        if r.words:
            arg = word(r, 1) if r.words > 1 else 0
            hypercalls(w.tables, HYPERCALLS if kind == HYPERCALL else SUBCALLS, who, r.words, word(r, 0), arg,
                       r.offset, 1, arg & COUNT_MASK)
            notifies(w, seat, word(r, 0) & HYPERCALL_OP_MASK)
    elif kind == ENTRY:
        enters(seat, &w.rows, w.nears, <uint16_t>w.cut.cpu, r)
    elif kind == EXIT:
        if r.words >= 2:
            exits(seat, &w.rows, w.tables, <uint16_t>w.cut.cpu, r)
    elif kind == RUNSTATE:
        if r.words:
            old = new = RUNNING
            if r.event != CONTINUE_RUNNING:
                old = (r.event >> 8) & 3
                new = (r.event >> 4) & 3
            if new == RUNNABLE and (old == BLOCKED or old == OFFLINE):
                notified(w, notifier, word(r, 0) >> 16, r)
            if old == RUNNING and new != RUNNING:
                leaves(seat, &w.rows, <uint16_t>w.cut.cpu)
            put(&w.rows, <uint16_t>w.cut.cpu, ROW_RUNSTATE, r.tsc, r.offset, word(r, 0), 0,
                w.cut.pcpus[w.cut.cpu].first_tsc, old, new)
    elif kind == WAKE:
        if r.words >= 2:
            notified(w, notifier, word(r, 0), r)
    elif kind == SWITCH:
        if r.words == 4 and not w.cut.pcpus[w.cut.cpu].stated:
            hold_switch(seat, r)
    elif kind == SWITCHED_IN:
        if r.words >= 3:
            seat.switch_tsc = r.tsc
            if r.offset != seat.left_end:
                seat.left_tsc = 0
            # Until 4.7 without the vCPU.
            seat.switch_who = (<uint64_t>word(r, 0) << 32) | (word(r, 1) if r.words > 3 else NO_VCPU)
    elif kind == SWITCHED_OUT:
        if r.words >= 2:
            clocked(w, seat, (<uint64_t>word(r, 0) << 32) | (word(r, 1) if r.words > 2 else NO_VCPU), r.tsc,
                        word(r, 2 if r.words > 2 else 1))
            seat.left_end = r.offset + 12 + 4 * r.words
    elif kind == VMMCALL:
        if r.words:
            count(&w.tables[<int>HYPERCALLS], who | word(r, 0), r.offset)
            notifies(w, seat, word(r, 0))
    elif kind == MAP:
        if r.words:
            count(&w.tables[<int>MAPS], who | word(r, 0), r.offset)
    elif kind == UNMAP:
        if r.words:
            count(&w.tables[<int>UNMAPS], who | word(r, 0), r.offset)
    elif kind == TRAP_32:
        if r.words >= 2:
            count(&w.tables[<int>TRAPS], who | (word(r, 1) & TRAP_MASK), r.offset)
    elif kind == TRAP_64:
        if r.words >= 3:
            count(&w.tables[<int>TRAPS], who | (word(r, 2) & TRAP_MASK), r.offset)
    elif kind == LOSS:
        if r.words == 4:
            seat.switch_tsc = 0
            leaves(seat, &w.rows, <uint16_t>w.cut.cpu)
            put(&w.rows, <uint16_t>w.cut.cpu, ROW_LOST, r.tsc, r.offset, (word(r, 1) << 16) | (word(r, 1) >> 16),
                0, ((<uint64_t>word(r, 3) << 32) | word(r, 2)) + w.cut.pcpus[w.cut.cpu].shift, 0, 0)
    elif kind == IRQ:
        if r.words >= 3:
            # Both stamps are cut to 32 bits.
            irq(w.tables, word(r, 0), word(r, 2) - word(r, 1), w.cut.cpu, r.offset)
    elif kind == IO:
        if r.words:
            io(w.tables, r, who)
    elif kind == CR_WRITE:
        if r.words >= 2 and word(r, 0) == CR3:
            count(&w.tables[<int>ROOTS], who | (word(r, 1) >> 12 | (word(r, 2) << 20 if r.words > 2 else 0)),
                  r.offset)
    elif kind == CPUID:
        # Leaf and subleaf, then the registers.
        if r.words >= 4 and word(r, 0) == 0:
            count(&w.tables[<int>VENDORS], who | word(r, 3), r.offset)
    elif kind == INJECTION:
        if r.words:
            count(&w.tables[<int>INJECTIONS], who | word(r, 0), r.offset)
            injects(seat, &w.rows, <uint16_t>w.cut.cpu, word(r, 0), r)
    elif kind == ADDED:
        if r.words:
            put(&w.rows, <uint16_t>w.cut.cpu, ROW_BORN, r.tsc, r.offset, 0, word(r, 0), 0, 0, 0)
    elif kind == REMOVED:
        if r.words:
            put(&w.rows, <uint16_t>w.cut.cpu, ROW_ENDED, r.tsc, r.offset, 0, word(r, 0), 0, 0, 0)
            if w.removed_count < REMOVED_MAX:
                w.removed[w.removed_count] = word(r, 0)
                w.removed_count += 1


cdef inline void date(Walk *w, const Record *r) noexcept nogil:
    # What later releases record otherwise (docs/xen-versions.md).
    cdef uint32_t before = 0
    if SCHED_CLASS <= r.event < SCHED_CLASS + 0x1000 and not r.timed:
        before = 7
    elif r.event == SCHED_DOM_ADD and r.words == 2:
        before = 7
    elif (r.event == SWITCH_INFPREV and r.words == 2) or (r.event == SWITCH_INFNEXT and r.words == 3):
        before = 8
    elif (r.event == CREDIT2_BURN and r.words == 3) or (r.event == RTDS_BURN and r.words == 4):
        before = 10
    elif r.event == HVM_CPUID and r.words == 5:
        before = 13
    if before and (w.before == 0 or before < w.before):
        w.before = before


cdef inline void switched(Walk *w, Seat *seat, uint32_t p) noexcept nogil:
    tell_switch(seat, &w.rows, <uint16_t>p, w.cut.pcpus[p].first_tsc)


cdef inline void notifies(Walk *w, Seat *seat, uint32_t nr) noexcept nogil:
    if (nr == EVENT_CHANNEL_OP or nr == EVENT_CHANNEL_OP_COMPAT) and seat.who >> 16 != UNKNOWN_DOMID:
        seat.notifier = seat.who >> 16


cdef inline void notified(Walk *w, uint32_t source, uint32_t target, const Record *r) noexcept nogil:
    if source != NOBODY:
        count(&w.tables[<int>NOTIFICATIONS], (<uint64_t>source << 48) | target, r.offset)


cdef inline void clocked(Walk *w, Seat *seat, uint64_t who, uint64_t now, uint32_t ran_ns) noexcept nogil:
    cdef uint64_t since = seat.switch_tsc
    if seat.left_tsc and (since - seat.left_tsc) * SHORT_SWITCH < now - since:
        # Xen read the time before it told who was switched out, which it does just before.
        since = seat.left_tsc
    if seat.switch_tsc and since < now and seat.switch_who == who:
        keep(w.pairs, now, now - since, ran_ns)
    seat.switch_tsc = 0
    seat.left_tsc = now


cdef inline uint64_t uncounted(Walk *w) noexcept nogil:
    cdef int i
    cdef uint64_t total = 0
    for i in range(<int>TABLE_COUNT):
        total += w.counted[i].uncounted + w.passed[i].uncounted
    return total


cdef inline void settle_all(Walk *w) noexcept nogil:
    cdef int i
    for i in range(NEAR_PLACES):
        settle(w, &w.nears.places[i])
    for i in range(TOOK_PLACES):
        settle_took(&w.nears.took[i], w.counted)
    if w.cut.lanes > 1 and uncounted(w):
        w.cut.irregular = True
