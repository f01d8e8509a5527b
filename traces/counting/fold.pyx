# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What depends on what came before on all pCPUs: run states, and exits around them. One pass, in order of time.

Law: conservation. For every vCPU, the cycles in all its run states together are exactly the span of the trace:
what can't be known is ``lost``, never missing.

Counts follow xenalyze's rules, so that both agree on the same file: an interval counts when its beginning and its
end were seen and it took time; a CONTINUE_RUNNING ends one; a vCPU's intervals count from the first time on that it
is seen running. The cycles outside of counted intervals are kept apart as ``clipped``.

A domain's vCPUs are offline before it is created and after it is destroyed, where the trace tells when that was, as
xenalyze does not know; whoever has its number later begins anew.
"""

cimport cython
from cpython.ref cimport PyObject
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from traces.counting.bucket cimport BUCKETS, bucket_of
from traces.counting.row cimport (
    ROW_BORN, ROW_ENDED, ROW_ENTRY, ROW_EXIT, ROW_INJECTED, ROW_LOST, ROW_RUNSTATE, Row, before,
)
from traces.counting.states cimport BLOCKED, IDLE_DOMID, LOST, OFFLINE, PCPUS, RUNNABLE, RUNNING, STATES

cdef extern from *:
    int __builtin_clzll(unsigned long long)

cdef enum:
    OCTAVES = 64
    NOBODY = 0xFFFFFFFF
    LANES_MAX = 64
    NEAR = 256
    # Real ones are far below; a hostile capture names a new one each time.
    REASONS_MAX = 256
    VCPUS_MAX = 1 << 13
    # Exits by vCPU and reason, interrupts by vCPU and vector, of all vCPUs.
    EXITS_MAX = 1 << 15
    INTERRUPTS_MAX = 1 << 14
    # Of what took time, so much is counted by buckets; each takes 2 KiB.
    SPREAD_MAX = 1 << 15
    VECTORS = 256
    # Of these a vCPU counts its time without a Python integer.
    NEAR_PCPUS = 32
    # Of all domains together: creations and destructions that are told.
    LIVES_MAX = 1 << 12
    # Rows, after which other threads may have Python.
    BREATH = 1 << 10

#: What a domain's vCPUs are together, in the order of ``Domain.states``.
cdef enum Together:
    ALL_LOST
    ALL_BLOCKED
    PARTIAL_RUN
    FULL_RUN
    PARTIAL_CONTENTION
    CONCURRENCY_HAZARD
    FULL_CONTENTION
    TOGETHER

cdef uint64_t FOREVER = <uint64_t>-1

cdef struct Bounds:
    # What counts: from the one time stamp up to the other, and on these pCPUs.
    uint64_t begin
    uint64_t end
    uint8_t *pcpus          # NULL: all


cdef inline bint covers(const Bounds *bounds, uint64_t at, uint32_t p) noexcept:
    return bounds.begin <= at < bounds.end and (bounds.pcpus == NULL or bounds.pcpus[p])


@cython.final
cdef class Room:
    """What there is room for, of all vCPUs together; a hostile capture wants more."""

    cdef int exits
    cdef int interrupts
    cdef int spread             # ``Durations`` with buckets
    cdef uint64_t uncounted     # rows of what there was none for

    def __cinit__(self):
        self.exits = EXITS_MAX
        self.interrupts = INTERRUPTS_MAX
        self.spread = SPREAD_MAX
        self.uncounted = 0


@cython.final
cdef class Durations:
    """How often something took how many cycles, in the buckets of ``counting.latencies``; sum and longest exactly."""

    cdef uint32_t *buckets      # NULL before there is anything in them
    cdef Room room
    cdef readonly uint64_t longest
    cdef readonly uint64_t cycles

    def __cinit__(self, Room room=None):
        self.buckets = NULL
        self.room = room
        self.longest = self.cycles = 0

    def __dealloc__(self):
        free(self.buckets)

    @property
    def counts(self):
        """How many lie in each bucket that has any."""
        if self.buckets == NULL:
            return {}
        return {i: self.buckets[i] for i in range(BUCKETS) if self.buckets[i]}

    cdef bint _spread(self) noexcept:
        if self.room is None or self.room.spread == 0:
            return False
        self.buckets = <uint32_t *>calloc(BUCKETS, sizeof(uint32_t))
        self.room.spread -= self.buckets != NULL
        return self.buckets != NULL

    cdef void add(self, uint64_t cycles) noexcept:
        if self.buckets != NULL or self._spread():
            self.buckets[bucket_of(cycles)] += 1
        elif self.room is not None:
            self.room.uncounted += 1
        self.cycles += cycles
        if cycles > self.longest:
            self.longest = cycles


@cython.final
cdef class Exits:
    """A vCPU's exits for one reason: how many, and of those that ended the cycles in Xen and descheduled."""

    cdef readonly uint64_t count
    cdef readonly uint64_t cycles
    cdef readonly uint64_t away
    cdef readonly uint64_t first    # file offset
    cdef readonly Durations took    # each one's cycles in Xen

    def __cinit__(self, Room room):
        self.count = self.cycles = self.away = self.first = 0
        self.took = Durations(room)


