"""Frames as the kit writes and reads them, with sums of its own.

Nothing of `pvdrivers.net` is used: what judges a driver shares no mistake with it.

Ref: IEEE 802.3, 802.1Q; RFC 791, 768, 8200, 9293, 1071
"""

from struct import Struct, pack_into, unpack_from
from typing import NamedTuple

from pvdrivers.abi import wire
from pvdrivers.abi.netif import GsoType
from pvdrivers.abi.wire import EtherType, IpProtocol

#: Of a guest's end, and of who is behind its backend.
GUEST, FAR = bytes.fromhex("00163e0c0f01"), bytes.fromhex("00163e0c0f02")
BROADCAST = b"\xff" * 6
#: For experiments of whoever likes (IEEE 802, 9.2.3): nobody looks into it.
_LOCAL = 0x88B5
_ADDRESSES = {
    4: (bytes([10, 15, 0, 1]), bytes([10, 15, 0, 2])),
    6: (bytes.fromhex("fd0f" + "00" * 13 + "01"), bytes.fromhex("fd0f" + "00" * 13 + "02")),
}
_SUM_AT = {IpProtocol.TCP: wire.TCP_CHECKSUM_AT, IpProtocol.UDP: wire.UDP_CHECKSUM_AT}
_TYPES = {4: EtherType.IPV4, 6: EtherType.IPV6}
_U16, _U32 = Struct(">H"), Struct(">I")


class Blank(NamedTuple):
    """A sum that is still to be made: where what it is about begins, and where its field is from there; in bytes."""

    start: int
    offset: int


class Carried(NamedTuple):
    """A frame on its way, and what is said of it besides.

    :param blank: of a checksum that is to be finished; its field holds the pseudo-header's sum
    :param gso: how it is to be cut, into which size of payload
    """

    data: bytes
    blank: Blank | None = None
    gso: GsoType = GsoType.NONE
    gso_size: int = 0


class Packet(NamedTuple):
    """A frame of TCP or UDP, whole and right, and where its parts are."""

    data: bytes
    version: int
    protocol: IpProtocol
    start: int
    payload: int

    @property
    def blank(self) -> Blank:
        """Where its sum would be, if it were blank."""
        return Blank(self.start, _SUM_AT[self.protocol])

    @property
    def gso(self) -> GsoType:
        """How it would be cut."""
        return GsoType.TCPV4 if self.version == 4 else GsoType.TCPV6

    def blanked(self, *, zero: bool = False) -> bytes:
        """Give the frame with its checksum blank: the pseudo-header's sum in its field, or nothing."""
        data = bytearray(self.data)
        _U16.pack_into(data, sum(self.blank), 0 if zero else self._pseudo())
        return bytes(data)

    def carried(self, gso_size: int = 0) -> Carried:
        """Give it as whoever leaves its checksum, and its cutting, to the next one says it."""
        return Carried(self.blanked(), self.blank, self.gso if gso_size else GsoType.NONE, gso_size)

    def _pseudo(self) -> int:
        return _pseudo(self.data, self.version, self.protocol, self.start, len(self.data))


def plain(payload: bytes, *, to: bytes = FAR, source: bytes = GUEST) -> bytes:
    """Form a frame that nobody looks into."""
    return to + source + _U16.pack(_LOCAL) + payload


def packet(
    version: int,
    protocol: IpProtocol,
    payload: bytes,
    *,
    to_guest: bool = False,
    ports: tuple[int, int] = (40000, 7),
    options: int = 0,
    tagged: bool = False,
    fragment: bool = False,
) -> Packet:
    """Form a frame of TCP or UDP with right lengths and sums.

    :param to_guest: whether it comes from behind the backend
    :param options: bytes that TCP's header is longer, in whole words
    :param tagged: of a VLAN
    :param fragment: IPv4 says that more follow
    """
    source, target = reversed(_ADDRESSES[version]) if to_guest else _ADDRESSES[version]
    head = (GUEST + FAR if to_guest else FAR + GUEST) + (pack_tag() if tagged else b"") + _U16.pack(_TYPES[version])
    body = _transport(protocol, payload, ports, options)
    network = len(head)
    if version == 4:
        fields = (0x45, 0, 20 + len(body), 7, 0x2000 if fragment else 0x4000, 64, protocol, 0, source, target)
        ip = bytearray(Struct(">BBHHHBBH4s4s").pack(*fields))
        _U16.pack_into(ip, wire.IPV4_CHECKSUM_AT, 0xFFFF - total(bytes(ip)))
    else:
        ip = bytearray(Struct(">IHBB16s16s").pack(6 << 28 | 0x12345, len(body), protocol, 64, source, target))
    data = bytearray(head + ip + body)
    start = network + len(ip)
    summed = 0xFFFF - total(bytes(data[start:]), _pseudo(bytes(data), version, protocol, start, len(data)))
    _U16.pack_into(data, start + _SUM_AT[protocol], summed or (0xFFFF if protocol == IpProtocol.UDP else 0))
    return Packet(bytes(data), version, protocol, start, len(data) - len(payload))


