"""A frame for a frontend → pieces to copy into pages that it has posted, and the responses that tell of them.

Law: response i answers request i, since frontends go by slots, not by ids; where an extra stands, its slot's page stays
unused and goes back with it. A packet is laid over as many requests as `needed` says, extras and headroom counted:
a backend that counts the data alone answers requests which are not there.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pvdrivers.abi.netif import NR_SLOTS_MIN, RX_REQUEST, RX_RESPONSE
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.net.frame import Frame
from pvdrivers.net.packet.offload import RX, count_extras, extras_of, flags_of
from pvdrivers.net.packet.slots import Place, Slot, pages


class Laid(NamedTuple):
    """A frame on its way into a frontend's pages.

    :param pieces: what is to be copied, in order
    :param responses: what answers the requests if all is copied
    :param extras: how many of them stand between the first piece's and the second's
    """

    pieces: tuple[Slot, ...]
    responses: tuple[bytes, ...]
    extras: int


def posted(messages: bytes) -> list[Place]:
    """Give the pages that RX requests post. There is nothing that could be wrong with one but its gref."""
    return [(ident, gref) for ident, _, gref in RX_REQUEST.struct.iter_unpack(messages)]


def longest(headroom: int = 0) -> int:
    """Give how many bytes a frame may have for any frontend that takes more than one slot.

    :param headroom: bytes that are left free before the data in each page, for a frontend's XDP
    """
    return NR_SLOTS_MIN * (PAGE_SIZE - headroom)


def needed(frame: Frame, headroom: int = 0) -> int:
    """Give how many requests a frame takes, each page filled. Its hash is told if it has one."""
    return pages(len(frame.data), PAGE_SIZE - headroom) + count_extras(frame.offload, frame.hash, headroom)


def lay(frame: Frame, places: Sequence[Place], headroom: int = 0) -> Laid:
    """Lay a frame over posted pages.

    :param places: as many as are `needed`
    :raises ValueError: they are not, or no frontend takes so long a frame, or one of nothing
    """
    size, room = len(frame.data), PAGE_SIZE - headroom
    if not 0 < size <= longest(headroom) or len(places) != needed(frame, headroom):
        raise ValueError(f"a frame of {size} bytes in {len(places)} slots, {headroom} bytes free in each")
    extras = extras_of(frame.offload, frame.hash, headroom)
    used = [places[0], *places[1 + len(extras) :]]
    pieces = tuple(
        # Unlike Linux's backend, which tells an offset of 0 and a length that includes the headroom.
        Slot(ident, gref, headroom, min(size - at, room))
        for (ident, gref), at in zip(used, range(0, size, room), strict=True)
    )
    flags = flags_of(RX, frame.offload) | (RX.extra_info if extras else 0)
    last = len(pieces) - 1
    first, *rest = (
        _response(slot, (0 if at else flags) | (RX.more_data if at < last else 0), slot.length)
        for at, slot in enumerate(pieces)
    )
    return Laid(pieces, (first, *extras, *rest), len(extras))


def respond(laid: Laid, statuses: Iterable[int]) -> bytes:
    """Form the responses to all requests that a frame was laid over, in their order.

    :param statuses: a GNTST for each of the pieces; negative ones are told in that piece's slot, as Linux does
    """
    responses = list(laid.responses)
    for at, (slot, status) in enumerate(zip(laid.pieces, statuses, strict=True)):
        if status:
            place = at + laid.extras if at else 0
            _, _, flags, _ = RX_RESPONSE.struct.unpack(responses[place])
            responses[place] = _response(slot, flags, status)
    return b"".join(responses)


def _response(slot: Slot, flags: int, status: int) -> bytes:
    return RX_RESPONSE.struct.pack(slot.id, slot.offset, flags, status)