@cython.final
cdef class Interrupt:
    """A vCPU's interrupts of one vector: how long it ran on, from the VM entry with which it got one until it halted.

    As xenalyze counts them: one that comes again before the vCPU halts is timed from the first on, and all time until
    then counts, also while others ran.
    """

    cdef readonly Durations alone       # it woke the vCPU, and no other came
    cdef readonly Durations woke        # it woke the vCPU, whatever came later
    cdef readonly Durations running     # the vCPU was awake
    cdef bint pending                   # got since the vCPU last halted
    cdef bint entered
    cdef bint is_wake
    cdef bint covered
    cdef uint64_t since

    def __cinit__(self, Room room):
        self.alone = Durations(room)
        self.woke = Durations(room)
        self.running = Durations(room)
        self.pending = False


@cython.final
cdef class Domain:
    """What a domain's vCPUs were together so far: for how many cycles each of ``Together``, and how often."""

    cdef readonly uint16_t domid
    cdef list living            # vCPUs heard of since it was destroyed last
    cdef int members[STATES]    # vCPUs heard of, by their state
    cdef int state
    cdef uint64_t since
    cdef uint64_t counts[TOGETHER]
    cdef uint64_t cycles[TOGETHER]

    def __cinit__(self, uint16_t domid):
        self.domid = domid
        memset(self.counts, 0, sizeof(self.counts))
        memset(self.cycles, 0, sizeof(self.cycles))
        self._begin(0)

    cdef void _begin(self, uint64_t at) noexcept:
        memset(self.members, 0, sizeof(self.members))
        self.living = []
        self.state = ALL_LOST
        self.since = at

    cdef void _move(self, int old, int new, uint64_t at, const Bounds *bounds) noexcept:
        # ``old`` is -1 for a vCPU that is heard of for the first time.
        cdef int state
        if old == new:
            return
        if old >= 0:
            self.members[old] -= 1
        self.members[new] += 1
        state = self._together()
        if state != self.state:
            self._close(at, bounds)
            self.state = state

    cdef int _together(self) noexcept:
        # xenalyze's domain_runstate: lost vCPUs count only where there are no others.
        cdef bint rests = self.members[BLOCKED] + self.members[OFFLINE] > 0
        if self.members[RUNNING]:
            if self.members[RUNNABLE]:
                return CONCURRENCY_HAZARD
            return PARTIAL_RUN if rests else FULL_RUN
        if self.members[RUNNABLE]:
            return PARTIAL_CONTENTION if rests else FULL_CONTENTION
        return ALL_BLOCKED if rests else ALL_LOST

    cdef void _close(self, uint64_t at, const Bounds *bounds) noexcept:
        cdef uint64_t begin, end
        if at <= self.since:
            return
        begin = self.since if self.since > bounds.begin else bounds.begin
        end = at if at < bounds.end else bounds.end
        if begin < end:
            self.counts[self.state] += 1
            self.cycles[self.state] += end - begin
        self.since = at

    @property
    def states(self):
        """(count, cycles) of each of ``Together``."""
        cdef int i
        cdef list states = []
        for i in range(<int>TOGETHER):
            states.append((self.counts[i], self.cycles[i]))
        return states

    def settle(self, uint64_t span):
        """Book as lost what is missing to the whole span: before its first vCPU was heard of, and in other runs."""
        cdef int i
        cdef uint64_t total = 0
        for i in range(<int>TOGETHER):
            total += self.cycles[i]
        if span > total:
            self.cycles[<int>ALL_LOST] += span - total


