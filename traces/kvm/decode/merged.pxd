"""Streams of records in order of time: a heap of cursors, the earliest record on top."""

from libc.stdint cimport UINT64_MAX, uint32_t, uint64_t

from traces.kvm.decode.cursor cimport Cursor

cdef struct Merged:
    Cursor *cursors
    Py_ssize_t streams
    # Numbers of those that have a record, as a heap.
    uint32_t *heap
    Py_ssize_t heaped


cdef inline bint before(const Merged *m, uint32_t one, uint32_t other) noexcept nogil:
    cdef uint64_t a = m.cursors[one].ts, b = m.cursors[other].ts
    return a < b or (a == b and one < other)


cdef inline uint64_t until(const Merged *m) noexcept nogil:
    """Say from which time on another one may be earlier than the one on top: before, ``sink`` changes nothing."""
    cdef uint32_t next_
    if m.heaped < 2:
        return UINT64_MAX
    next_ = m.heap[1]
    if m.heaped > 2 and before(m, m.heap[2], next_):
        next_ = m.heap[2]
    return m.cursors[next_].ts


cdef inline void push(Merged *m, uint32_t i) noexcept nogil:
    """Take a stream in, which has found its first record."""
    cdef Py_ssize_t at = m.heaped, parent
    m.heaped += 1
    while at > 0:
        parent = (at - 1) // 2
        if not before(m, i, m.heap[parent]):
            break
        m.heap[at] = m.heap[parent]
        at = parent
    m.heap[at] = i


cdef inline void sink(Merged *m) noexcept nogil:
    """Put the top one where it belongs, which has found another record."""
    cdef uint32_t i = m.heap[0]
    cdef Py_ssize_t at = 0, child
    while True:
        child = 2 * at + 1
        if child >= m.heaped:
            break
        if child + 1 < m.heaped and before(m, m.heap[child + 1], m.heap[child]):
            child += 1
        if not before(m, m.heap[child], i):
            break
        m.heap[at] = m.heap[child]
        at = child
    m.heap[at] = i


cdef inline void pop(Merged *m) noexcept nogil:
    """Leave the top one out from now on."""
    m.heaped -= 1
    if m.heaped:
        m.heap[0] = m.heap[m.heaped]
        sink(m)
