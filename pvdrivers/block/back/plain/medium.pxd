"""What a disk is to compiled code, memory, nothing or a file, read and written; the reference is `execute`.

Law: what is asked for lies within the disk and is aligned. What a file has at hand is had at once. Where a file system
cannot say whether a call would wait (most, of writes), it is found out: as long as calls take no longer than handing
over to a thread, threads are left out.

Inlined where it is used; needs no GIL.
"""

from libc.errno cimport EINVAL, EOPNOTSUPP, errno
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from pvdrivers.block.back.plain.message cimport ERROR, READ
from pvdrivers.ring.atomics cimport nanoseconds

cdef extern from *:
    """
    #include <sys/types.h>
    #include <sys/uio.h>
    ssize_t preadv2(int, const struct iovec *, int, off_t, int);
    ssize_t pwritev2(int, const struct iovec *, int, off_t, int);
    #ifndef RWF_NOWAIT
    #define RWF_NOWAIT 8
    #endif
    """
    ctypedef struct iovec "struct iovec":
        void *iov_base
        size_t iov_len
    ctypedef long ssize_t
    ctypedef long off_t
    int RWF_NOWAIT
    ssize_t preadv2(int fd, const iovec *iov, int count, off_t offset, int flags) noexcept nogil
    ssize_t pwritev2(int fd, const iovec *iov, int count, off_t offset, int flags) noexcept nogil

cdef enum:
    # As `disks.base.Kind`.
    NULL_DISK = 1
    MEMORY_DISK = 2
    FILE_DISK = 3
    IOV_LIMIT = 1024
    LONG = 1000000          # nanoseconds: a call that took longer has waited
    REST = 4                # calls that threads get then; twice as many after the next one that waits at once
    REST_MAX = 128
    WAITS = 1               # no status: it would have to wait

cdef struct Medium:
    int kind
    int fd
    uint8_t *memory
    bint blind_reading      # the file system cannot say whether it would have to wait
    bint blind_writing
    uint32_t rest           # calls that threads get before one of those is tried again
    uint32_t rests          # what that was the last time, as long as each has waited
    uint64_t calls          # to the kernel


cdef inline int transfer(
    Medium *medium, uint8_t operation, uint64_t offset, uint64_t length, uint32_t count, iovec *buffers
) noexcept nogil:
    """Read or write at once; a status, or WAITS.

    offset, length   in bytes
    """
    cdef uint8_t *at
    cdef uint32_t i
    if medium.kind == MEMORY_DISK:
        at = medium.memory + offset
        for i in range(count):
            if operation == READ:
                memcpy(buffers[i].iov_base, at, buffers[i].iov_len)
            else:
                memcpy(at, buffers[i].iov_base, buffers[i].iov_len)
            at += buffers[i].iov_len
        return 0
    if medium.kind == NULL_DISK:
        if operation == READ:
            for i in range(count):
                memset(buffers[i].iov_base, 0, buffers[i].iov_len)
        return 0
    if count > IOV_LIMIT:
        return WAITS
    if medium.blind_reading if operation == READ else medium.blind_writing:
        return venture(medium, operation, offset, length, count, buffers)
    cdef ssize_t moved = call(medium, operation, offset, count, buffers, RWF_NOWAIT)
    if moved == <ssize_t>length:
        return 0
    # What was moved in part is moved again.
    if moved < 0 and (errno == EOPNOTSUPP or errno == EINVAL):
        if operation == READ:
            medium.blind_reading = True
        else:
            medium.blind_writing = True
        return venture(medium, operation, offset, length, count, buffers)
    return WAITS


cdef inline int venture(
    Medium *medium, uint8_t operation, uint64_t offset, uint64_t length, uint32_t count, iovec *buffers
) noexcept nogil:
    # Where it does wait, it has the whole queue wait, which is why it is not tried again for a while.
    if medium.rest:
        medium.rest -= 1
        return WAITS
    cdef uint64_t began = nanoseconds()
    cdef ssize_t moved = call(medium, operation, offset, count, buffers, 0)
    if nanoseconds() - began > LONG:
        medium.rest = medium.rests = min(max(2 * medium.rests, <uint32_t>REST), <uint32_t>REST_MAX)
    else:
        medium.rests = 0
    return 0 if moved == <ssize_t>length else WAITS


cdef inline ssize_t call(
    Medium *medium, uint8_t operation, uint64_t offset, uint32_t count, iovec *buffers, int flags
) noexcept nogil:
    medium.calls += 1
    if operation == READ:
        return preadv2(medium.fd, buffers, <int>count, <off_t>offset, flags)
    return pwritev2(medium.fd, buffers, <int>count, <off_t>offset, flags)


cdef inline int transfer_waiting(
    int fd, uint8_t operation, uint64_t offset, uint32_t count, iovec *buffers
) noexcept nogil:
    """Read or write a file, however long that takes, and changing the buffers; a status. For any thread."""
    cdef uint32_t at = 0, some
    cdef ssize_t moved
    while at < count:
        some = min(count - at, <uint32_t>IOV_LIMIT)
        if operation == READ:
            moved = preadv2(fd, buffers + at, <int>some, <off_t>offset, 0)
        else:
            moved = pwritev2(fd, buffers + at, <int>some, <off_t>offset, 0)
        if moved <= 0:
            return ERROR
        # The rest, where a call moved less than it was asked to.
        offset += moved
        while moved and moved >= <ssize_t>buffers[at].iov_len:
            moved -= buffers[at].iov_len
            at += 1
        if moved:
            buffers[at].iov_base = <uint8_t *>buffers[at].iov_base + moved
            buffers[at].iov_len -= moved
    return 0