@cython.final
cdef class Vcpu:
    """One vCPU's run states and exits so far, in cycles; index 0 to 4 is running to lost."""

    cdef readonly uint16_t domid
    cdef readonly uint16_t vcpu
    cdef int state
    cdef bint restless          # heard of since records were lost last
    cdef int places             # pCPUs that it is known to run on
    cdef Room room
    cdef uint32_t pcpu          # where it runs, or ran last; NOBODY before that is known
    cdef readonly uint64_t migrations
    cdef uint32_t stays[STATES][OCTAVES]
    cdef uint64_t since
    cdef bint counting
    cdef bint woken             # runnable since it was blocked or offline
    cdef bint preempted         # runnable since it ran
    cdef bint joined            # counted among its domain's vCPUs
    cdef bint gone              # with its domain, and not heard of since
    cdef Domain domain
    cdef uint64_t origin        # of time stamps, to be added to count from the trace's beginning
    cdef uint64_t near_pcpus[NEAR_PCPUS]
    cdef dict far_pcpus
    # Of the longest time runnable: cycles, since when (in cycles of the trace), and on which pCPU it ended.
    cdef readonly uint64_t longest_wait
    cdef readonly uint64_t longest_wait_since
    cdef readonly uint32_t longest_wait_pcpu
    cdef readonly uint64_t longest_wait_offset  # where in the file the record that ended it is
    cdef uint64_t counts[STATES]
    cdef uint64_t cycles[STATES]
    cdef uint64_t clipped[STATES]
    cdef bint in_exit
    cdef uint64_t exit_reason
    cdef uint64_t exit_since
    cdef uint64_t away          # descheduled during the open exit
    cdef uint64_t away_since
    cdef readonly dict exits    # ``formats.exits.key_of`` -> Exits
    cdef readonly Durations wake_to_run
    cdef readonly Durations preempted_to_run
    cdef readonly dict interrupts   # vector -> Interrupt
    cdef int pending            # how many of them are
    cdef bint waking            # woken, and not entered yet
    cdef bint wake_known        # the interrupt that woke it is

    def __cinit__(self, uint16_t domid, uint16_t vcpu, Domain domain, Room room):
        cdef int i
        self.domain = domain
        self.room = room
        self.restless = False
        self.places = 0
        self.joined = False
        self.origin = 0
        memset(self.near_pcpus, 0, sizeof(self.near_pcpus))
        self.far_pcpus = {}
        self.longest_wait = self.longest_wait_since = self.longest_wait_pcpu = self.longest_wait_offset = 0
        self.domid = domid
        self.vcpu = vcpu
        self.pcpu = NOBODY
        self.migrations = 0
        memset(self.stays, 0, sizeof(self.stays))
        self.exits = {}
        self.interrupts = {}
        self.pending = 0
        self.wake_to_run = Durations(room)
        self.preempted_to_run = Durations(room)
        for i in range(<int>STATES):
            self.counts[i] = self.cycles[i] = self.clipped[i] = 0
        self._begin(LOST, 0)

    cdef void _begin(self, int state, uint64_t at) noexcept:
        self.state = state
        self.since = at
        self.counting = self.woken = self.preempted = self.joined = self.gone = False
        self.in_exit = False
        self.away = self.away_since = 0
        self._forget_interrupts()

    cdef int _close(self, uint64_t at, const Bounds *bounds) except -1:
        # End the running interval; a time stamp from the past ends it where it began.
        cdef uint64_t begin, end
        if at <= self.since:
            return 0
        begin = self.since if self.since > bounds.begin else bounds.begin
        end = at if at < bounds.end else bounds.end
        # Who does not run is on no pCPU.
        if begin < end and (bounds.pcpus == NULL or (self.state == RUNNING and self._is_on(bounds))):
            if self.counting and end - begin == at - self.since:
                self.counts[self.state] += 1
                self.cycles[self.state] += end - begin
                self.stays[self.state][63 - __builtin_clzll(end - begin)] += 1
            else:
                self.clipped[self.state] += end - begin
            if self.state == RUNNING:
                self._ran(end - begin)
        self.since = at

    cdef bint _is_on(self, const Bounds *bounds) noexcept:
        # One that is only said to run is on no pCPU that is known.
        return self.pcpu < PCPUS and bounds.pcpus[self.pcpu]

    cdef int _ran(self, uint64_t cycles) except -1:
        if self.pcpu < NEAR_PCPUS:
            self.near_pcpus[self.pcpu] += cycles
        elif self.pcpu != NOBODY:
            self.far_pcpus[self.pcpu] = self.far_pcpus.get(self.pcpu, 0) + cycles

    cdef int _join(self, int state, uint64_t at, const Bounds *bounds) except -1:
        self.domain._move(self.state if self.joined else -1, state, at, bounds)
        self.joined = True
        self.state = state

    cdef int _change(self, int state, uint64_t at, uint32_t p, const Bounds *bounds, uint64_t offset=0) except -1:
        if self.woken and state == RUNNING and at > self.since and covers(bounds, at, p):
            self.wake_to_run.add(at - self.since)
            self._waited(at, p, offset)
        elif self.preempted and state == RUNNING and at > self.since and covers(bounds, at, p):
            self.preempted_to_run.add(at - self.since)
            self._waited(at, p, offset)
        self.woken = self.counting and state == RUNNABLE and (self.state == BLOCKED or self.state == OFFLINE)
        self.preempted = self.counting and self.state == RUNNING and state == RUNNABLE
        self._close(at, bounds)
        if self.state == RUNNING and state != RUNNING:
            self.away_since = at
        elif self.state != RUNNING and state == RUNNING and self.away_since:
            if at > self.away_since:
                self.away += at - self.away_since
            self.away_since = 0
        self._join(state, at, bounds)

    cdef int _end(self, uint64_t at, const Bounds *bounds) except -1:
        # Its domain is destroyed.
        self._change(OFFLINE, at, NOBODY, bounds)
        self.counting = False
        self.in_exit = False
        self.away_since = 0
        self._forget_interrupts()
        self.gone = True

    cdef void _waited(self, uint64_t at, uint32_t p, uint64_t offset) noexcept:
        if at - self.since > self.longest_wait:
            self.longest_wait = at - self.since
            self.longest_wait_since = self.since + self.origin
            self.longest_wait_pcpu = p
            self.longest_wait_offset = offset

    cdef bint _exit(self, uint64_t reason, uint64_t at, uint64_t offset):
        cdef Exits entry = self.exits.get(reason)
        if entry is None:
            if len(self.exits) >= REASONS_MAX or self.room.exits == 0:
                self.in_exit = False
                return False
            self.room.exits -= 1
            entry = self.exits[reason] = Exits(self.room)
            entry.first = offset
        if offset < entry.first:
            entry.first = offset
        entry.count += 1
        self.in_exit = True
        self.exit_reason = reason
        self.exit_since = at
        self.away = self.away_since = 0
        return True

    cdef int _entry(self, uint64_t at) except -1:
        cdef uint64_t took
        cdef Exits entry
        if not self.in_exit:
            return 0
        self.in_exit = False
        took = at - self.exit_since if at > self.exit_since else 0
        if self.away > took:
            self.away = took
        entry = self.exits[self.exit_reason]
        entry.cycles += took - self.away
        entry.away += self.away
        entry.took.add(took - self.away)

    cdef int _interrupt(self, Interrupt one, uint64_t entry, bint entered, bint covered) except -1:
        if self.waking and not self.wake_known:
            self.wake_known = one.is_wake = True
        if not one.pending:
            one.pending = True
            one.entered = entered
            one.covered = covered
            one.since = entry
            self.pending += 1

    cdef int _entered(self, uint64_t at) except -1:
        cdef Interrupt one
        self.waking = False
        if self.pending:
            for one in self.interrupts.values():
                if one.pending and not one.entered:
                    one.entered = True
                    one.since = at

    cdef int _woken_or_halted(self, int old, int new, uint64_t at) except -1:
        cdef Interrupt one
        if old == BLOCKED and new == RUNNABLE:
            self.waking = self.counting
        elif old == RUNNING and (new == RUNNABLE or new == BLOCKED):
            self.waking = False
            if new == BLOCKED and self.pending:
                for one in self.interrupts.values():
                    if one.pending and one.entered and one.covered and at > one.since:
                        if not one.is_wake:
                            one.running.add(at - one.since)
                        else:
                            one.woke.add(at - one.since)
                            if self.pending == 1:
                                one.alone.add(at - one.since)
                self._forget_interrupts()

    cdef void _forget_interrupts(self) noexcept:
        cdef Interrupt one
        self.waking = self.wake_known = False
        if self.pending:
            self.pending = 0
            for one in self.interrupts.values():
                one.pending = one.is_wake = False

    @property
    def runstates(self):
        """(count, cycles of counted intervals, cycles of clipped ones), for running to lost."""
        cdef int i
        cdef list states = []
        for i in range(<int>STATES):
            states.append((self.counts[i], self.cycles[i], self.clipped[i]))
        return states

    @property
    def histograms(self):
        """How many counted intervals took 2 ** i cycles or more, but less than twice that: for each state, by i."""
        cdef int i, state
        cdef list states = []
        for state in range(<int>STATES):
            states.append({i: self.stays[state][i] for i in range(<int>OCTAVES) if self.stays[state][i]})
        return states

    @property
    def pcpus(self):
        """Cycles that it ran on each pCPU where it did."""
        cdef int i
        cdef dict found = {i: self.near_pcpus[i] for i in range(<int>NEAR_PCPUS) if self.near_pcpus[i]}
        found.update(self.far_pcpus)
        return found

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


