"""A thread that may run a vCPU: its run states, where it runs, and the exit that it is in. All times are ticks.

Law: conservation. Its time is in exactly one run state from where it began, and its running in one of ``Mode``.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memset

from traces.counting cimport counter
from traces.counting.bucket cimport BUCKETS, bucket_of
from traces.counting.counter cimport Counter, Slot
from traces.counting.states cimport LOST, RUNNABLE, RUNNING
from traces.counting.states cimport STATES as STATES_

cdef enum:
    NOBODY = 0xFFFFFFFF
    NO_TABLE = -1
    OCTAVES = 64

cdef extern from *:
    int __builtin_clzll(unsigned long long) nogil


cdef enum Mode:
    GUEST
    KERNEL
    USER
    MODES

cdef struct Took:
    uint32_t *buckets
    uint64_t longest
    uint64_t sum

cdef struct Task:
    uint32_t pid
    int64_t vcpu            # -1: it is none
    int state
    int mode
    uint64_t since
    uint64_t mode_since
    uint32_t cpu            # where it runs, or ran last
    uint64_t place_since
    bint woken
    bint preempted
    uint64_t floor          # only time from here on counts, and what ends then
    uint64_t counts[STATES_]
    uint64_t cycles[STATES_]
    uint64_t clipped[STATES_]
    uint32_t *stays[STATES_]    # of those that count, by the octave of their time
    bint seen               # this state's beginning was
    uint64_t modes[MODES]
    uint64_t migrations
    uint64_t wait_longest
    uint64_t wait_since
    uint32_t wait_cpu
    Took wake
    Took preempt
    # The exit that is open: its reason, and since it where the thread was.
    bint in_exit
    uint32_t reason
    uint64_t exit_modes[MODES]
    uint64_t exit_away
    # What it accessed last in that exit, as a key of a table of accesses, and how often its process was entered in it.
    int io_table            # -1: nothing
    uint64_t io_key
    uint64_t entries


cdef inline void took(Took *of, uint64_t time) noexcept nogil:
    if of.buckets == NULL:
        of.buckets = <uint32_t *>calloc(BUCKETS, sizeof(uint32_t))
        if of.buckets == NULL:
            return
    of.buckets[bucket_of(time)] += 1
    of.sum += time
    if time > of.longest:
        of.longest = time


cdef inline void stayed(uint32_t **of, uint64_t time) noexcept nogil:
    if time == 0:
        return
    if of[0] == NULL:
        of[0] = <uint32_t *>calloc(OCTAVES, sizeof(uint32_t))
        if of[0] == NULL:
            return
    of[0][63 - __builtin_clzll(time)] += 1


cdef inline uint64_t told(const Task *task, uint64_t since, uint64_t now) noexcept nogil:
    """Give what counts of a time."""
    if since < task.floor:
        since = task.floor
    return now - since if now > since else 0


cdef inline void begin(Task *task, uint32_t pid, uint64_t at, uint64_t floor) noexcept nogil:
    """Make it one of which nothing is known yet."""
    memset(task, 0, sizeof(Task))
    task.pid = pid
    task.floor = floor
    task.vcpu = -1
    task.state = LOST
    task.mode = KERNEL
    task.since = task.mode_since = at
    task.cpu = NOBODY


cdef inline void runs(Task *task, uint32_t cpu, uint64_t now, Counter *places, uint64_t who) noexcept nogil:
    """Take note that it runs on a processor.

    :param places: time by thread << 16 | processor
    :param who: its number there
    """
    if task.state == RUNNING and task.cpu == cpu:
        return
    _comes(task, cpu, now, places, who)


cdef inline void _comes(Task *task, uint32_t cpu, uint64_t now, Counter *places, uint64_t who) noexcept nogil:
    if task.state == RUNNING:
        # Where it was switched out and in again was not recorded.
        task.migrations += now >= task.floor
        _leave(task, now, places, who)
        task.cpu = cpu
        return
    if task.cpu != NOBODY and task.cpu != cpu:
        task.migrations += now >= task.floor
    task.cpu = cpu
    move(task, RUNNING, now, places, who)
    task.place_since = now


cdef inline void _leave(Task *task, uint64_t now, Counter *places, uint64_t who) noexcept nogil:
    cdef Slot *slot = counter.add(places, who << 16 | (task.cpu & 0xFFFF), 0, 0)
    slot.sum += told(task, task.place_since, now)
    task.place_since = now


cdef inline void move(Task *task, int state, uint64_t now, Counter *places, uint64_t who) noexcept nogil:
    """End its run state, and begin another."""
    cdef uint64_t time = now - task.since
    cdef int old = task.state
    if old == state:
        return
    task.cycles[old] += told(task, task.since, now)
    if task.seen and task.since >= task.floor:
        task.counts[old] += 1
        stayed(&task.stays[old], time)
    else:
        task.clipped[old] += told(task, task.since, now)
    if old == RUNNING:
        _spend(task, now)
        _leave(task, now, places, who)
    else:
        if task.in_exit:
            task.exit_away += time
        if old == RUNNABLE and state == RUNNING:
            _waited(task, time, now)
    task.mode_since = task.since = now
    task.state = state
    task.seen = old != LOST


cdef inline void _waited(Task *task, uint64_t time, uint64_t now) noexcept nogil:
    if now < task.floor:
        return
    if task.seen:
        if task.woken:
            took(&task.wake, time)
        elif task.preempted:
            took(&task.preempt, time)
    if time > task.wait_longest:
        task.wait_longest = time
        task.wait_since = task.since
        task.wait_cpu = task.cpu


cdef inline void enter(Task *task, int mode, uint64_t now) noexcept nogil:
    """Take note that it, which runs, does so in another of ``Mode``."""
    _spend(task, now)
    task.mode = mode


cdef inline void _spend(Task *task, uint64_t now) noexcept nogil:
    cdef uint64_t time = now - task.mode_since
    task.modes[task.mode] += told(task, task.mode_since, now)
    if task.in_exit:
        task.exit_modes[task.mode] += time
    task.mode_since = now


cdef inline void exit_now(Task *task, uint32_t reason) noexcept nogil:
    """Begin an exit; whichever was open is forgotten."""
    task.in_exit = True
    task.reason = reason
    task.exit_away = task.entries = 0
    task.io_table = NO_TABLE
    memset(task.exit_modes, 0, sizeof(task.exit_modes))


cdef inline dict buckets_of(const Took *of):
    """Read off how many took how long, by buckets."""
    cdef int i
    return {} if of.buckets == NULL else {i: of.buckets[i] for i in range(BUCKETS) if of.buckets[i]}


cdef inline dict octaves_of(const uint32_t *of):
    """Read off how many stays took 2 ** i or more, by i."""
    cdef int i
    return {} if of == NULL else {i: of[i] for i in range(OCTAVES) if of[i]}
