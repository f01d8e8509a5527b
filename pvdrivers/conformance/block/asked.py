"""What a frontend under test asks for: its requests taken apart, and whether it keeps to what it was offered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pvdrivers.abi.blkif import (
    MAX_SEGMENTS_PER_REQUEST,
    SEGMENT,
    SEGMENTS_PER_INDIRECT_PAGE,
    Blkif,
    BlkifOp,
)
from pvdrivers.conformance.observation import Noticed, Observation

#: Copies the first bytes of a page that the frontend granted.
Fetch = Callable[[int, int], bytes]


@dataclass(frozen=True)
class Offered:
    """What a backend said that it does, as far as requests have to keep to it."""

    sectors: int
    indirect: int = 0
    flush: bool = False
    barrier: bool = False
    discard: bool = False


@dataclass(frozen=True)
class Asked:
    """A request.

    :param operation: what its response names: of an indirect one, what that wraps
    :param segments: gref, first and last sector of each
    :param pages: pages that it names besides those: of segments
    """

    ident: int
    operation: int
    sector: int
    count: int
    segments: Sequence[tuple[int, int, int]] = ()
    pages: Sequence[int] = ()


def asked(message: bytes, layout: Blkif, offered: Offered, fetch: Fetch) -> Asked:
    """Take a request apart.

    :raises Noticed: it asks for what was not offered, or cannot be
    """
    match message[0]:
        case BlkifOp.INDIRECT:
            request = _indirect(message, layout, offered, fetch)
        case BlkifOp.DISCARD:
            _, _, _, ident, sector, count = layout.discard.struct.unpack(message[: layout.discard.size])
            request = Asked(ident, BlkifOp.DISCARD, sector, count)
        case operation:
            _, number, _, ident, sector, *flat = layout.request.struct.unpack(message)
            if number > MAX_SEGMENTS_PER_REQUEST or (not number and operation in {BlkifOp.READ, BlkifOp.WRITE}):
                raise _strayed(f"a request of {number} segments")
            segments = tuple(zip(flat[: 3 * number : 3], flat[1::3], flat[2::3], strict=False))
            request = Asked(ident, operation, sector, _count(segments), segments)
    _check(request, offered)
    return request


def _indirect(message: bytes, layout: Blkif, offered: Offered, fetch: Fetch) -> Asked:
    _, inner, number, ident, sector, _, *grefs = layout.indirect.struct.unpack(message[: layout.indirect.size])
    if not 0 < number <= offered.indirect:
        raise _strayed(f"an indirect request of {number} segments, of {offered.indirect} that were offered")
    pages = grefs[: -(-number // SEGMENTS_PER_INDIRECT_PAGE)]
    left = number * SEGMENT.size
    table = b"".join(fetch(gref, min(left - 4096 * at, 4096)) for at, gref in enumerate(pages))
    segments = tuple(SEGMENT.struct.iter_unpack(table))
    return Asked(ident, inner, sector, _count(segments), segments, tuple(pages))


def _count(segments: Sequence[tuple[int, int, int]]) -> int:
    for _, first, last in segments:
        if not first <= last <= 7:
            raise _strayed(f"sectors {first} to {last} of a page")
    return sum(last - first + 1 for _, first, last in segments)


def _check(request: Asked, offered: Offered) -> None:
    allowed = {
        BlkifOp.READ: True,
        BlkifOp.WRITE: True,
        BlkifOp.FLUSH_DISKCACHE: offered.flush,
        BlkifOp.WRITE_BARRIER: offered.barrier,
        BlkifOp.DISCARD: offered.discard,
    }
    if not allowed.get(BlkifOp(request.operation) if request.operation in set(BlkifOp) else BlkifOp.RESERVED_1, False):
        raise _strayed(f"operation {request.operation}, which was not offered")
    if request.count and request.sector + request.count > offered.sectors:
        raise _strayed(f"{request.count} sectors at {request.sector} of a disk of {offered.sectors}")


def _strayed(why: str) -> Noticed:
    return Noticed(Observation.STRAYED, f"it asks for {why}")
