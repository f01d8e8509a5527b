"""What ``lane`` hands to ``fold``: the few records that mean something only in order of time over all pCPUs."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset

from traces.counting.states cimport PCPUS

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

cdef enum:
    # What is told late, as an exit whose vCPU leaves, is older than some of its pCPU's rows, but not than many.
    BACK_MAX = 16

cdef struct Rows:
    # Those of a lane that wait for their turn.
    Row *rows
    Py_ssize_t count
    Py_ssize_t room
    Row *out                # where those lie that were handed out last, and room to sort in
    Py_ssize_t out_room
    bint jumbled            # they are not in order, as those of several pCPUs are not
    bint starved            # of memory


cdef inline void put(Rows *of, uint16_t pcpu, int kind, uint64_t tsc, uint64_t offset, uint32_t who, uint32_t arg,
                     uint64_t since, int old, int new) noexcept nogil:
    """Add a row where it belongs, if that is near: rows in order need not be sorted."""
    cdef Row *row
    cdef int back = 0
    if of.count == of.room:
        row = <Row *>realloc(of.rows, (2 * of.room + 4096) * sizeof(Row))
        if row == NULL:
            of.starved = True
            return
        of.rows = row
        of.room = 2 * of.room + 4096
    row = &of.rows[of.count]
    of.count += 1
    while row > of.rows and ((row - 1).tsc > tsc or ((row - 1).tsc == tsc and (row - 1).offset > offset)):
        if back == BACK_MAX or (row - 1).pcpu != pcpu:
            of.jumbled = True
            break
        row[0] = (row - 1)[0]
        row -= 1
        back += 1
    row.tsc = tsc
    row.offset = offset
    row.since = since
    row.who = who
    row.arg = arg
    row.pcpu = pcpu
    row.kind = <uint8_t>kind
    row.old = <uint8_t>old
    row.new = <uint8_t>new


cdef inline Row *handed_out(Rows *of, uint64_t limit, Py_ssize_t *ready) noexcept nogil:
    """Give the rows up to a time stamp, in order of time and then of the file, and how many; valid until the next call.

    NULL where there is no memory, or there are none.
    """
    cdef Row *out
    cdef Py_ssize_t room = 2 * of.count if of.jumbled else of.count
    ready[0] = 0
    if of.count == 0:
        return NULL
    if of.out_room < room:
        free(of.out)
        of.out_room = 2 * of.room
        of.out = <Row *>malloc(of.out_room * sizeof(Row))
        if of.out == NULL:
            of.out_room = 0
            of.starved = True
            return NULL
    if of.jumbled:
        ready[0] = part(of, limit)
        of.jumbled = of.count > 0 and run_end(of.rows, 0, of.count) < of.count
        return order(of.out, of.out + ready[0], ready[0])
    # Where they lie, so that only those that stay are copied.
    ready[0] = up_to(of, limit)
    of.count -= ready[0]
    memcpy(of.out, of.rows + ready[0], of.count * sizeof(Row))
    out, room = of.rows, of.room
    of.rows, of.room = of.out, of.out_room
    of.out, of.out_room = out, room
    return out


cdef inline Py_ssize_t part(Rows *of, uint64_t limit) noexcept nogil:
    """Move rows up to the limit out of the way, pCPU by pCPU, since each one's are in order; the others stay."""
    cdef Py_ssize_t i, moved = 0, kept = 0
    cdef Py_ssize_t ends[PCPUS]
    cdef uint32_t p, highest = 0
    memset(ends, 0, sizeof(ends))
    for i in range(of.count):
        if of.rows[i].tsc <= limit:
            ends[of.rows[i].pcpu] += 1
            if of.rows[i].pcpu > highest:
                highest = of.rows[i].pcpu
    for p in range(highest + 1):
        # Where the next of its rows goes.
        i = ends[p]
        ends[p] = moved
        moved += i
    for i in range(of.count):
        if of.rows[i].tsc <= limit:
            of.out[ends[of.rows[i].pcpu]] = of.rows[i]
            ends[of.rows[i].pcpu] += 1
        else:
            of.rows[kept] = of.rows[i]
            kept += 1
    of.count = kept
    return moved


cdef inline Py_ssize_t up_to(const Rows *of, uint64_t limit) noexcept nogil:
    """Count the rows up to a time stamp, of rows in order."""
    cdef Py_ssize_t low = 0, high = of.count, middle
    while low < high:
        middle = (low + high) // 2
        if of.rows[middle].tsc <= limit:
            low = middle + 1
        else:
            high = middle
    return low


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