@cython.final
cdef class Fold:
    """The state of all vCPUs and pCPUs; ``feed`` it rows in order of time, and ``close`` each run of the clock."""

    cdef readonly dict vcpus            # domid << 16 | vcpu -> Vcpu
    cdef readonly dict domains          # domid -> Domain
    cdef readonly dict lives            # domid -> [(cycles since the trace's beginning, whether it was created then)]
    cdef int life_count
    cdef dict born                      # domid -> when it was created, of those that are there
    cdef readonly uint64_t span         # cycles, of all closed runs of the clock together
    cdef Room room
    cdef readonly uint64_t steps        # vCPUs looked at for what happened elsewhere: tests bound it
    cdef list heard                     # vCPUs, and domains, of this run of the clock
    cdef list told
    cdef list restless                  # vCPUs that are so, those that run elsewhere for certain left out
    cdef readonly uint64_t contradictions   # changes of run states from another one than was known
    cdef readonly uint64_t contradiction    # the place of the first
    cdef uint64_t start
    cdef uint64_t past                  # cycles of all closed runs, whatever counts of them
    cdef Bounds bounds
    cdef uint32_t running[PCPUS]        # key of the vCPU
    cdef uint32_t near_who[NEAR]        # some of vcpus, found without making a Python integer
    cdef PyObject *near[NEAR]

    def __cinit__(self):
        memset(self.near, 0, sizeof(self.near))
        self.vcpus = {}
        self.domains = {}
        self.lives = {}
        self.life_count = 0
        self.span = self.past = self.steps = 0
        self.room = Room()
        self.heard = []
        self.told = []
        self.restless = []
        self.contradictions = self.contradiction = 0
        self.bounds.begin = 0
        self.bounds.end = FOREVER
        self.bounds.pcpus = NULL
        self._restart()

    def __dealloc__(self):
        free(self.bounds.pcpus)

    @property
    def uncounted(self):
        """Rows of what there was no room for: a real trace has none."""
        return self.room.uncounted

    def limit(self, uint64_t begin, uint64_t end):
        """Count only what lies between two time stamps of this run of the clock, and of what lies across, the part."""
        self.bounds.begin = begin
        self.bounds.end = end

    def choose(self, pcpus):
        """Count only what was on these pCPUs: of run states, only running.

        Raises MemoryError.
        """
        cdef uint32_t p
        self.bounds.pcpus = <uint8_t *>calloc(PCPUS, 1)
        if self.bounds.pcpus == NULL:
            raise MemoryError()
        for p in pcpus:
            if p < PCPUS:
                self.bounds.pcpus[p] = 1

    cdef int _restart(self) except -1:
        cdef int i
        self.start = 0
        self.born = {}
        for i in range(<int>PCPUS):
            self.running[i] = NOBODY

    def feed(self, list batches, uint64_t start):
        """Take rows from several lanes, each in order and as ``Lane.take`` gives them.

        start   the first time stamp of this run of the clock
        """
        cdef const Row *heads[LANES_MAX]
        cdef const Row *ends[LANES_MAX]
        cdef int lanes = 0, i, first
        cdef uint32_t turn = 0
        cdef const uint8_t[::1] batch
        self.start = start
        for batch in batches[:LANES_MAX]:
            if batch.shape[0]:
                heads[lanes] = <const Row *>&batch[0]
                ends[lanes] = heads[lanes] + batch.shape[0] // sizeof(Row)
                lanes += 1
        while lanes:
            first = 0
            for i in range(1, lanes):
                if before(heads[i], heads[first]):
                    first = i
            self._take(heads[first])
            turn += 1
            if turn % BREATH == 0:
                # Lanes need Python for a moment only, when they go on to their next stretch.
                with nogil:
                    pass
            heads[first] += 1
            if heads[first] == ends[first]:
                lanes -= 1
                heads[first], ends[first] = heads[lanes], ends[lanes]

    cdef int _take(self, const Row *row) except -1:
        cdef Vcpu v
        if row.kind == ROW_RUNSTATE:
            self._runstate(row.who, row.old, row.new, row.tsc, row.since, row.pcpu, row.offset)
        elif row.kind == ROW_EXIT:
            v = self._find(row.who, RUNNING, row.tsc)
            if v is None:
                self.room.uncounted += 1
                return 0
            v.pcpu = row.pcpu
            if not covers(&self.bounds, row.tsc, row.pcpu):
                v.in_exit = False
            elif not v._exit(<uint64_t>row.old << 32 | row.arg, row.tsc, row.offset):
                self.room.uncounted += 1
        elif row.kind == ROW_ENTRY:
            v = self._find(row.who, RUNNING, row.tsc)
            if v is not None:
                if v.pcpu == NOBODY:
                    v.pcpu = row.pcpu
                v._entered(row.tsc)
                v._entry(row.tsc)
        elif row.kind == ROW_INJECTED:
            self._injected(row)
        elif row.kind == ROW_LOST:
            self._lost(row.pcpu, row.who, row.since, row.tsc)
        elif row.kind == ROW_BORN:
            self._born(row.arg, row.tsc)
        elif row.kind == ROW_ENDED:
            self._ended(row.arg, row.tsc)

    def close(self, uint64_t start, uint64_t end, dict last):
        """This run of the clock is over, from ``start`` to ``end``: close what is open.

        last    of each pCPU, the last time stamp
        """
        cdef Vcpu v
        cdef Domain d
        cdef uint32_t p
        cdef uint64_t stamp
        self.start = start
        for p, stamp in last.items():
            # Who runs is seen to run up to the pCPU's last record.
            v = self.vcpus.get(self.running[p])
            if v is not None and v.state == RUNNING:
                v._close(stamp, &self.bounds)
        # Others are as an earlier run of the clock left them.
        self.steps += len(self.heard)
        for v in self.heard:
            v.counting = False
            v._close(end, &self.bounds)
            v._begin(LOST, 0)
            v.places = 0
            v.restless = False
        for d in self.told:
            d._close(end, &self.bounds)
            d._begin(0)
        self.heard.clear()
        self.told.clear()
        self.restless.clear()
        self.past += end - start
        if start < self.bounds.begin:
            start = self.bounds.begin
        if end > self.bounds.end:
            end = self.bounds.end
        if start < end:
            self.span += end - start
        self._restart()

    def settle(self):
        """The trace is over: book what no record told."""
        cdef Vcpu v
        cdef Domain d
        if self.bounds.pcpus != NULL:
            return
        for d in self.domains.values():
            d.settle(self.span)
        for v in self.vcpus.values():
            v.settle(self.span)

    cdef Vcpu _find(self, uint32_t who, int state, uint64_t now):
        # ``state`` is the one it was in since the trace began, or its domain, should this be the first that is heard of
        # it. None: one more than there is room for.
        cdef Vcpu v = self._known(who)
        cdef object born
        if v is None:
            if len(self.vcpus) >= VCPUS_MAX:
                return None
            v = Vcpu(<uint16_t>(who >> 16), <uint16_t>who, self._domain(<uint16_t>(who >> 16)), self.room)
            self.vcpus[who] = v
        if v.since < self.start:
            v._begin(state, self.start)
            v.origin = self.past - self.start
            self.heard.append(v)
            if v.domain.since < self.start:
                v.domain._begin(self.start)
                self.told.append(v.domain)
            v.domain.living.append(v)
            born = self.born.get(who >> 16) if self.born else None
            if born is None:
                v._join(state, self.start, &self.bounds)
            else:
                v._join(OFFLINE, self.start, &self.bounds)
                v._close(born, &self.bounds)
                v._join(state, v.since, &self.bounds)
        elif v.gone:
            # Another domain with this number. Offline until it was created, or where nobody says when, until now.
            v.gone = False
            v.pcpu = NOBODY
            v.domain.living.append(v)
            v._close(self.born.get(who >> 16, now), &self.bounds)
            v._join(state, v.since, &self.bounds)
            v._close(now, &self.bounds)
            # What comes now is seen from its beginning on.
            v.counting = True
        if not v.restless:
            self._stir(v)
        return v

    cdef int _stir(self, Vcpu v) except -1:
        v.restless = True
        self.restless.append(v)

    cdef Vcpu _known(self, uint32_t who):
        cdef Vcpu v
        cdef uint32_t place = (who ^ (who >> 12)) % NEAR
        if self.near[place] != NULL and self.near_who[place] == who:
            return <Vcpu>self.near[place]
        v = self.vcpus.get(who)
        if v is not None:
            self.near_who[place] = who
            self.near[place] = <PyObject *>v
        return v

    cdef Domain _domain(self, uint16_t domid):
        cdef Domain d = self.domains.get(domid)
        if d is None:
            d = self.domains[domid] = Domain(domid)
        return d

    cdef void _contradicts(self, Vcpu v, uint64_t offset) noexcept:
        # Where clocks of pCPUs differ, what one of them tells comes before what led to it on another.
        if v.counting and v.state != LOST and v.domid != IDLE_DOMID:
            if not self.contradictions or offset < self.contradiction:
                self.contradiction = offset
            self.contradictions += 1

    cdef int _runstate(self, uint32_t who, int old, int new, uint64_t now, uint64_t first, uint32_t p,
                       uint64_t offset) except -1:
        cdef Vcpu v = self._find(who, old, now)
        if v is None:
            self.room.uncounted += 1
            return 0
        if old != LOST and (v.state != old or (old == RUNNING and v.pcpu != p)):
            self._contradicts(v, offset)
        if old == RUNNING:
            v.pcpu = p
        if v.domid != IDLE_DOMID:
            v._woken_or_halted(old, new, now)
        if not v.counting and new == RUNNING:
            # First seen running. If it was so all along (CONTINUE_RUNNING), it was from this pCPU's first record on.
            v._close(first if old == RUNNING else now, &self.bounds)
            v.counting = True
            v._join(RUNNING, now, &self.bounds)
            v.away_since = 0
        else:
            v._change(new, now, p, &self.bounds, offset)
        if new == RUNNING:
            v.migrations += v.pcpu != p and v.pcpu != NOBODY and covers(&self.bounds, now, p)
            v.pcpu = p
            if self.running[p] != who:
                self._vacate(p)
                self.running[p] = who
                v.places += 1
        elif self.running[p] == who:
            self._vacate(p)

    cdef int _vacate(self, uint32_t p) except -1:
        cdef Vcpu v
        if self.running[p] != NOBODY:
            v = self._known(self.running[p])
            v.places -= 1
            self.running[p] = NOBODY
            if not v.restless:
                self._stir(v)

    cdef int _injected(self, const Row *row) except -1:
        # Who is heard of by this first ran all along, but where?
        cdef Vcpu v = self._known(row.who)
        cdef Interrupt one
        if v is None or v.since < self.start or row.arg >= VECTORS:
            # No processor has a vector above.
            return 0
        if not v.restless:
            self._stir(v)
        one = v.interrupts.get(row.arg)
        if one is None:
            if self.room.interrupts == 0:
                self.room.uncounted += 1
                return 0
            self.room.interrupts -= 1
            one = v.interrupts[row.arg] = Interrupt(self.room)
        v._interrupt(one, row.tsc, row.new, covers(&self.bounds, row.since, row.pcpu))

    cdef int _lost(self, uint32_t p, uint32_t who, uint64_t first, uint64_t now) except -1:
        # Who ran here, and who ran nowhere, may have done anything since: only those running elsewhere are known. Those
        # are looked at again once something is told of them, and others that were lost before are so still.
        cdef Vcpu v
        cdef list found
        self._vacate(p)
        found, self.restless = self.restless, []
        self.steps += len(found)
        if first > now:
            first = now
        for v in found:
            v.restless = False
            if v.places == 0 and v.domid != IDLE_DOMID and not v.gone:
                v._change(LOST, first if first > v.since else v.since, p, &self.bounds)
                v.in_exit = False
                v._forget_interrupts()
        self._runstate(who, LOST, RUNNING, now, 0, p, 0)

    cdef int _born(self, uint32_t domid, uint64_t now) except -1:
        # The domain's creation says so, then the scheduler; until 4.5 the latter of each vCPU.
        cdef Domain d
        if domid >= IDLE_DOMID:
            return 0
        d = self.domains.get(domid)
        if d is not None and d.living:
            # Who had the number before is gone, though nobody said so.
            self._ended(domid, now)
        if domid not in self.born:
            self.born[domid] = now
            self._tell_life(domid, now, True)

    cdef int _ended(self, uint32_t domid, uint64_t now) except -1:
        cdef Vcpu v
        cdef Domain d
        if domid >= IDLE_DOMID:
            return 0
        self.born.pop(domid, None)
        self._tell_life(domid, now, False)
        d = self.domains.get(domid)
        if d is not None:
            for v in d.living:
                if v.pcpu < PCPUS and self.running[v.pcpu] == (<uint32_t>v.domid << 16 | v.vcpu):
                    self.running[v.pcpu] = NOBODY
                v._end(now, &self.bounds)
            d.living = []

    cdef int _tell_life(self, uint32_t domid, uint64_t now, bint created) except -1:
        cdef list told = self.lives.setdefault(domid, [])
        if (told and told[len(told) - 1][1] == created) or self.life_count == LIVES_MAX:
            return 0
        self.life_count += 1
        told.append((now - self.start + self.past, bool(created)))
