"""Requests under way, and the threads that do those that have to wait for the disk.

Inlined where it is used; needs no GIL.
"""

from libc.stdint cimport int16_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memcpy

from pvdrivers.block.back.plain.medium cimport iovec, transfer_waiting
from pvdrivers.block.back.plain.message cimport SECTOR, Asked

cdef extern from *:
    """
    #include <pthread.h>
    #include <unistd.h>
    """
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_cond_t:
        pass
    ctypedef long ssize_t
    ssize_t write(int fd, const void *data, size_t size) noexcept nogil
    int pthread_mutex_init(pthread_mutex_t *mutex, void *attributes) noexcept nogil
    int pthread_mutex_lock(pthread_mutex_t *mutex) noexcept nogil
    int pthread_mutex_unlock(pthread_mutex_t *mutex) noexcept nogil
    int pthread_cond_init(pthread_cond_t *condition, void *attributes) noexcept nogil
    int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) noexcept nogil
    int pthread_cond_signal(pthread_cond_t *condition) noexcept nogil
    int pthread_cond_broadcast(pthread_cond_t *condition) noexcept nogil

# A request, in one piece of memory with its segments.
cdef struct Job:
    Job *next
    void *lot           # that its pages were mapped with, or NULL
    uint8_t ident[8]
    uint8_t operation
    int16_t status
    uint64_t offset     # in the disk, in bytes
    uint64_t length
    uint32_t count      # segments
    iovec *buffers
    uint32_t *pages     # their places: of pages that are kept, or frames
    uint32_t *grefs     # where pages are not kept, as `starts`
    uint16_t *starts    # of each segment in its page, in bytes

# What is to be done by threads, and what they have done.
cdef struct Work:
    Job *waiting        # first and last
    Job *last
    Job *done
    uint32_t pending    # not collected; for the queue's thread alone
    bint ending
    int wake            # an eventfd, written to when there is something to collect
    int fd              # of the disk
    pthread_mutex_t mutex
    pthread_cond_t condition


cdef inline Job *make_job(const Asked *asked, const uint8_t *ident) noexcept nogil:
    """Make a job with room for its segments; whoever answers it frees it. NULL: no memory."""
    cdef Job *job = <Job *>calloc(
        1, sizeof(Job) + asked.count * (sizeof(iovec) + 2 * sizeof(uint32_t) + sizeof(uint16_t))
    )
    if job == NULL:
        return NULL
    job.buffers = <iovec *>(job + 1)
    job.pages = <uint32_t *>(job.buffers + asked.count)
    job.grefs = job.pages + asked.count
    job.starts = <uint16_t *>(job.grefs + asked.count)
    memcpy(job.ident, ident, 8)
    job.operation, job.count = asked.operation, asked.count
    job.offset, job.length = asked.sector * SECTOR, asked.length * SECTOR
    return job


cdef inline void prepare(Work *work) noexcept nogil:
    """Begin with nothing to do; the rest is zeros."""
    pthread_mutex_init(&work.mutex, NULL)
    pthread_cond_init(&work.condition, NULL)


cdef inline void give(Work *work, Job *job) noexcept nogil:
    """Have a job done by a thread, after those that were given before."""
    work.pending += 1
    pthread_mutex_lock(&work.mutex)
    if work.waiting == NULL:
        work.waiting = job
    else:
        work.last.next = job
    work.last = job
    pthread_cond_signal(&work.condition)
    pthread_mutex_unlock(&work.mutex)


cdef inline void toil(Work *work) noexcept nogil:
    """Do jobs in this thread, until `end`."""
    cdef Job *job
    cdef bint first
    cdef uint64_t one = 1
    while True:
        pthread_mutex_lock(&work.mutex)
        while work.waiting == NULL and not work.ending:
            pthread_cond_wait(&work.condition, &work.mutex)
        job = work.waiting
        if job != NULL:
            work.waiting = job.next
        pthread_mutex_unlock(&work.mutex)
        if job == NULL:
            return
        job.status = <int16_t>transfer_waiting(work.fd, job.operation, job.offset, job.count, job.buffers)
        pthread_mutex_lock(&work.mutex)
        first = work.done == NULL
        job.next = work.done
        work.done = job
        pthread_mutex_unlock(&work.mutex)
        if first:
            write(work.wake, &one, 8)


cdef inline Job *take_done(Work *work) noexcept nogil:
    """Take what threads have done, the last first."""
    cdef Job *done
    cdef Job *job
    pthread_mutex_lock(&work.mutex)
    done = work.done
    work.done = NULL
    pthread_mutex_unlock(&work.mutex)
    job = done
    while job != NULL:
        work.pending -= 1
        job = job.next
    return done


cdef inline void end(Work *work) noexcept nogil:
    """Let threads go, once nothing is left for them to do."""
    pthread_mutex_lock(&work.mutex)
    work.ending = True
    pthread_cond_broadcast(&work.condition)
    pthread_mutex_unlock(&work.mutex)