def pack_tag() -> bytes:
    """Give a VLAN's tag."""
    return Struct(">HH").pack(EtherType.VLAN, 15)


def _transport(protocol: IpProtocol, payload: bytes, ports: tuple[int, int], options: int) -> bytes:
    if protocol == IpProtocol.UDP:
        return Struct(">HHHH").pack(*ports, 8 + len(payload), 0) + payload
    words = 5 + options // 4
    return (
        Struct(">HHIIBBHHH").pack(*ports, 0xFFFFFF00, 1, words << 4, 0x10, 0xFFFF, 0, 0) + b"\x01" * options + payload
    )


def total(data: bytes, add: int = 0) -> int:
    """Sum up words of 16 bits as RFC 1071 does."""
    padded = data + b"\0" if len(data) % 2 else data
    number: int = add + sum(unpack_from(f">{len(padded) // 2}H", padded))
    while number >> 16:
        number = (number & 0xFFFF) + (number >> 16)
    return number


def _pseudo(data: bytes, version: int, protocol: int, start: int, end: int) -> int:
    # Both addresses stand right before the transport's header: nothing here has options of IP's.
    addresses = data[start - (8 if version == 4 else 32) : start]
    return total(addresses, protocol + end - start)


def same_segments(frames: list[bytes], whole: Packet, size: int) -> str:
    """Tell what is wrong with segments of a frame of TCP; empty for nothing.

    :param size: of payload, which none is to have more of
    """
    payload = b""
    for data in frames:
        if wrong := unsound(data, whole):
            return wrong
        if len(data) - whole.payload > size:
            return f"a segment of {len(data) - whole.payload} bytes of payload, of {size} at most"
        (first,) = _U32.unpack_from(whole.data, whole.start + wire.TCP_SEQUENCE_AT)
        (sequence,) = _U32.unpack_from(data, whole.start + wire.TCP_SEQUENCE_AT)
        if sequence != first + len(payload) & 0xFFFFFFFF:
            return f"a segment of sequence {sequence}, where {first + len(payload) & 0xFFFFFFFF} is due"
        payload += data[whole.payload :]
    return "" if payload == whole.data[whole.payload :] else "the payload is another"


def unsound(data: bytes, like: Packet) -> str:
    """Tell what is wrong with the lengths and sums of a frame of the same headers; empty for nothing."""
    network = like.start - (wire.IPV4_SIZE if like.version == 4 else wire.IPV6_SIZE)
    if len(data) < like.payload or data[:network] != like.data[:network]:
        return "headers of Ethernet are others"
    at, own = (wire.IPV4_LENGTH_AT, 0) if like.version == 4 else (wire.IPV6_LENGTH_AT, wire.IPV6_SIZE)
    (length,) = _U16.unpack_from(data, network + at)
    if network + length + own != len(data):
        return f"IP says {length} bytes, and the frame has {len(data)}"
    if like.version == 4 and total(data[network : like.start]) != 0xFFFF:
        return "the sum of IP's header is wrong"
    if data[like.start : like.start + wire.PORTS_SIZE] != like.data[like.start : like.start + wire.PORTS_SIZE]:
        return "the ports are others"
    if total(data[like.start :], _pseudo(data, like.version, like.protocol, like.start, len(data))) != 0xFFFF:
        return "the checksum is wrong"
    return ""


def finished(frame: Carried) -> bytes:
    """Finish a checksum that is said to be blank, as a card does: up to the frame's end, from what its field holds."""
    if frame.blank is None:
        return frame.data
    data = bytearray(frame.data)
    pack_into(">H", data, sum(frame.blank), (0xFFFF - total(frame.data[frame.blank.start :])) or 0xFFFF)
    return bytes(data)
