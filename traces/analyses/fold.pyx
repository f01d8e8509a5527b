# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What depends on what came before: run states, exits, inferred notifications, the clock. One pass, in order of time.

Law: conservation. For every vCPU, the cycles in all its run states together are exactly the span of the trace:
what can't be known is ``lost``, never missing.

Counts follow xenalyze's rules, so that both agree on the same file: an interval counts when its beginning and its
end were seen and it took time; a CONTINUE_RUNNING ends one; a vCPU's intervals count from the first time on that it
is seen running. The cycles outside of counted intervals are kept apart as ``clipped``.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    int __builtin_clzll(unsigned long long)

cdef enum:
    LOST_RECORDS = 0x0001F001
    RUNSTATE_CHANGE = 0x00021001
    RUNSTATE_BITS = 0x330
    CONTINUE_RUNNING = 0x00021002
    SCHED_WAKE = 0x00028004
    SWITCH_INFPREV = 0x0002800E
    SWITCH_INFNEXT = 0x0002800F
    PV_HYPERCALL_V2 = 0x0020100D
    PV_HYPERCALL_SUBCALL = 0x0020200E
    HVM_VMENTRY = 0x00081001
    HVM_VMX_EXIT = 0x00081002
    HVM_SVM_EXIT = 0x00081003
    HVM_VMMCALL = 0x00082012
    # 64-bit addresses and nested guests don't change which exit it is.
    EXIT_FLAGS = 0x500
    HYPERCALL_OP_MASK = 0x000FFFFF
    EVENT_CHANNEL_OP = 32
    EVENT_CHANNEL_OP_COMPAT = 16
    RUNNING = 0
    RUNNABLE = 1
    BLOCKED = 2
    LOST = 4
    STATES = 5
    PCPUS = 4095
    NOBODY = 0xFFFFFFFF
    UNKNOWN_DOMID = 0x8000
    IDLE_DOMID = 0x7FFF
    MILLISECOND_NS = 1000000
    # ran_ns is cut to 32 bits.
    WRAP_NS = 4294967295
    CLOCK_PAIRS_MAX = 200000


cdef class Durations:
    """How often something took how many cycles, in the buckets of ``analyses.latencies``, and the longest exactly."""

    cdef readonly dict counts   # bucket -> count
    cdef readonly uint64_t longest

    def __cinit__(self):
        self.counts = {}
        self.longest = 0

    cdef void add(self, uint64_t cycles):
        # Eight buckets an octave: the four highest bits tell which, the places below how high.
        cdef int places = 60 - __builtin_clzll(cycles | 8)
        cdef int bucket = 8 * places + <int>(cycles >> places)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        if cycles > self.longest:
            self.longest = cycles


cdef class Exits:
    """A vCPU's exits for one reason: how many, and of those that ended the cycles in Xen and descheduled."""

    cdef readonly uint64_t count
    cdef readonly uint64_t cycles
    cdef readonly uint64_t away
    cdef readonly Durations took    # each one's cycles in Xen

    def __cinit__(self):
        self.count = self.cycles = self.away = 0
        self.took = Durations()


