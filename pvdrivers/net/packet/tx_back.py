"""What a frontend sends → packets that can be copied, and how their slots are answered.

Law: what comes out is valid: its slots lie within their pages, and make up its size exactly.

The first slot says the whole packet's size; what of that is its own is what the following slots leave. Nothing is
assumed of how a packet is spread over its slots, its headers above all: a backend that took them to be in the first
wrote beyond its buffer, or crashed (XSA-423), and so did what mended that, when they lay in many (XSA-432).
"""

from collections.abc import Sequence
from typing import NamedTuple

from pvdrivers.abi.netif import (
    EXTRA,
    EXTRA_MCAST,
    NR_SLOTS_MIN,
    TX_REQUEST,
    TX_RESPONSE,
    ExtraType,
    NetifRsp,
)
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.abi.wire import ETHERNET_SIZE
from pvdrivers.net.errors import BadPacket, Refusal
from pvdrivers.net.frame import PLAIN, FlowHash, Offload
from pvdrivers.net.packet.offload import MORE, TX, read_hash, read_offload, type_of
from pvdrivers.net.packet.slots import Slot

#: Slots that may follow the first; with more, a packet is dropped.
FOLLOWING_MAX = NR_SLOTS_MIN
#: With more than these, nobody's packet is this any more: the queue ends. Linux's default of ``fatal_skb_slots``.
FOLLOWING_FATAL = 20
#: Extras of a packet: one of each type. Linux goes on to the ring's end.
EXTRAS_MAX = len(ExtraType) - 1
#: Messages of the longest packet that is not fatal; fewer than a ring has, so that an unfinished one never fills it.
LONGEST = 1 + EXTRAS_MAX + FOLLOWING_FATAL

_ADD, _DELETE = int(ExtraType.MCAST_ADD), int(ExtraType.MCAST_DEL)
_OKAY, _ERROR = int(NetifRsp.OKAY), int(NetifRsp.ERROR)
_NULL = TX_RESPONSE.struct.pack(0, NetifRsp.NULL)


class Multicast(NamedTuple):
    """A change to the list of multicast addresses that a frontend wants frames for."""

    add: bool
    #: Of six bytes.
    address: bytes


class Packet(NamedTuple):
    """A packet, or what its frontend is to be told instead.

    :param slots: those with data, the first first; of nothing that is to be copied, they have no bytes
    :param extras: how many slots stand between the first of them and the second
    :param size: bytes, as many as the slots have
    :param multicast: it is no packet, but this
    :param refused: nothing is to be done with it, but to answer it
    """

    slots: tuple[Slot, ...]
    extras: int
    size: int = 0
    offload: Offload = PLAIN
    hash: FlowHash | None = None
    multicast: Multicast | None = None
    refused: BadPacket | None = None

    @property
    def messages(self) -> int:
        """How many slots of the ring it has, and so many answers."""
        return len(self.slots) + self.extras

    @property
    def pieces(self) -> list[Slot]:
        """What is to be copied, in order. A slot of no bytes is none: copies of none were a crash once (XSA-448)."""
        return [slot for slot in self.slots if slot.length]


class Taken(NamedTuple):
    """What a frontend's messages are.

    :param left: messages after those of the packets. Without ``fatal`` they are an unfinished packet's beginning,
        which is to be parsed again with what follows.
    :param fatal: what is wrong with the packet that they begin: the queue is to end
    """

    packets: tuple[Packet, ...]
    left: int
    fatal: BadPacket | None


