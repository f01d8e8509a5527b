"""A backend's responses → frames in the pages that this frontend had posted.

Law: whatever the responses say, each of them gives back exactly the page that was posted in its slot, and belongs to
one packet. Nothing of a packet that is not whole is used.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pvdrivers.abi.netif import NR_SLOTS_MIN, RX_REQUEST, RX_RESPONSE
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.abi.wire import ETHERNET_SIZE
from pvdrivers.net.errors import BadPacket, Refusal
from pvdrivers.net.frame import PLAIN, FlowHash, Offload
from pvdrivers.net.packet.offload import MORE, RX, read_hash, read_headroom, read_offload, type_of
from pvdrivers.net.packet.slots import Place, Slot

#: A packet whose first slot has no more than headers may have one more; Linux puts those elsewhere.
_HEADERS = 256


class Received(NamedTuple):
    """A packet, or what became of it.

    :param messages: how many responses it has, and so many posted pages come back, in their order
    :param pieces: where the frame lies, in order; none if it is refused
    """

    messages: int
    pieces: tuple[Slot, ...] = ()
    offload: Offload = PLAIN
    hash: FlowHash | None = None
    refused: BadPacket | None = None


def post(places: Sequence[Place]) -> bytes:
    """Form requests that post pages, in their order."""
    return b"".join(RX_REQUEST.struct.pack(ident, 0, gref) for ident, gref in places)


def parse(responses: bytes, posted: Sequence[Place]) -> tuple[Received, ...]:
    """Parse responses, whatever they are; all that there are, since what follows an unfinished packet is another.

    :param responses: copies, one after the other
    :param posted: this frontend's own record of the page in each slot. Ids do not count: extras overlay them.
    :raises ValueError: there are not as many of both
    """
    messages = [responses[at : at + RX_RESPONSE.size] for at in range(0, len(responses), RX_RESPONSE.size)]
    if len(messages) != len(posted):
        raise ValueError(f"{len(messages)} responses to {len(posted)} requests")
    packets = []
    at = 0
    while at < len(messages):
        packet = _packet(messages, posted, at)
        packets.append(packet)
        at += packet.messages
    return tuple(packets)


def _packet(messages: Sequence[bytes], posted: Sequence[Place], start: int) -> Received:
    # Goes on to the packet's end whatever is wrong with it, or its rest would be taken for another.
    _, _, flags, head = RX_RESPONSE.struct.unpack(messages[start])
    wrong: list[BadPacket] = []
    extras: dict[int, bytes] = {}
    at = start + 1
    if flags & RX.extra_info:
        at = _extras(messages, at, extras, wrong)
    data, at = _data(messages, start, at, wrong)
    offload = _offload(flags, extras, wrong)
    pieces = _pieces(messages, posted, data, read_headroom(extras), wrong)
    size = sum(slot.length for slot in pieces)
    most = NR_SLOTS_MIN + (head <= _HEADERS)
    if len(data) > most:
        wrong.append(BadPacket(Refusal.RX_SLOTS, f"{len(data)} slots, of {most} at most"))
    if size < ETHERNET_SIZE:
        wrong.append(BadPacket(Refusal.RX_SHORT, f"{size} bytes, and a frame's header has {ETHERNET_SIZE}"))
    if wrong:
        return Received(at - start, refused=wrong[0])
    return Received(at - start, tuple(slot for slot in pieces if slot.length), offload, read_hash(extras))


def _extras(messages: Sequence[bytes], at: int, extras: dict[int, bytes], wrong: list[BadPacket]) -> int:
    # Gives where they end. Of two of one type, the last counts.
    while at < len(messages):
        extra = messages[at]
        at += 1
        try:
            extras[type_of(RX, extra)] = extra
        except BadPacket as error:
            wrong.append(error)
        if not extra[1] & MORE:
            return at
    wrong.append(BadPacket(Refusal.RX_EXTRA_MISSING, "an extra after the last response"))
    return at


def _data(messages: Sequence[bytes], start: int, at: int, wrong: list[BadPacket]) -> tuple[list[int], int]:
    # Gives which slots have data, and where they end.
    data = [start]
    while _more(messages[data[-1]]):
        if at == len(messages):
            wrong.append(BadPacket(Refusal.RX_UNFINISHED, f"more data than the {len(data)} slots that are there"))
            break
        data.append(at)
        at += 1
    return data, at


def _more(message: bytes) -> int:
    _, _, flags, _ = RX_RESPONSE.struct.unpack(message)
    return int(flags) & RX.more_data


def _offload(flags: int, extras: dict[int, bytes], wrong: list[BadPacket]) -> Offload:
    try:
        return read_offload(RX, flags, extras)
    except BadPacket as error:
        wrong.append(error)
        return PLAIN


def _pieces(
    messages: Sequence[bytes], posted: Sequence[Place], data: Sequence[int], headroom: int, wrong: list[BadPacket]
) -> list[Slot]:
    pieces = []
    for at in data:
        _, offset, _, status = RX_RESPONSE.struct.unpack(messages[at])
        # Linux's backend tells where the headroom begins, ours where the data does: either way it ends there.
        begin, end = max(offset, headroom), offset + status
        if status < 0:
            wrong.append(BadPacket(Refusal.RX_FAILED, f"status {status}"))
        elif end > PAGE_SIZE or end < begin:
            wrong.append(BadPacket(Refusal.RX_BEYOND_PAGE, f"bytes {begin} to {end} of a page of {PAGE_SIZE}"))
        else:
            ident, gref = posted[at]
            pieces.append(Slot(ident, gref, begin, end - begin))
    return pieces
