"""A frame of TCP that is longer than a wire takes → what a wire takes, as a card or the kernel would cut it.

Law: what goes out has all the payload that came in, once and in order, and right lengths and sums. How many come out is
bounded by `SIZE_MIN`.

Ref: Linux net/ipv4/tcp_offload.c (tcp_gso_segment), net/ipv4/af_inet.c (inet_gso_segment)
"""

from struct import Struct

from pvdrivers.abi import wire
from pvdrivers.abi.wire import TcpFlag
from pvdrivers.net.finish import CHECKSUM_AT, ones_sum, pseudo_sum
from pvdrivers.net.headers import Data, Headers, Transport

#: Bytes of payload that a segment has at least, unless it is the last: Linux's TCP sends no smaller ones
#: (TCP_MIN_GSO_SIZE), and of one byte each a frame would make 65,000.
SIZE_MIN = 8

_U16, _U32 = Struct(">H"), Struct(">I")
_ONLY_LAST = int(TcpFlag.FIN | TcpFlag.PSH)
_ONLY_FIRST = int(TcpFlag.CWR)


def segment(data: Data, headers: Headers, transport: Transport, size: int, *, blank: bool) -> list[bytes]:
    """Cut a frame of TCP into segments.

    :param headers: as of a frame that is to be cut
    :param size: bytes of payload of each but the last; `SIZE_MIN` at least
    :param blank: leave checksums to the next one, with the pseudo-header's sums in their fields
    """
    if size < SIZE_MIN:
        raise ValueError(f"segments of {size} bytes, and they are of {SIZE_MIN} at least")
    head = bytearray(data[: transport.payload])
    (sequence,) = _U32.unpack_from(head, transport.start + wire.TCP_SEQUENCE_AT)
    (ident,) = _U16.unpack_from(head, headers.network + wire.IPV4_IDENT_AT)
    flags = head[transport.start + wire.TCP_FLAGS_AT]
    segments = []
    # One without payload is cut into one.
    for number, at in enumerate(range(transport.payload, transport.end, size) or [transport.end]):
        payload = data[at : min(at + size, transport.end)]
        lacks = (_ONLY_FIRST if number else 0) | (_ONLY_LAST if at + size < transport.end else 0)
        head[transport.start + wire.TCP_FLAGS_AT] = flags & ~lacks
        following = (sequence + at - transport.payload) & 0xFFFFFFFF
        _U32.pack_into(head, transport.start + wire.TCP_SEQUENCE_AT, following)
        _write_network(head, headers, transport, len(payload), (ident + number) & 0xFFFF)
        _write_checksum(head, headers, transport, payload, blank=blank)
        segments.append(b"".join((head, payload)))
    return segments


def _write_network(head: bytearray, headers: Headers, transport: Transport, payload: int, ident: int) -> None:
    at = headers.network
    if headers.version == 6:
        _U16.pack_into(head, at + wire.IPV6_LENGTH_AT, len(head) - at - wire.IPV6_SIZE + payload)
        return
    _U16.pack_into(head, at + wire.IPV4_LENGTH_AT, len(head) - at + payload)
    _U16.pack_into(head, at + wire.IPV4_IDENT_AT, ident)
    _U16.pack_into(head, at + wire.IPV4_CHECKSUM_AT, 0)
    _U16.pack_into(head, at + wire.IPV4_CHECKSUM_AT, 0xFFFF - ones_sum(bytes(head[at : transport.start])))


def _write_checksum(head: bytearray, headers: Headers, transport: Transport, payload: Data, *, blank: bool) -> None:
    at = transport.start + CHECKSUM_AT[transport.protocol]
    pseudo = pseudo_sum(memoryview(head), headers, transport._replace(end=len(head) + len(payload)))
    _U16.pack_into(head, at, 0)
    if blank:
        _U16.pack_into(head, at, pseudo)
        return
    of_head = ones_sum(bytes(head[transport.start :]), pseudo)
    # TCP's header has whole words, so the payload's begin with its first byte.
    _U16.pack_into(head, at, 0xFFFF - ones_sum(payload, of_head))
