# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Pages cut into records, for whoever wants each of them."""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memset

from traces.kvm.decode.cursor cimport Cursor, advance


def records(bytes piece not None, Py_ssize_t page_size, uint64_t before=0):
    """Cut some whole pages of a processor.

    :param before: the time of its last record
    :returns: of each record its time, where in the piece it begins, and how many bytes it has; and the last time
    """
    cdef Cursor c
    cdef const uint8_t[::1] view
    found = []
    if not piece:
        return found, before
    memset(&c, 0, sizeof(c))
    view = piece
    c.data = &view[0]
    c.size = len(piece)
    c.page_size = page_size
    c.ts = before
    while advance(&c):
        found.append((c.ts, c.record - c.data, c.length))
    return found, c.ts
