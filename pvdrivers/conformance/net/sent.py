"""What a frontend under test sends: its slots taken apart, and whether it keeps to what it was offered.

Ref: xen/include/public/io/netif.h, "Guest transmit"
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pvdrivers.abi.netif import (
    EXTRA_GSO,
    NR_SLOTS_MIN,
    TX_REQUEST,
    ExtraFlag,
    ExtraType,
    GsoType,
    TxFlag,
)
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.abi.wire import ETHERNET_SIZE, ETHERNET_TYPE_AT, EtherType
from pvdrivers.conformance.observation import Noticed, Observation

#: Gives the next message of the ring.
Next = Callable[[], bytes]
_GSOS = {GsoType.TCPV4: "feature-gso-tcpv4", GsoType.TCPV6: "feature-gso-tcpv6"}
_MULTICAST = frozenset({ExtraType.MCAST_ADD, ExtraType.MCAST_DEL})


class Slot(NamedTuple):
    """A slot with data.

    :param size: bytes of its own, whatever the first says of the whole packet
    """

    gref: int
    offset: int
    ident: int
    size: int


@dataclass(frozen=True)
class Sent:
    """A packet, or a change to the list of multicast addresses.

    :param flags: the first slot's
    :param extras: as they came, by type
    :param listed: whether it is no packet, but such a change
    """

    flags: int
    slots: tuple[Slot, ...]
    extras: Mapping[int, bytes]
    listed: bool = False

    @property
    def gso(self) -> tuple[GsoType, int]:
        """How it is to be cut, and into which size of payload; none and 0 for a packet that is not."""
        if ExtraType.GSO not in self.extras:
            return GsoType.NONE, 0
        _, _, size, kind, _, _ = EXTRA_GSO.struct.unpack(self.extras[ExtraType.GSO])
        return GsoType(kind), size


def taken(following: Next, offered: Mapping[str, object]) -> Sent:
    """Take the next packet's slots.

    :param offered: nodes of the backend, as far as it wrote them
    :raises Noticed: it is what was not offered, or cannot be
    """
    gref, offset, flags, ident, whole = TX_REQUEST.struct.unpack(following())
    extras = _extras(following, offered) if flags & TxFlag.EXTRA_INFO else {}
    if _MULTICAST & extras.keys():
        return Sent(flags, (Slot(gref, 0, ident, 0),), extras, listed=True)
    rest: list[Slot] = []
    more = flags & TxFlag.MORE_DATA
    while more:
        if len(rest) == NR_SLOTS_MIN:
            raise _strayed(f"a packet of more than {NR_SLOTS_MIN} slots after the first")
        each, at, marks, name, size = TX_REQUEST.struct.unpack(following())
        rest.append(Slot(each, at, name, size))
        more = marks & TxFlag.MORE_DATA
    own = whole - sum(slot.size for slot in rest)
    slots = (Slot(gref, offset, ident, own), *rest)
    if rest and not offered.get("feature-sg"):
        raise _strayed(f"a packet of {len(slots)} slots, of one that was offered")
    if own < 0 or whole < ETHERNET_SIZE:
        raise _strayed(f"a packet of {whole} bytes, {own} of them in its first slot")
    for slot in slots:
        if slot.offset + slot.size > PAGE_SIZE:
            raise _strayed(f"{slot.size} bytes at {slot.offset} of a page")
    return Sent(flags, slots, extras)


def _extras(following: Next, offered: Mapping[str, object]) -> dict[int, bytes]:
    extras: dict[int, bytes] = {}
    while True:
        extra = following()
        if extra[0] in extras:
            raise _strayed(f"two extras of type {extra[0]}")
        extras[extra[0]] = extra[: EXTRA_GSO.size]
        if any(extra[EXTRA_GSO.size :]):
            raise Noticed(Observation.FOREIGN, "what fills an extra's slot is not zeros")
        _offered(extra, offered)
        if not extra[1] & ExtraFlag.MORE:
            return extras


def _offered(extra: bytes, offered: Mapping[str, object]) -> None:
    match extra[0]:
        case ExtraType.GSO:
            _, _, size, kind, _, _ = EXTRA_GSO.struct.unpack(extra[: EXTRA_GSO.size])
            if kind not in set(_GSOS) or not offered.get(_GSOS[GsoType(kind)]):
                raise _strayed(f"a packet to be cut as {kind}, which was not offered")
            if not size:
                raise _strayed("a packet to be cut into nothing")
        case ExtraType.MCAST_ADD | ExtraType.MCAST_DEL:
            if not offered.get("feature-multicast-control"):
                raise _strayed("a change to a list of addresses, which was not offered")
        case ExtraType.HASH:
            if not offered.get("feature-ctrl-ring"):
                raise _strayed("a hash, and none was offered")
        case kind:
            raise _strayed(f"an extra of type {kind}")


def judge_blank(sent: Sent, data: bytes, offered: Mapping[str, object]) -> None:
    """See whether a frame's checksum may be blank.

    :raises Noticed: it may not: that was not offered
    """
    blank = bool(sent.flags & TxFlag.CSUM_BLANK)
    if sent.gso[0] and not blank:
        raise _strayed("a packet to be cut whose checksum is said not to be blank")
    kind = int.from_bytes(data[ETHERNET_TYPE_AT:ETHERNET_SIZE], "big")
    if blank and kind == EtherType.IPV4 and offered.get("feature-no-csum-offload"):
        raise _strayed("a blank checksum of IPv4, which its backend does not take")
    if blank and kind == EtherType.IPV6 and not offered.get("feature-ipv6-csum-offload"):
        raise _strayed("a blank checksum of IPv6, which was not offered")


def _strayed(why: str) -> Noticed:
    return Noticed(Observation.STRAYED, f"it sends {why}")
