"""The frames that a load is made of: UDP over IPv4, or TCP to be cut, each with a stamp that says when it was made.

Law: whatever passes them on takes them for what they are: lengths and checksums are right, as far as they are not left
blank. The stamp is behind the headers: UDP's checksum is then none, as RFC 768 allows.
"""

from struct import Struct

from pvdrivers.abi import wire
from pvdrivers.abi.netif import MAX_TX_SIZE, GsoType
from pvdrivers.abi.wire import EtherType, IpProtocol, TcpFlag
from pvdrivers.net import finish
from pvdrivers.net.frame import PLAIN, Checksum, Frame, Offload
from pvdrivers.net.headers import parse

#: Of a segment, as of a wire with the usual MTU.
MSS = 1448
#: A word that strangers' frames do not have there, then nanoseconds of the monotonic clock; at the payload's beginning.
STAMP = Struct("<QQ")
MARK = int.from_bytes(b"xentool!", "little")
_HEADERS = wire.ETHERNET_SIZE + wire.IPV4_SIZE
#: Bytes of the shortest frame.
SHORTEST = _HEADERS + wire.UDP_SIZE + STAMP.size
LONGEST = MAX_TX_SIZE

_ETHERNET = Struct(">6s6sH")
_IPV4 = Struct(">BBHHHBBH4s4s")
_UDP = Struct(">HHHH")
_TCP = Struct(">HHIIBBHHH")
#: Locally administered; addresses and ports are those of documentation (RFC 5737) and discard (RFC 863).
_MACS = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
_ADDRESSES = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
_PORTS = 9, 9
_WINDOW = 0xFFFF
_TTL = 64


def frame(size: int, *, gso: bool) -> Frame:
    """Make a frame, without its stamp.

    :param size: bytes, all headers counted
    :param gso: it is to be cut into segments of `MSS`
    :raises ValueError: none is so short or long, or it is one segment as it is
    """
    if not SHORTEST <= size <= LONGEST:
        raise ValueError(f"frames of {size} bytes, and they have {SHORTEST} to {LONGEST}")
    if gso and size <= _HEADERS + wire.TCP_SIZE + MSS:
        raise ValueError(f"frames of {size} bytes are not to be cut: they are one segment of {MSS} bytes")
    protocol = IpProtocol.TCP if gso else IpProtocol.UDP
    length = size - wire.ETHERNET_SIZE
    ip = _IPV4.pack(4 << 4 | wire.IPV4_SIZE // 4, 0, length, 0, 0, _TTL, protocol, 0, *_ADDRESSES)
    checksum = 0xFFFF - finish.ones_sum(ip)
    ip = ip[: wire.IPV4_CHECKSUM_AT] + checksum.to_bytes(2, "big") + ip[wire.IPV4_CHECKSUM_AT + 2 :]
    head = _ETHERNET.pack(*_MACS, EtherType.IPV4) + ip
    if not gso:
        udp = _UDP.pack(*_PORTS, length - wire.IPV4_SIZE, 0)
        return Frame((head + udp).ljust(size, b"\0"), PLAIN)
    tcp = _TCP.pack(*_PORTS, 1, 1, wire.TCP_SIZE // 4 << 4, TcpFlag.ACK, _WINDOW, 0, 0)
    data = (head + tcp).ljust(size, b"\0")
    headers = parse(data)
    assert headers and headers.transport  # noqa: S101, PT018 - they are written above
    return Frame(finish.blanked(data, headers, headers.transport), Offload(Checksum.BLANK, GsoType.TCPV4, MSS))


def stamp_at(made: Frame) -> int:
    """Tell where a frame's stamp is: where its payload begins."""
    return _HEADERS + (wire.TCP_SIZE if made.offload.gso else wire.UDP_SIZE)
