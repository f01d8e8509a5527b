"""What both ends of a ring have, see ``engine.pyx``; `logged` builds on it."""

from libc.stdint cimport uint8_t, uint32_t

cdef class _End:
    cdef Py_buffer view
    cdef bint held              # view is
    cdef uint8_t *slots
    cdef uint32_t *own_prod     # of what this end produces
    cdef uint32_t *own_event    # which of the peer's messages it wants to be notified of
    cdef uint32_t *peer_prod
    cdef uint32_t *peer_event
    cdef uint32_t count         # slots, a power of two
    cdef uint32_t stride        # bytes from slot to slot
    cdef uint32_t own_size      # bytes of a message that this end produces
    cdef uint32_t peer_size
    cdef uint32_t prod          # private producer: messages put
    cdef uint32_t pushed        # as far as the peer was told
    cdef uint32_t cons          # messages of the peer's taken
    # A front may be ahead of its peer's messages by a ring's slots, and a back not at all: it only answers.
    cdef uint32_t lead
    cdef uint32_t peer_lead

    cdef hold(self, memory, kind)
    cdef check(self)
    cdef uint32_t available(self) except? 0xFFFFFFFF
    cdef bint watch(self, _End other, uint32_t microseconds) noexcept nogil
    cdef void lay(self, const uint8_t *messages, uint32_t number) noexcept
    cdef uint32_t before_end(self, uint32_t index) noexcept
    cdef uint8_t *slot(self, uint32_t index) noexcept
    cdef bint ask(self, uint32_t after) except -1


cdef class Front(_End):
    pass


cdef class Back(_End):
    cdef join(self, memory, kind)
