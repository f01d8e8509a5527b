"""What both ways of doing plain requests have, see ``core.pyx``."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free

from pvdrivers.block.back.plain.job cimport Job, Work, take_done
from pvdrivers.block.back.plain.medium cimport Medium
from pvdrivers.block.back.plain.message cimport READ, SECTOR, Terms, answer

cdef class Core:
    cdef Terms terms
    cdef Medium medium
    cdef Work threads
    cdef Py_buffer disk             # where that is memory
    cdef uint8_t *answers           # room for a ring's responses
    cdef readonly uint64_t reads, writes, sectors_read, sectors_written, errors


cdef inline void count(Core core, uint8_t operation, uint64_t sectors, int status) noexcept nogil:
    if operation == READ:
        core.reads += 1
    else:
        core.writes += 1
    if status:
        core.errors += 1
    elif operation == READ:
        core.sectors_read += sectors
    else:
        core.sectors_written += sectors


cdef inline uint32_t finish(Core core, Job *job, uint32_t slot) noexcept nogil:
    """Answer a job and free it; give the next response's slot."""
    count(core, job.operation, job.length // <uint64_t>SECTOR, job.status)
    answer(&core.terms, core.answers, slot, job.ident, job.operation, job.status)
    free(job)
    return slot + 1


cdef inline Job *collected(Core core) noexcept nogil:
    """Take the jobs that threads have done."""
    cdef uint32_t pending = core.threads.pending
    cdef Job *done = take_done(&core.threads)
    core.medium.calls += pending - core.threads.pending
    return done


cdef inline bytes responses(Core core, uint32_t number):
    return PyBytes_FromStringAndSize(<char *>core.answers, number * core.terms.response_size)
