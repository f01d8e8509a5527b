"""A frame in a frontend's pages → requests to send it, and what a backend's answers to them mean.

Law: what a backend answers gives back only what was asked of it, and only once.
"""

from collections.abc import Container, Sequence
from typing import NamedTuple

from pvdrivers.abi.netif import (
    EXTRA_MCAST,
    MAX_TX_SIZE,
    NR_SLOTS_MIN,
    TX_REQUEST,
    TX_RESPONSE,
    ExtraType,
    NetifRsp,
)
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.abi.wire import ETHERNET_SIZE
from pvdrivers.net.errors import BadPacket, Refusal
from pvdrivers.net.frame import PLAIN, FlowHash, Frame, Offload
from pvdrivers.net.packet.offload import TX, count_extras, extras_of, flags_of
from pvdrivers.net.packet.slots import Place, Slot, pages

_NULL, _OKAY = int(NetifRsp.NULL), int(NetifRsp.OKAY)


class Answered(NamedTuple):
    """What a backend has answered.

    :param ids: of requests whose pages may be used again
    :param failed: those of them that were not sent, as the backend says; a packet is whole without them only
    :param extras: how many slots of extras came back
    """

    ids: tuple[int, ...]
    failed: tuple[int, ...]
    extras: int


def needed(frame: Frame) -> int:
    """Give how many slots of the ring a frame takes, in pages of its own."""
    return pages(len(frame.data)) + count_extras(frame.offload, frame.hash)


def over(size: int, places: Sequence[Place]) -> tuple[Slot, ...]:
    """Lay bytes over pages, each from its beginning.

    :param places: as many as the bytes need
    """
    slots = zip(places, range(0, size, PAGE_SIZE), strict=True)
    return tuple(Slot(ident, gref, 0, min(size - at, PAGE_SIZE)) for (ident, gref), at in slots)


def requests(slots: Sequence[Slot], offload: Offload = PLAIN, flow: FlowHash | None = None) -> bytes:
    """Form the requests for a frame.

    :param slots: where it lies
    :raises ValueError: it is too short, too long or in too many pieces for any backend
    """
    size = sum(slot.length for slot in slots)
    if not ETHERNET_SIZE <= size <= MAX_TX_SIZE or len(slots) > NR_SLOTS_MIN:
        raise ValueError(f"a frame of {size} bytes in {len(slots)} slots")
    extras = extras_of(offload, flow)
    flags = flags_of(TX, offload) | (TX.extra_info if extras else 0)
    first, *rest = slots
    # The first slot tells the size of all.
    messages = [_request(first, flags | (TX.more_data if rest else 0), size), *map(_padded, extras)]
    messages += [_request(slot, TX.more_data, slot.length) for slot in rest[:-1]]
    messages += [_request(slot, 0, slot.length) for slot in rest[-1:]]
    return b"".join(messages)


def multicast(ident: int, address: bytes, *, add: bool) -> bytes:
    """Form the request to add an address to the list of those that frames are wanted for, or to delete it.

    :param ident: of a request that has no page
    """
    kind = ExtraType.MCAST_ADD if add else ExtraType.MCAST_DEL
    extra = EXTRA_MCAST.struct.pack(kind, 0, address)
    return _request(Slot(ident, 0, 0, 0), TX.extra_info, 0) + _padded(extra)


def answered(responses: bytes, pending: Container[int], extras: int) -> Answered:
    """Tell what was answered, in any order. A status that is none means that the packet was not sent.

    :param responses: one after the other
    :param pending: ids of requests that are not answered
    :param extras: how many slots of extras are not answered; they have no id
    :raises BadPacket: what was answered was not asked: its page, in another's use by now, would be given back twice
    """
    ids: dict[int, int] = {}
    nulls = 0
    for ident, status in TX_RESPONSE.struct.iter_unpack(responses):
        if status == _NULL:
            nulls += 1
            if nulls > extras:
                # Linux passes over it, and the request is never answered.
                raise BadPacket(Refusal.TX_NO_EXTRA, f"{nulls} extras answered, of {extras}")
        elif ident in ids or ident not in pending:
            raise BadPacket(Refusal.TX_NOT_PENDING, f"request {ident} answered with {status}, and nobody asked")
        else:
            ids[ident] = status
    return Answered(tuple(ids), tuple(ident for ident, status in ids.items() if status != _OKAY), nulls)


def _request(slot: Slot, flags: int, size: int) -> bytes:
    return TX_REQUEST.struct.pack(slot.gref, slot.offset, flags, slot.id, size)


def _padded(extra: bytes) -> bytes:
    return extra.ljust(TX_REQUEST.size, b"\0")
