"""Requests of the block protocol, whatever they say: nothing is checked here.

Ref: xen/include/public/io/blkif.h
"""

from collections.abc import Sequence
from typing import NamedTuple

from pvdrivers.abi.blkif import SEGMENT, Blkif, BlkifOp

#: Gref, first and last sector of each.
Segments = Sequence[tuple[int, int, int]]


class Answer(NamedTuple):
    """A response."""

    ident: int
    operation: int
    status: int


def direct(
    layout: Blkif, operation: int, ident: int, sector: int, segments: Segments, number: int | None = None
) -> bytes:
    """Form a request; ``number`` is what it says of its segments, whatever they are."""
    flat = [word for segment in segments for word in segment][:33]
    number = len(segments) if number is None else number
    flat += [0] * (33 - len(flat))
    return layout.request.struct.pack(operation, number, 0, ident, sector, *flat)


def indirect(layout: Blkif, inner: int, ident: int, sector: int, number: int, grefs: Sequence[int]) -> bytes:
    """Form an indirect request, of pages of segments."""
    padded = [*grefs, *[0] * (8 - len(grefs))]
    padding = [0] if "pad" in layout.indirect.offsets else []
    fields = [BlkifOp.INDIRECT, inner, number, ident, sector, 0, *padded, *padding]
    return layout.indirect.struct.pack(*fields).ljust(layout.request.size, b"\0")


def discard(layout: Blkif, ident: int, sector: int, count: int, flag: int = 0) -> bytes:
    """Form a request to discard."""
    return layout.discard.struct.pack(BlkifOp.DISCARD, flag, 0, ident, sector, count).ljust(layout.request.size, b"\0")


def table(segments: Segments) -> bytes:
    """Form what a page of an indirect request holds."""
    return b"".join(SEGMENT.struct.pack(*segment) for segment in segments)


def named(layout: Blkif, message: bytes) -> tuple[int, int]:
    """Give what a request's response has to name: its id, and its operation, or the one that it wraps."""
    place = layout.request.offsets["id"]
    operation = message[1] if message[0] == BlkifOp.INDIRECT else message[0]
    return int.from_bytes(message[place : place + 8], "little"), operation
