"""A ring's messages → requests that can be done; the first half of "parse, then execute".

Law: what is parsed is a copy that the frontend cannot change any more, and what comes out is valid: its segments are
within their pages, its sectors within the disk. Nothing here touches grants, disks or rings.

This is the specification of `message.pxd`, by which plain reads and writes are done at memory speed.

Ref: xen/include/public/io/blkif.h; where it leaves open what becomes of nonsense, Linux drivers/block/xen-blkback
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import NamedTuple

from pvdrivers.abi.blkif import (
    MAX_INDIRECT_PAGES_PER_REQUEST,
    MAX_SEGMENTS_PER_REQUEST,
    SECTOR_SIZE,
    SEGMENT,
    SEGMENTS_PER_INDIRECT_PAGE,
    Blkif,
    BlkifOp,
    Discard,
)
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.errors import BadRequest, Refusal
from pvdrivers.errors import MachineError, NotGranted

#: Segments of the longest request that the protocol has room for.
INDIRECT_MAX = SEGMENTS_PER_INDIRECT_PAGE * MAX_INDIRECT_PAGES_PER_REQUEST
SECTORS_PER_PAGE = PAGE_SIZE // SECTOR_SIZE

#: Copies as many bytes out of the beginnings of granted pages, once.
Fetch = Callable[[Sequence[tuple[int, int]]], bytes]
#: Of one request.
_Refuse = Callable[[int, Refusal, str], BadRequest]


class Segment(NamedTuple):
    """Part of a granted page, in bytes."""

    gref: int
    offset: int
    length: int


class Limits(NamedTuple):
    """What a backend does, and for how large a disk; all sectors are of 512 bytes, whatever ``sector_size`` is."""

    sectors: int
    sector_size: int = SECTOR_SIZE
    readonly: bool = False
    flush: bool = True
    discard: bool = True
    secure: bool = False
    max_indirect: int = 0


class Request(NamedTuple):
    """What is to be done.

    ``operation`` is READ, WRITE, WRITE_BARRIER, FLUSH_DISKCACHE or DISCARD, and goes into the response. Of an indirect
    request it is what that wraps: a frontend that is told INDIRECT gives the disk up, whatever blkif.h says.
    """

    ident: int
    operation: BlkifOp
    sector: int
    sectors: int
    segments: tuple[Segment, ...] = ()
    secure: bool = False

    @property
    def reads(self) -> bool:
        """Whether the frontend's pages are written to."""
        return self.operation == BlkifOp.READ


def parse(message: bytes, layout: Blkif, limits: Limits, fetch: Fetch = lambda _: b"") -> Request:
    """Parse one message.

    :param message: of ``layout.request.size`` bytes
    :param fetch: gives the segments of an indirect request; may raise `NotGranted` and `MachineError`. Without
        ``limits.max_indirect`` it is never asked
    :raises BadRequest: how it is to be answered instead
    """
    match message[0]:
        case BlkifOp.READ | BlkifOp.WRITE | BlkifOp.WRITE_BARRIER | BlkifOp.FLUSH_DISKCACHE:
            return _direct(message, layout, limits)
        case BlkifOp.INDIRECT:
            return _indirect(message, layout, limits, fetch)
        case BlkifOp.DISCARD:
            return _discard(message, layout, limits)
        case operation:
            raise _refusal(message, layout)(operation, Refusal.NO_OPERATION, f"operation {operation} is none")


def _refusal(message: bytes, layout: Blkif) -> _Refuse:
    # The id has its place in all messages.
    ident = int.from_bytes(message[layout.request.offsets["id"] :][:8], "little")
    return lambda operation, refusal, why: BadRequest(ident, operation, refusal, why)


def _direct(message: bytes, layout: Blkif, limits: Limits) -> Request:
    code, number, _, ident, sector, *_ = layout.request.struct.unpack(message)
    operation, refuse = BlkifOp(code), _refusal(message, layout)
    if number > MAX_SEGMENTS_PER_REQUEST:
        raise refuse(operation, Refusal.SEGMENTS, f"{number} segments, and room for {MAX_SEGMENTS_PER_REQUEST}")
    if operation in {BlkifOp.WRITE_BARRIER, BlkifOp.FLUSH_DISKCACHE}:
        if not limits.flush:
            raise refuse(operation, Refusal.NO_FLUSH, "this disk cannot be flushed")
        if not number:
            return Request(ident, operation, 0, 0)
    start = layout.request.offsets["seg"]
    return _transfer(refuse, ident, operation, sector, message[start : start + number * SEGMENT.size], limits)