def parse(messages: bytes) -> Taken:
    """Parse a TX ring's messages, whatever they are.

    :param messages: copies, one after the other. Parsed where the frontend can write, they would be others when used
        than when judged (XSA-155).
    """
    packets = []
    at = 0
    fatal = None
    try:
        while packet := _packet(messages, at):
            packets.append(packet)
            at += packet.messages * TX_REQUEST.size
    except BadPacket as error:
        fatal = error
    return Taken(tuple(packets), (len(messages) - at) // TX_REQUEST.size, fatal)


def _packet(messages: bytes, at: int) -> Packet | None:
    # None if it is not there to its end. What is fatal is raised.
    if at == len(messages):
        return None
    gref, offset, flags, ident, whole = TX_REQUEST.struct.unpack_from(messages, at)
    at += TX_REQUEST.size
    extras: dict[int, bytes] = {}
    count = 0
    if flags & TX.extra_info:
        count = _extras(messages, at, extras)
        if not count:
            return None
        at += count * TX_REQUEST.size
        if multicast := _multicast(extras):
            return Packet((Slot(ident, gref, 0, 0),), count, multicast=multicast)
    following = _following(messages, at) if flags & TX.more_data else []
    if following is None:
        return None
    own = whole - sum(slot.length for slot in following)
    first = Slot(ident, gref, offset, own)
    slots = (first, *following)
    if refused := _refused(whole, own, len(following)):
        return Packet(tuple(slot._replace(length=0) for slot in slots), count, refused=refused)
    _within(first)
    return Packet(slots, count, whole, read_offload(TX, flags, extras), read_hash(extras))


def _extras(messages: bytes, at: int, extras: dict[int, bytes]) -> int:
    # How many there are; 0 if they are not there to their end. Of two of one type, the last counts.
    for count in range(1, EXTRAS_MAX + 1):
        if at == len(messages):
            return 0
        extra = messages[at : at + EXTRA.size]
        at += TX_REQUEST.size
        extras[type_of(TX, extra)] = extra
        if not extra[1] & MORE:
            return count
    raise BadPacket(Refusal.TX_EXTRAS, f"more than {EXTRAS_MAX} extras")


def _multicast(extras: dict[int, bytes]) -> Multicast | None:
    # Both are nonsense; Linux adds.
    for kind in (_ADD, _DELETE):
        if kind in extras:
            _, _, address = EXTRA_MCAST.struct.unpack(extras[kind])
            return Multicast(kind == _ADD, address)
    return None


def _following(messages: bytes, at: int) -> list[Slot] | None:
    # None if they are not there to their end.
    slots: list[Slot] = []
    while len(slots) < FOLLOWING_FATAL:
        if at == len(messages):
            return None
        gref, offset, flags, ident, size = TX_REQUEST.struct.unpack_from(messages, at)
        at += TX_REQUEST.size
        slots.append(_within(Slot(ident, gref, offset, size)))
        if not flags & TX.more_data:
            return slots
    raise BadPacket(Refusal.TX_ENDLESS, f"more than {FOLLOWING_FATAL} slots after the first")


def _within(slot: Slot) -> Slot:
    if slot.offset + slot.length > PAGE_SIZE:
        raise BadPacket(Refusal.TX_BEYOND_PAGE, f"{slot.length} bytes at {slot.offset} of a page of {PAGE_SIZE}")
    return slot


def _refused(whole: int, own: int, following: int) -> BadPacket | None:
    if following > FOLLOWING_MAX:
        return BadPacket(Refusal.TX_SLOTS, f"{following} slots after the first, of {FOLLOWING_MAX} at most")
    if own < 0:
        # Not fatal: some frontends send what is longer than the field can say.
        return BadPacket(Refusal.TX_PARTS, f"{whole - own} bytes after the first slot, of {whole} in all")
    if whole < ETHERNET_SIZE:
        return BadPacket(Refusal.TX_SHORT, f"{whole} bytes, and a frame's header has {ETHERNET_SIZE}")
    return None


def uncopied(packet: Packet, statuses: Sequence[int]) -> BadPacket | None:
    """Tell what of a packet could not be copied; None if all of it was.

    :param statuses: a GNTST for each of its pieces
    """
    for slot, status in zip(packet.pieces, statuses, strict=True):
        if status:
            return BadPacket(Refusal.TX_NOT_COPIED, f"gref {slot.gref} cannot be copied from: {status}")
    return None


def respond(packet: Packet, statuses: Sequence[int] = (), *, done: bool = True) -> bytes:
    """Form the answers to all of a packet's slots, in their order.

    What fails is told of the slot that failed, as Linux does; slots of extras are told that they have no answer.
    Nothing in a message is left as it was: what stood there before might be another domain's (XSA-216).

    :param statuses: a GNTST for each of its pieces
    :param done: of a change to the multicast list, whether it was made
    """
    left = iter(statuses)
    if packet.refused or not done:
        results = [_ERROR] * len(packet.slots)
    else:
        results = [_ERROR if slot.length and next(left) else _OKAY for slot in packet.slots]
    answers = [TX_RESPONSE.struct.pack(slot.id, result) for slot, result in zip(packet.slots, results, strict=True)]
    return b"".join([answers[0], _NULL * packet.extras, *answers[1:]])
