"""A small cache before the counters: records that are alike are counted in one place, and added up once a piece.

Alike are those that make the same counts go up: same vCPU and header, of hypercalls the same number and argument, of
VM exits the same reason. How long exits took is kept by their place, and by its bucket in a cache of the same sort.
Each place holds one kind of record, and gives it up to the next that wants it, so that no input makes it grow.
Inlined where it is used; needs no GIL.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from traces.xen.formats.ids cimport (
    GRANT_TABLE_OP, HYPERCALL_OP_MASK, MMU_UPDATE, MMUEXT_OP, MULTICALL, PV_HYPERCALL_SUBCALL, PV_HYPERCALL_V2,
    SCHED_OP, VCPU_OP,
)

cdef enum:
    NEAR_BITS = 12
    NEAR_PLACES = 1 << NEAR_BITS
    SHAPES = 1 << 12
    # What ``shapes`` says.
    PLAIN_SHAPE = 0
    SPECIAL = 1             # wants more than to be counted
    ELSEWHERE = 2           # is never counted here, unless it is
    CHANGE = 3              # of a run state, which says who runs from then on
    CALL = 64
    EXITING = 128
    TOOK_BITS = 9
    TOOK_PLACES = 1 << TOOK_BITS
    # The rest of a count says that the hypercall goes on after a preemption (MMU_UPDATE_PREEMPTED).
    COUNT_MASK = 0x7FFFFFFF

cdef struct Near:
    uint64_t key            # who << 32 | header
    uint64_t call           # of a hypercall: argument << 32 | operation; of an exit: its reason
    uint64_t sum            # of the second words: of a batch, what was asked for
    uint32_t count          # since it was last added up
    uint16_t kind           # the user's own, like notifier
    uint16_t notifier

cdef struct End:
    # Of exits that are alike, those that ended since they were last added up: cycles together and the most.
    uint64_t sum
    uint64_t most
    uint32_t count
    bint known              # one has ended before, so that it is known where the first is

cdef struct Took:
    uint64_t key            # who << 32 | squeezed reason << BUCKET_BITS | bucket
    uint32_t table
    uint32_t count

cdef struct Nears:
    Near places[NEAR_PLACES]
    # Of the first two words of a record the bits that decide what counts go up: of hypercalls from ``CALL`` on, of
    # exits from ``EXITING`` on.
    uint64_t masks[EXITING + CALL]
    End ends[NEAR_PLACES]
    Took took[TOOK_PLACES]
    # Of events that look alike to ``shape_of``.
    uint8_t shapes[SHAPES]


cdef inline void prepare(Nears *n) noexcept nogil:
    """Fill in the constants; the rest is zeros."""
    cdef uint64_t *calls = &n.masks[<int>CALL]
    cdef int nr
    for nr in range(<int>CALL):
        calls[nr] = n.masks[<int>EXITING + nr] = 0xFFFFFFFF
    calls[<int>GRANT_TABLE_OP] = calls[<int>VCPU_OP] = calls[<int>SCHED_OP] = <uint64_t>-1
    calls[<int>MULTICALL] = calls[<int>MMU_UPDATE] = calls[<int>MMUEXT_OP] = ~(<uint64_t>COUNT_MASK << 32)
    shape_of(n, PV_HYPERCALL_V2)[0] = shape_of(n, PV_HYPERCALL_SUBCALL)[0] = CALL


cdef inline uint8_t *shape_of(Nears *n, uint32_t header) noexcept nogil:
    """What the event alone tells. No two that are common look alike, but for both hypercalls."""
    return &n.shapes[(header ^ header >> 12) & (SHAPES - 1)]


cdef inline uint64_t call_of(const Nears *n, uint8_t shape, const uint8_t *payload) noexcept nogil:
    """What a hypercall's record says of operation and argument, and an exit's of its reason; 0 for any other.

    Reads eight bytes of payload.

    Without branches, for which kind of record comes next is hard to foretell. Bits that mean nothing, as those behind
    a record that is too short, do no harm: they divide what is alike.
    """
    cdef uint64_t words
    memcpy(&words, payload, 8)
    return words & n.masks[(words & (CALL - 1)) | (shape & (CALL | EXITING))]


cdef inline Near *place_of(Nears *n, uint64_t key, uint64_t call) noexcept nogil:
    """Where such a record is counted; whether it is its place now, ``key`` and ``call`` there tell."""
    return &n.places[(key ^ (call << 8 | call >> 56)) * <uint64_t>0x9E3779B97F4A7C15 >> (64 - NEAR_BITS)]


cdef inline Took *took_of(Nears *n, uint64_t key, uint32_t table) noexcept nogil:
    """Where a time that took so long is counted; whether it is its place now, ``key`` and ``table`` there tell."""
    return &n.took[(key ^ <uint64_t>table << 56) * <uint64_t>0x9E3779B97F4A7C15 >> (64 - TOOK_BITS)]