cdef class Vcpu:
    """One vCPU's run states and exits so far, in cycles; index 0 to 4 is running to lost."""

    cdef readonly uint16_t domid
    cdef readonly uint16_t vcpu
    cdef int state
    cdef uint64_t since
    cdef bint counting
    cdef bint woken             # runnable since it was blocked
    cdef uint64_t counts[STATES]
    cdef uint64_t cycles[STATES]
    cdef uint64_t clipped[STATES]
    cdef bint in_exit
    cdef uint32_t exit_reason
    cdef uint64_t exit_since
    cdef uint64_t away          # descheduled during the open exit
    cdef uint64_t away_since
    cdef readonly dict exits    # reason -> Exits
    cdef readonly Durations wake_to_run
    cdef readonly bint vmx_id   # exits came under the VMX event id

    def __cinit__(self, uint16_t domid, uint16_t vcpu):
        cdef int i
        self.domid = domid
        self.vcpu = vcpu
        self.exits = {}
        self.wake_to_run = Durations()
        self.vmx_id = False
        for i in range(<int>STATES):
            self.counts[i] = self.cycles[i] = self.clipped[i] = 0
        self._begin(LOST, 0)

    cdef void _begin(self, int state, uint64_t at):
        self.state = state
        self.since = at
        self.counting = self.woken = False
        self.in_exit = False
        self.away = self.away_since = 0

    cdef void _close(self, uint64_t at):
        # End the running interval; a time stamp from the past ends it where it began.
        if at <= self.since:
            return
        if self.counting:
            self.counts[self.state] += 1
            self.cycles[self.state] += at - self.since
        else:
            self.clipped[self.state] += at - self.since
        self.since = at

    cdef void _change(self, int state, uint64_t at):
        if self.woken and state == RUNNING and at > self.since:
            self.wake_to_run.add(at - self.since)
        self.woken = self.counting and self.state == BLOCKED and state == RUNNABLE
        self._close(at)
        if self.state == RUNNING and state != RUNNING:
            self.away_since = at
        elif self.state != RUNNING and state == RUNNING and self.away_since:
            if at > self.away_since:
                self.away += at - self.away_since
            self.away_since = 0
        self.state = state

    cdef void _exit(self, uint32_t reason, uint64_t at, bint vmx_id):
        cdef Exits entry = self.exits.get(reason)
        if entry is None:
            entry = self.exits[reason] = Exits()
        entry.count += 1
        self.vmx_id = self.vmx_id or vmx_id
        self.in_exit = True
        self.exit_reason = reason
        self.exit_since = at
        self.away = self.away_since = 0

    cdef void _entry(self, uint64_t at):
        cdef uint64_t took
        cdef Exits entry
        if not self.in_exit:
            return
        self.in_exit = False
        took = at - self.exit_since if at > self.exit_since else 0
        if self.away > took:
            self.away = took
        entry = self.exits[self.exit_reason]
        entry.cycles += took - self.away
        entry.away += self.away
        entry.took.add(took - self.away)

    @property
    def runstates(self):
        """(count, cycles of counted intervals, cycles of clipped ones), for running to lost."""
        cdef int i
        cdef list states = []
        for i in range(<int>STATES):
            states.append((self.counts[i], self.cycles[i], self.clipped[i]))
        return states

    cdef uint64_t _total(self):
        cdef int i
        cdef uint64_t total = 0
        for i in range(<int>STATES):
            total += self.cycles[i] + self.clipped[i]
        return total

    def settle(self, uint64_t span):
        """Book as lost what is missing to the whole span: other runs of the clock did not know this vCPU."""
        cdef uint64_t total = self._total()
        if span > total:
            self.clipped[LOST] += span - total