def _indirect(message: bytes, layout: Blkif, limits: Limits, fetch: Fetch) -> Request:
    _, code, number, ident, sector, _, *rest = layout.indirect.struct.unpack(message[: layout.indirect.size])
    refuse = _refusal(message, layout)
    if not limits.max_indirect:
        raise refuse(code, Refusal.NO_INDIRECT, "indirect requests were not offered")
    if code not in {BlkifOp.READ, BlkifOp.WRITE}:
        raise refuse(code, Refusal.INDIRECT_OPERATION, f"an indirect request of operation {code}")
    if not 0 < number <= limits.max_indirect:
        raise refuse(code, Refusal.SEGMENTS, f"{number} indirect segments, of 1 to {limits.max_indirect}")
    left = number * SEGMENT.size
    wanted = [(gref, min(left - at, PAGE_SIZE)) for gref, at in zip(rest, range(0, left, PAGE_SIZE), strict=False)]
    try:
        table = fetch(wanted)
    except (NotGranted, MachineError) as error:
        raise refuse(code, Refusal.INDIRECT_PAGES, str(error)) from None
    return _transfer(refuse, ident, BlkifOp(code), sector, table, limits)


def _transfer(
    refuse: _Refuse,
    ident: int,
    operation: BlkifOp,
    sector: int,
    table: bytes,
    limits: Limits,
) -> Request:
    if operation != BlkifOp.READ and limits.readonly:
        raise refuse(operation, Refusal.READ_ONLY, "this disk is read-only")
    if not table:
        raise refuse(operation, Refusal.NO_SEGMENTS, "no segments")
    segments = []
    count = 0
    for gref, first, last in SEGMENT.struct.iter_unpack(table):
        if not first <= last < SECTORS_PER_PAGE:
            raise refuse(
                operation, Refusal.SECTORS_OF_PAGE, f"sectors {first} to {last} of a page of {SECTORS_PER_PAGE}"
            )
        segments.append(Segment(gref, first * SECTOR_SIZE, (last - first + 1) * SECTOR_SIZE))
        count += last - first + 1
    if wrong := _misplaced(sector, count, limits):
        raise refuse(operation, *wrong)
    return Request(ident, operation, sector, count, tuple(segments))


def _discard(message: bytes, layout: Blkif, limits: Limits) -> Request:
    _, flag, _, ident, sector, count = layout.discard.struct.unpack(message[: layout.discard.size])
    refuse = _refusal(message, layout)
    if not limits.discard:
        raise refuse(BlkifOp.DISCARD, Refusal.NO_DISCARD, "this disk discards nothing")
    if limits.readonly:
        raise refuse(BlkifOp.DISCARD, Refusal.READ_ONLY, "this disk is read-only")
    if not count:
        raise refuse(BlkifOp.DISCARD, Refusal.NOTHING, "nothing to discard")
    if wrong := _misplaced(sector, count, limits):
        raise refuse(BlkifOp.DISCARD, *wrong)
    if flag & Discard.SECURE and not limits.secure:
        # Linux's backend forgets the flag; but then what is told to be gone for good may be had back.
        raise refuse(BlkifOp.DISCARD, Refusal.NO_SECURE, "nothing is discarded for good here")
    return Request(ident, BlkifOp.DISCARD, sector, count, secure=bool(flag & Discard.SECURE))


def _misplaced(sector: int, count: int, limits: Limits) -> tuple[Refusal, str] | None:
    # What is wrong with a place on a disk.
    if sector + count > limits.sectors:
        return Refusal.BEYOND_END, f"{count} sectors at {sector} of a disk of {limits.sectors}"
    if (sector | count) % (limits.sector_size // SECTOR_SIZE):
        return Refusal.UNALIGNED, f"{count} sectors at {sector}, and the disk's are of {limits.sector_size} bytes"
    return None


def respond(layout: Blkif, ident: int, operation: int, status: int) -> bytes:
    """Form a response; nothing in it is left as it was."""
    packer: Struct = layout.response.struct
    return packer.pack(ident, operation, status)
