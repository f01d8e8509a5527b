"""What ``lane`` hands to ``fold``: the few records that mean something only in order of time over all pCPUs."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum RowKind:
    ROW_RUNSTATE    # who: the vCPU; old, new; since: its pCPU's first time stamp
    ROW_EXIT        # who: the vCPU; arg: reason; old: what else tells exits apart (``lane.flavour_of``)
    ROW_ENTRY       # who: the vCPU
    ROW_INJECTED    # who: the vCPU; arg: vector; since: when; new: whether it is at the VM entry with which it came
    ROW_LOST        # who: the vCPU that runs now; since: when records began to be lost
    ROW_BORN        # arg: the domain that is created
    ROW_ENDED       # arg: the domain that is destroyed

cdef struct Row:
    uint64_t tsc
    uint64_t offset
    uint64_t since
    uint32_t who            # domid << 16 | vcpu
    uint32_t arg
    uint16_t pcpu
    uint8_t kind
    uint8_t old
    uint8_t new


cdef inline bint before(const Row *one, const Row *other) noexcept nogil:
    return one.tsc < other.tsc or (one.tsc == other.tsc and one.offset < other.offset)


cdef inline Row *order(Row *rows, Row *space, Py_ssize_t count_) noexcept nogil:
    """Sort by time and then by place, stably, by merging the runs that are there; returns which of both holds them."""
    cdef Py_ssize_t at, middle, end, left, right, out, runs
    while True:
        at = out = runs = 0
        while at < count_:
            middle = run_end(rows, at, count_)
            if runs == 0 and middle == count_:
                return rows
            end = run_end(rows, middle, count_)
            left, right = at, middle
            while left < middle and right < end:
                if before(&rows[right], &rows[left]):
                    space[out] = rows[right]
                    right += 1
                else:
                    space[out] = rows[left]
                    left += 1
                out += 1
            memcpy(space + out, rows + left, (middle - left) * sizeof(Row))
            out += middle - left
            memcpy(space + out, rows + right, (end - right) * sizeof(Row))
            out += end - right
            runs += 1
            at = end
        if runs == 0:
            return rows
        rows, space = space, rows


cdef inline Py_ssize_t run_end(Row *rows, Py_ssize_t at, Py_ssize_t count_) noexcept nogil:
    at += 1
    while at < count_ and not before(&rows[at], &rows[at - 1]):
        at += 1
    return at if at < count_ else count_