cdef class Fold:
    """The state of all vCPUs and pCPUs; ``feed`` it tables in order of time, then ``finish``."""

    cdef readonly dict vcpus            # domid << 16 | vcpu -> Vcpu
    cdef readonly dict notifications    # (from domid, to domid) -> count
    cdef readonly list clock_pairs      # (cycles, ns) between switching in and out
    cdef readonly uint64_t span         # cycles, of all runs of the clock together
    cdef uint64_t start
    cdef uint64_t end
    cdef bint started
    cdef uint64_t first_tsc[PCPUS]
    cdef uint64_t last_tsc[PCPUS]
    cdef uint32_t running[PCPUS]        # key of the vCPU
    cdef uint32_t notifier[PCPUS]       # domain whose last record here was an event channel hypercall
    cdef uint64_t switch_tsc[PCPUS]
    cdef uint64_t switch_who[PCPUS]

    def __cinit__(self):
        self.vcpus = {}
        self.notifications = {}
        self.clock_pairs = []
        self.span = 0
        self._restart()

    cdef void _restart(self):
        cdef int i
        self.started = False
        for i in range(<int>PCPUS):
            self.first_tsc[i] = self.last_tsc[i] = self.switch_tsc[i] = self.switch_who[i] = 0
            self.running[i] = NOBODY
            self.notifier[i] = NOBODY

    def restart(self):
        """The clock begins anew: close what is open."""
        self._end_run()
        self._restart()

    def finish(self):
        """The trace has ended: close what is open, and book what no record told."""
        cdef Vcpu v
        self._end_run()
        for v in self.vcpus.values():
            v.settle(self.span)

    cdef void _end_run(self):
        cdef Vcpu v
        cdef int p
        if not self.started:
            return
        for p in range(<int>PCPUS):
            # Who runs is seen to run up to the pCPU's last record.
            v = self.vcpus.get(self.running[p])
            if v is not None and v.state == RUNNING:
                v._close(self.last_tsc[p])
        for v in self.vcpus.values():
            v.counting = False
            if v.since >= self.start:
                v._close(self.end)
            v._begin(LOST, 0)
        self.span += self.end - self.start

    cdef Vcpu _find(self, uint16_t domid, uint16_t vcpu, int state):
        # ``state`` is the one it was in since the trace began, should this be the first that is heard of it.
        cdef uint32_t key = (<uint32_t>domid << 16) | vcpu
        cdef Vcpu v = self.vcpus.get(key)
        if v is None:
            v = self.vcpus[key] = Vcpu(domid, vcpu)
        if v.since < self.start:
            v._begin(state, self.start)
        return v

    def feed(self, const uint8_t[::1] data, uint64_t base, const uint64_t[::1] tsc, const uint32_t[::1] event,
             const uint8_t[::1] words, const uint8_t[::1] timed, const uint16_t[::1] pcpu,
             const uint16_t[::1] domid, const uint16_t[::1] vcpu, const uint64_t[::1] offset):
        """Take the columns of one ``EventTable``."""
        cdef Py_ssize_t i, at
        cdef uint32_t id_, p, nr, notifier
        cdef uint32_t[7] word
        cdef uint64_t now
        cdef int old, new
        cdef Vcpu v
        for i in range(tsc.shape[0]):
            id_ = event[i]
            p = pcpu[i]
            now = tsc[i]
            if now:
                if not self.started:
                    self.started = True
                    self.start = self.end = now
                if now > self.end:
                    self.end = now
                if self.first_tsc[p] == 0:
                    self.first_tsc[p] = now
                self.last_tsc[p] = now
            notifier = self.notifier[p]
            self.notifier[p] = NOBODY
            if not _wanted(id_):
                continue
            at = <Py_ssize_t>(offset[i] - base) + (12 if timed[i] else 4)
            if words[i]:
                memcpy(word, &data[at], 4 * words[i])

            if (id_ & ~<uint32_t>RUNSTATE_BITS) == RUNSTATE_CHANGE or id_ == CONTINUE_RUNNING:
                if words[i] < 1:
                    continue
                if id_ == CONTINUE_RUNNING:
                    old = new = RUNNING
                else:
                    old = (id_ >> 8) & 3
                    new = (id_ >> 4) & 3
                if new == RUNNABLE and old == BLOCKED and notifier != NOBODY:
                    self._notified(notifier, word[0] >> 16)
                self._runstate(<uint16_t>(word[0] >> 16), <uint16_t>word[0], old, new, now, p)
            elif id_ == SCHED_WAKE:
                if words[i] >= 2 and notifier != NOBODY:
                    self._notified(notifier, word[0])
            elif id_ == PV_HYPERCALL_V2 or id_ == PV_HYPERCALL_SUBCALL or id_ == HVM_VMMCALL:
                if words[i] >= 1:
                    nr = word[0] & HYPERCALL_OP_MASK if id_ != HVM_VMMCALL else word[0]
                    if (nr == EVENT_CHANNEL_OP or nr == EVENT_CHANNEL_OP_COMPAT) and domid[i] != UNKNOWN_DOMID:
                        self.notifier[p] = domid[i]
            elif (id_ & ~<uint32_t>EXIT_FLAGS) == HVM_VMX_EXIT or (id_ & ~<uint32_t>EXIT_FLAGS) == HVM_SVM_EXIT:
                if words[i] >= 2 and domid[i] != UNKNOWN_DOMID:
                    v = self._find(domid[i], vcpu[i], RUNNING)
                    v._exit(word[0], now, (id_ & ~<uint32_t>EXIT_FLAGS) == HVM_VMX_EXIT)
            elif (id_ & ~<uint32_t>EXIT_FLAGS) == HVM_VMENTRY:
                if domid[i] != UNKNOWN_DOMID:
                    self._find(domid[i], vcpu[i], RUNNING)._entry(now)
            elif id_ == SWITCH_INFNEXT:
                if words[i] >= 2:
                    self.switch_tsc[p] = now
                    self.switch_who[p] = (<uint64_t>word[0] << 32) | word[1]
            elif id_ == SWITCH_INFPREV:
                if words[i] >= 3:
                    self._clock(p, (<uint64_t>word[0] << 32) | word[1], now, word[2])
            elif id_ == LOST_RECORDS:
                if words[i] == 4:
                    self._lost(p, word[1] & 0xFFFF, word[1] >> 16, (<uint64_t>word[3] << 32) | word[2], now)

    cdef void _runstate(self, uint16_t domid, uint16_t vcpu, int old, int new, uint64_t now, uint32_t p):
        cdef Vcpu v = self._find(domid, vcpu, old)
        cdef uint32_t key = (<uint32_t>domid << 16) | vcpu
        if not v.counting and new == RUNNING:
            # First seen running. If it was so all along (CONTINUE_RUNNING), it was from this pCPU's first record on.
            v._close(self.first_tsc[p] if old == RUNNING else now)
            v.counting = True
            v.state = RUNNING
            v.away_since = 0
        else:
            v._change(new, now)
        if new == RUNNING:
            self.running[p] = key
        elif self.running[p] == key:
            self.running[p] = NOBODY

    cdef void _lost(self, uint32_t p, uint16_t domid, uint16_t vcpu, uint64_t first, uint64_t now):
        # Who ran here, and who ran nowhere, may have done anything since: only those running elsewhere are known.
        cdef Vcpu v
        cdef uint32_t key
        cdef set elsewhere = set()
        cdef uint32_t i
        for i in range(<uint32_t>PCPUS):
            if i != p and self.running[i] != NOBODY:
                elsewhere.add(self.running[i])
        if first > now:
            first = now
        for key, v in self.vcpus.items():
            if key not in elsewhere and v.domid != IDLE_DOMID and v.since >= self.start:
                v._change(LOST, first if first > v.since else v.since)
                v.in_exit = False
        self._runstate(domid, vcpu, LOST, RUNNING, now, p)

    cdef void _clock(self, uint32_t p, uint64_t who, uint64_t now, uint32_t ran_ns):
        cdef uint64_t since = self.switch_tsc[p]
        if since and since < now and self.switch_who[p] == who and MILLISECOND_NS <= ran_ns < WRAP_NS:
            if len(self.clock_pairs) < CLOCK_PAIRS_MAX:
                self.clock_pairs.append((now - since, ran_ns))
        self.switch_tsc[p] = 0

    cdef void _notified(self, uint32_t source, uint32_t target):
        cdef tuple pair = (source, target)
        self.notifications[pair] = self.notifications.get(pair, 0) + 1


cdef inline bint _wanted(uint32_t id_) noexcept:
    return (
        (id_ & ~<uint32_t>RUNSTATE_BITS) == RUNSTATE_CHANGE
        or (id_ & ~<uint32_t>EXIT_FLAGS) == HVM_VMENTRY
        or (id_ & ~<uint32_t>EXIT_FLAGS) == HVM_VMX_EXIT
        or (id_ & ~<uint32_t>EXIT_FLAGS) == HVM_SVM_EXIT
        or id_ == PV_HYPERCALL_V2
        or id_ == PV_HYPERCALL_SUBCALL
        or id_ == CONTINUE_RUNNING
        or id_ == SCHED_WAKE
        or id_ == SWITCH_INFPREV
        or id_ == SWITCH_INFNEXT
        or id_ == HVM_VMMCALL
        or id_ == LOST_RECORDS
    )
