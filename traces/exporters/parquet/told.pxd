"""What records with one header are told apart by, read without branches: which comes next is hard to foretell.

The same as ``exporters.details.told_by`` and ``selector`` have it, or finer. Inlined where it is used.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from traces.xen.formats.ids cimport GRANT_TABLE_OP, HYPERCALL_OP_MASK, MMU_UPDATE, MMUEXT_OP, SCHED_OP, VCPU_OP

cdef enum:
    CALLS = 64
    # In ``masks``: of hypercalls with an argument, by their number; of those without; of fields, by their size.
    WITH_ARGUMENT = 0
    WITHOUT = CALLS
    BY_SIZE = 2 * CALLS
    MASKS = 2 * CALLS + 9
    # Of a preempted hypercall, see ``exporters.details``.
    CMD_MASK = 0xFFF
    # Where the first argument begins in both words.
    ARGUMENT = 32
    # No hypercall has this number.
    NEVER = 0x0FFFFFFF

cdef struct Shape:
    # Of records with this header, without its flag for a time stamp.
    uint32_t header
    uint16_t masks          # where its part of them begins
    uint32_t grant_op       # the number of grant table operations, where they may be; else NEVER
    uint8_t selects         # bits of a hypercall's number
    uint8_t offset


cdef inline void prepare(uint64_t *masks) noexcept nogil:
    cdef int i
    for i in range(CALLS):
        masks[WITH_ARGUMENT + i] = masks[WITHOUT + i] = 0xFFFFFFFF
    masks[<int>GRANT_TABLE_OP] |= <uint64_t>CMD_MASK << ARGUMENT
    masks[<int>VCPU_OP] |= <uint64_t>CMD_MASK << ARGUMENT
    masks[<int>SCHED_OP] |= <uint64_t>CMD_MASK << ARGUMENT
    # Whether a batch goes on.
    masks[<int>MMU_UPDATE] |= <uint64_t>1 << 63
    masks[<int>MMUEXT_OP] |= <uint64_t>1 << 63
    masks[BY_SIZE] = 0
    for i in range(1, 9):
        masks[BY_SIZE + i] = <uint64_t>-1 >> (64 - 8 * i)


cdef inline uint64_t told_of(const Shape *shape, const uint64_t *masks, const uint8_t *payload) noexcept nogil:
    """What a record is told by. Reads eight bytes of it from ``offset`` on, wherever it ends."""
    cdef uint64_t words, told, goes_on
    memcpy(&words, payload + shape.offset, 8)
    told = words & masks[shape.masks + (words & shape.selects)]
    # A grant table operation that has come somewhere already; how far does not matter.
    goes_on = ((words & HYPERCALL_OP_MASK) == shape.grant_op) & (words >> (ARGUMENT + 12) != 0)
    return told | goes_on << 63
