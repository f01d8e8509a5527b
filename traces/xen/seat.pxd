"""What one pCPU's records so far say of its next ones: who runs there, its open exit, interrupts it is given.

What then is known at once is counted in ``tables``; what depends on other pCPUs becomes ``rows``, for ``fold``.
Inlined where it is used; needs no GIL.
Ref: xen/common/sched/core.c (schedule), xen/arch/x86/hvm/vmx/vmx.c, xen/arch/x86/hvm/svm/svm.c
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from traces.counting.bucket cimport BUCKET_BITS, bucket_of
from traces.counting.counter cimport Counter, add, count
from traces.counting.row cimport ROW_ENTRY, ROW_EXIT, ROW_INJECTED, ROW_RUNSTATE, Rows, put
from traces.counting.states cimport IDLE_DOMID, LOST, RUNNING, UNKNOWN_DOMID
from traces.xen.decode.cut cimport Record
from traces.xen.formats.ids cimport SCHED_SWITCH
from traces.xen.near cimport End, Near, Nears, Took, took_of
from traces.xen.tables cimport EXITS, TOOK, ended, flavour_of, is_squeezable, squeezed, word

cdef enum:
    # No domain has this number.
    NOBODY = UNKNOWN_DOMID

cdef struct Seat:
    uint32_t who
    uint32_t notifier       # domain whose last record here was an event channel hypercall
    uint64_t exit_tsc
    uint64_t exit_offset
    Counter *exit_tables    # it counts where it began
    uint64_t exit_key       # of its place in ``Nears``, should it be counted there
    Near *exit_near         # NULL: it is not
    uint32_t exit_reason
    uint8_t exit_flavour
    bint exit_open
    bint settled            # who runs here has entered since it came: its exits are timed here and not in order
    uint64_t left_tsc       # when somebody was last switched out here, and where the record of that ends
    uint64_t left_end
    uint64_t switch_tsc
    uint64_t switch_who
    bint held               # a switch, until it is known that no run state says the same
    uint32_t held_from
    uint32_t held_to
    uint64_t held_tsc
    uint64_t held_offset
    bint injected           # something, since the guest was entered last; what, when, and where that is
    bint unentered          # and others before it, of which rows have told
    uint32_t vector         # injected last since this vCPU came; again, it tells nothing new
    bint told
    uint64_t injected_tsc
    uint64_t injected_offset


cdef inline void exits(Seat *seat, Rows *rows, Counter *tables, uint16_t pcpu, const Record *r) noexcept nogil:
    """A guest leaves for Xen; the record has its reason."""
    cdef uint8_t flavour = flavour_of(r.event)
    cdef uint32_t reason = word(r, 0)
    cdef uint64_t who = <uint64_t>r.who << 32
    if r.who >> 16 == UNKNOWN_DOMID:
        # Nobody says whose it is. It counts now, and takes until the next entry here, whoever enters.
        count(&tables[<int>EXITS + flavour], who | reason, r.offset)
    elif not seat.settled:
        put(rows, pcpu, ROW_EXIT, r.tsc, r.offset, r.who, reason, 0, flavour, 0)
        return
    elif seat.exit_open:
        # Its entry is missing.
        count(&seat.exit_tables[<int>EXITS + seat.exit_flavour], who | seat.exit_reason, seat.exit_offset)
    seat.exit_open = True
    seat.exit_tables = tables
    seat.exit_near = NULL
    seat.exit_reason = reason
    seat.exit_flavour = flavour
    seat.exit_tsc = r.tsc
    seat.exit_offset = r.offset


cdef inline void enters(Seat *seat, Rows *rows, Nears *nears, uint16_t pcpu, const Record *r) noexcept nogil:
    """A guest goes on."""
    if r.who >> 16 == UNKNOWN_DOMID:
        if seat.exit_open:
            end_exit(seat, nears, r, 0)
        return
    if seat.injected:
        tell_injected(seat, rows, pcpu, r.tsc, True)
        if seat.unentered and seat.settled:
            put(rows, pcpu, ROW_ENTRY, r.tsc, r.offset, r.who, 0, 0, 0, 0)
        seat.unentered = False
    if seat.exit_open:
        end_exit(seat, nears, r, 1)
    elif not seat.settled:
        put(rows, pcpu, ROW_ENTRY, r.tsc, r.offset, r.who, 0, 0, 0, 0)
        seat.settled = True


cdef inline void end_exit(Seat *seat, Nears *nears, const Record *r, uint64_t times) noexcept nogil:
    cdef uint64_t who = <uint64_t>r.who << 32, key
    cdef uint64_t took = r.tsc - seat.exit_tsc if r.tsc > seat.exit_tsc else 0
    cdef uint32_t reason = seat.exit_reason, table = <uint32_t>TOOK + seat.exit_flavour
    cdef Near *near = seat.exit_near
    cdef End *end
    cdef Took *bucket
    seat.exit_open = False
    if near == NULL or near.key != seat.exit_key or near.call != reason:
        ended(seat.exit_tables, seat.exit_flavour, who, reason, seat.exit_offset, times, took)
        return
    end = &nears.ends[near - nears.places]
    if not end.known:
        # The first of its kind: its place in the file is kept.
        end.known = True
        ended(seat.exit_tables, seat.exit_flavour, who, reason, seat.exit_offset, times, took)
        return
    end.count += 1
    end.sum += took
    if took > end.most:
        end.most = took
    if is_squeezable(reason):
        key = who | squeezed(reason) << BUCKET_BITS | bucket_of(took)
        bucket = took_of(nears, key, table)
        if bucket.key == key and bucket.table == table:
            bucket.count += 1
        else:
            settle_took(bucket, seat.exit_tables)
            count(&seat.exit_tables[table], key, 0)
            bucket.key = key
            bucket.table = table


cdef inline void settle_took(Took *bucket, Counter *tables) noexcept nogil:
    """Add up what was counted near."""
    if bucket.count:
        add(&tables[bucket.table], bucket.key, 0, bucket.count)
    bucket.count = 0


cdef inline void injects(Seat *seat, Rows *rows, uint16_t pcpu, uint32_t vector, const Record *r) noexcept nogil:
    """Xen gives the guest an interrupt, with which it will go on."""
    if r.who >> 16 == UNKNOWN_DOMID:
        return
    if seat.told and seat.vector == vector:
        return
    if seat.injected:
        # One more before the guest is entered.
        tell_injected(seat, rows, pcpu, seat.injected_tsc, False)
        seat.unentered = True
    seat.injected = seat.told = True
    seat.vector = vector
    seat.injected_tsc = r.tsc
    seat.injected_offset = r.offset


cdef inline void tell_injected(Seat *seat, Rows *rows, uint16_t pcpu, uint64_t tsc, bint entered) noexcept nogil:
    put(rows, pcpu, ROW_INJECTED, tsc, seat.injected_offset, seat.who, seat.vector, seat.injected_tsc, 0, entered)
    seat.injected = False


cdef inline void leaves(Seat *seat, Rows *rows, uint16_t pcpu) noexcept nogil:
    """Who ran here stops, or may have: an open exit now depends on what happens to it elsewhere."""
    if seat.injected:
        tell_injected(seat, rows, pcpu, seat.injected_tsc, False)
    seat.unentered = seat.told = False
    if seat.exit_open and seat.who >> 16 != UNKNOWN_DOMID:
        put(rows, pcpu, ROW_EXIT, seat.exit_tsc, seat.exit_offset, seat.who, seat.exit_reason, 0, seat.exit_flavour, 0)
    seat.exit_open = seat.settled = False


cdef inline void hold_switch(Seat *seat, const Record *r) noexcept nogil:
    """Keep what a switch says, until the pCPU's next record: Xen records a switch and then the run states."""
    # Of one that goes on, it is to itself.
    cdef int to = 2 if r.event == SCHED_SWITCH else 0
    if word(r, 0) > IDLE_DOMID or word(r, 1) > 0xFFFF or word(r, to) > IDLE_DOMID or word(r, to + 1) > 0xFFFF:
        return
    seat.held_from = word(r, 0) << 16 | word(r, 1)
    seat.held_to = word(r, to) << 16 | word(r, to + 1)
    seat.held = True
    seat.held_tsc = r.tsc
    seat.held_offset = r.offset


cdef inline void tell_switch(Seat *seat, Rows *rows, uint16_t pcpu, uint64_t first) noexcept nogil:
    """No run state says the same as the switch that is held; who leaves may be runnable or blocked.

    first   the pCPU's first time stamp
    """
    if seat.held_from == seat.held_to:
        put(rows, pcpu, ROW_RUNSTATE, seat.held_tsc, seat.held_offset, seat.held_to, 0, first, RUNNING, RUNNING)
        return
    put(rows, pcpu, ROW_RUNSTATE, seat.held_tsc, seat.held_offset, seat.held_from, 0, first, RUNNING, LOST)
    put(rows, pcpu, ROW_RUNSTATE, seat.held_tsc, seat.held_offset, seat.held_to, 0, first, LOST, RUNNING)
