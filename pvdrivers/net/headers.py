"""A frame's bytes → where its headers are.

Law: for any bytes at all it gives an answer, after a bounded number of steps; what is not understood is None. Nothing
here changes a frame or knows what its headers are wanted for.

Ref: RFC 791, 8200; how far is looked into IPv6's extension headers: Linux net/core/skbuff.c (skb_checksum_setup_ipv6)
"""

from struct import Struct
from typing import Literal, NamedTuple

from pvdrivers.abi import wire
from pvdrivers.abi.wire import EtherType, IpProtocol

#: Tags around a frame; as deep as Linux nests its own.
TAGS_MAX = 8
#: Bytes of IPv6's headers that are looked at: beyond them Linux's drivers look for neither TCP nor UDP.
IPV6_HEADERS_MAX = 256

#: What a frame's bytes may lie in.
Data = bytes | memoryview

_U16 = Struct(">H").unpack_from
_TAGS = frozenset({EtherType.VLAN, EtherType.SERVICE_VLAN})
_EXTENSIONS = frozenset(
    {
        IpProtocol.HOP_OPTIONS,
        IpProtocol.ROUTING,
        IpProtocol.FRAGMENT,
        IpProtocol.AUTHENTICATION,
        IpProtocol.DESTINATION_OPTIONS,
    }
)


class Transport(NamedTuple):
    """A TCP segment or UDP datagram, whole; all places are bytes from the frame's beginning.

    :param end: of its payload; what follows in the frame is padding
    """

    protocol: Literal[IpProtocol.TCP, IpProtocol.UDP]
    start: int
    payload: int
    end: int


class Headers(NamedTuple):
    """An IP packet within a frame.

    :param network: where IP's header begins, in bytes
    :param tags: how many of VLANs stand before it
    :param transport: None if it carries something else, a fragment, or what makes no sense; and if it is still to be
        routed by addresses in a header of its own, since then its checksum is about another one than the packet's
    """

    version: Literal[4, 6]
    network: int
    tags: int
    transport: Transport | None


def parse(data: Data, *, large: bool = False) -> Headers | None:
    """Find an IP packet's headers.

    :param large: the frame is still to be cut: it ends where its bytes do, whatever lengths its headers give, which
        may be none
    :returns: None if it is not IP, or no whole packet of it
    """
    at, tags = wire.ETHERNET_SIZE, 0
    if len(data) < at:
        return None
    (kind,) = _U16(data, wire.ETHERNET_TYPE_AT)
    while kind in _TAGS:
        if tags == TAGS_MAX or len(data) < at + wire.TAG_SIZE:
            return None
        (kind,) = _U16(data, at + wire.TAG_TYPE_AT)
        at += wire.TAG_SIZE
        tags += 1
    if kind == EtherType.IPV4:
        return _ipv4(data, at, tags, large)
    if kind == EtherType.IPV6:
        return _ipv6(data, at, tags, large)
    return None


def _ipv4(data: Data, network: int, tags: int, large: bool) -> Headers | None:
    if len(data) < network + wire.IPV4_SIZE or data[network] >> 4 != 4:
        return None
    start = network + (data[network] & 15) * 4
    end = len(data) if large else network + _U16(data, network + wire.IPV4_LENGTH_AT)[0]
    if not network + wire.IPV4_SIZE <= start <= end <= len(data):
        return None
    if _U16(data, network + wire.IPV4_FRAGMENT_AT)[0] & wire.IPV4_FRAGMENT_MASK:
        return Headers(4, network, tags, None)
    return Headers(4, network, tags, _transport(data, data[network + wire.IPV4_PROTOCOL_AT], start, end))


def _ipv6(data: Data, network: int, tags: int, large: bool) -> Headers | None:
    start = network + wire.IPV6_SIZE
    if len(data) < start or data[network] >> 4 != 6:
        return None
    end = len(data) if large else start + _U16(data, network + wire.IPV6_LENGTH_AT)[0]
    if end > len(data):
        return None
    carried = _behind_extensions(data, network, min(end, network + IPV6_HEADERS_MAX))
    return Headers(6, network, tags, carried and _transport(data, *carried, end))


def _behind_extensions(data: Data, network: int, limit: int) -> tuple[int, int] | None:
    """Give the protocol of what IPv6 carries, and where that begins; None if it is no whole, or not looked for."""
    protocol, start = data[network + wire.IPV6_NEXT_AT], network + wire.IPV6_SIZE
    while protocol in _EXTENSIONS:
        if start + wire.EXTENSION_SIZE > limit:
            return None
        length = (data[start + wire.EXTENSION_LENGTH_AT] + 1) * 8
        if protocol == IpProtocol.FRAGMENT:
            if _U16(data, start + wire.FRAGMENT_AT)[0] & wire.FRAGMENT_MASK:
                return None
            length = wire.EXTENSION_SIZE
        elif protocol == IpProtocol.ROUTING:
            if data[start + wire.ROUTING_LEFT_AT]:
                return None
        elif protocol == IpProtocol.AUTHENTICATION:
            # Alone in counting words of four bytes, all but two.
            length = (data[start + wire.EXTENSION_LENGTH_AT] + 2) * 4
        protocol = data[start]
        start += length
    return (protocol, start) if start <= limit else None


def _transport(data: Data, protocol: int, start: int, end: int) -> Transport | None:
    if protocol == IpProtocol.TCP and start + wire.TCP_SIZE <= end:
        payload = start + (data[start + wire.TCP_LENGTH_AT] >> 4) * 4
        if start + wire.TCP_SIZE <= payload <= end:
            return Transport(IpProtocol.TCP, start, payload, end)
    elif protocol == IpProtocol.UDP and start + wire.UDP_SIZE <= end:
        payload = start + wire.UDP_SIZE
        last = start + _U16(data, start + wire.UDP_LENGTH_AT)[0]
        if payload <= last <= end:
            return Transport(IpProtocol.UDP, start, payload, last)
    return None
