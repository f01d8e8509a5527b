"""The pages of one column, one behind the other, each with its header.

Inlined where it is used; needs no GIL.
Ref: parquet.thrift of apache/parquet-format, thrift-compact-protocol.md of apache/thrift
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy, memmove

from traces.exporters.parquet.dictionary cimport Dictionary
from traces.exporters.parquet.pack cimport SLACK, flags, repeated, zigzag

cdef enum:
    E_PLAIN = 0
    E_LEVELS = 3
    E_DELTA = 5
    E_DICTIONARY = 8
    # Bytes of a page's header, at most.
    HEADER_MAX = 40

cdef struct Column:
    uint8_t *pages
    Py_ssize_t used
    Py_ssize_t room
    Py_ssize_t head         # bytes of the last page's header: mostly the next one has as many
    Py_ssize_t waiting      # rows without a value, of which no page tells yet
    Py_ssize_t nulls
    Py_ssize_t values
    Py_ssize_t entries      # of the dictionary, that pages refer to
    bint has_plain
    bint has_coded          # by a dictionary, or as differences
    bint given_up           # the dictionary: its values do not repeat enough
    bint ranged
    uint64_t least
    uint64_t most
    Dictionary *dictionary


cdef inline uint8_t *room_for(Column *c, Py_ssize_t size) noexcept nogil:
    """Make room for a page; give where its body begins, NULL if there is no memory."""
    cdef Py_ssize_t wanted = c.used + HEADER_MAX + size + SLACK
    cdef void *grown
    if wanted > c.room:
        grown = realloc(c.pages, 2 * wanted)
        if grown == NULL:
            return NULL
        c.pages = <uint8_t *>grown
        c.room = 2 * wanted
    return c.pages + c.used + c.head


cdef inline uint8_t *levels(Column *c, uint8_t *at, const uint8_t *bits, Py_ssize_t rows, Py_ssize_t present) noexcept nogil:
    """Write which rows have a value: 30 bytes, and one for eight rows. Those that waited have none.

    bits   one for each row; not read where all have one
    """
    cdef uint8_t *begin = at
    cdef Py_ssize_t size
    at += 4
    if c.waiting:
        at = repeated(at, c.waiting, 0, 1)
    if rows:
        at = repeated(at, rows, 1, 1) if present == rows else flags(at, bits, rows)
    size = at - begin - 4
    memcpy(begin, &size, 4)
    return at


cdef inline void finish(Column *c, int encoding, Py_ssize_t rows, Py_ssize_t present, uint8_t *end) noexcept nogil:
    """Close the page that ``room_for`` began, with so many rows beside those that waited."""
    cdef uint8_t[HEADER_MAX] header
    cdef uint8_t *at = header
    cdef uint8_t *body = c.pages + c.used + c.head
    cdef Py_ssize_t size = end - body
    c.nulls += rows - present
    c.values += present
    rows += c.waiting
    c.waiting = 0
    # PageHeader: type, size, again, since nothing is compressed; DataPageHeader: rows, encoding, that of the levels.
    at = field(at, 1, 0)
    at = field(at, 1, size)
    at = field(at, 1, size)
    at[0] = 2 << 4 | 12
    at = field(at + 1, 1, rows)
    at = field(at, 1, encoding)
    at = field(at, 1, E_LEVELS)
    at = field(at, 1, E_LEVELS)
    at[0] = at[1] = 0
    at += 2
    if at - header != c.head:
        c.head = at - header
        memmove(c.pages + c.used + c.head, body, size)
    memcpy(c.pages + c.used, header, c.head)
    c.used += c.head + size
    if encoding == E_PLAIN:
        c.has_plain = True
    else:
        c.has_coded = True


cdef inline uint8_t *field(uint8_t *at, int step, Py_ssize_t value) noexcept nogil:
    at[0] = <uint8_t>(step << 4 | 5)
    return zigzag(at + 1, value)
