# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Pages of a frontend's queue that are granted once and used again and again, each under the id of its number.

Law: a backend may read and write them at any time. They were zeros, and hold nothing but what was sent to that backend
or came from it; what came is copied before anybody looks at it.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free

from pvdrivers.abi.ring import PAGE_SIZE

cdef enum:
    PAGE = 4096

if PAGE_SIZE != PAGE:
    raise ImportError("the pool was compiled for other pages")


cdef class Pool:
    """Some pages.

    :param domid: the backend's
    :param writable: whether the backend may write to them
    :raises MachineError: there are not so many
    """

    def __init__(self, transport, domid, uint32_t pages, *, writable):
        cdef uint32_t i
        self.refs = <uint32_t *>calloc(max(pages, 1), sizeof(uint32_t))
        self.stack = <uint32_t *>calloc(max(pages, 1), sizeof(uint32_t))
        if self.refs == NULL or self.stack == NULL:
            raise MemoryError
        self.grant = transport.grant(domid, pages, writable=writable)
        PyObject_GetBuffer(self.grant.memory, &self.memory, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.held = True
        if self.memory.len < <Py_ssize_t>pages * PAGE:
            raise ValueError(f"{pages} pages in {self.memory.len} bytes")
        for i in range(pages):
            self.refs[i] = self.grant.grefs[i]
            # The first is taken first.
            self.stack[i] = pages - 1 - i
        self.pages = self.count = pages

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.memory)
        free(self.refs)
        free(self.stack)

    cdef uint32_t pop(self) noexcept nogil:
        # There is one, as whoever calls has seen.
        self.count -= 1
        return self.stack[self.count]

    cdef bint push(self, uint32_t number) noexcept nogil:
        # False: there is no such page, or no more that could be free.
        if number >= self.pages or self.count == self.pages:
            return False
        self.stack[self.count] = number
        self.count += 1
        return True

    cdef uint8_t *page(self, uint32_t number) noexcept nogil:
        return <uint8_t *>self.memory.buf + <size_t>number * PAGE

    @property
    def grefs(self):
        """Each page's reference."""
        return self.grant.grefs

    @property
    def free(self):
        """How many are not in use."""
        return self.count

    def take(self, uint32_t count):
        """Take pages, as many as are free at most; each is its id and its gref.

        :raises IndexError: there are not so many
        """
        if count > self.count:
            raise IndexError(f"{count} pages of {self.count}")
        numbers = [self.pop() for _ in range(count)]
        return [(number, self.refs[<uint32_t>number]) for number in numbers]

    def give(self, numbers):
        """Give pages back that were taken.

        :raises ValueError: they were not
        """
        for number in numbers:
            if not self.push(number):
                raise ValueError(f"page {number} of {self.pages}, {self.count} of them free")

    def write(self, data, slots):
        """Lay bytes into slots, one after the other."""
        memory = memoryview(self.grant.memory)
        at = 0
        for slot in slots:
            start = slot.id * PAGE + slot.offset
            memory[start : start + slot.length] = data[at : at + slot.length]
            at += slot.length

    def read(self, slots):
        """Copy what slots hold."""
        memory = memoryview(self.grant.memory)
        starts = ((slot.id * PAGE + slot.offset, slot.length) for slot in slots)
        return b"".join([memory[start : start + length] for start, length in starts])

    def close(self):
        """Take them back: a backend that still has some mapped keeps those, and they are used no more.

        :raises MachineError: the transport is gone
        """
        if self.held:
            self.held = False
            self.pages = self.count = 0
            PyBuffer_Release(&self.memory)
        self.grant.revoke()
