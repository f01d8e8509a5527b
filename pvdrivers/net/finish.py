"""Checksums of TCP and UDP: checked, left blank for whoever comes next, or finished.

Law: "blank" says nothing of what the field holds: some leave the pseudo-header's sum there, as whoever finishes it
needs, and some nothing. So what is passed on as blank is made so again, and what is finished is summed up anew.

Ref: RFC 1071, 9293 (3.1), 768, 8200 (8.1); what can be told as blank: Linux net/core/skbuff.c (skb_checksum_setup)
"""

from pvdrivers.abi import wire
from pvdrivers.abi.wire import IpProtocol
from pvdrivers.net.headers import Data, Headers, Transport

#: Where the field is, in bytes from where TCP's or UDP's header begins.
CHECKSUM_AT = {IpProtocol.TCP: wire.TCP_CHECKSUM_AT, IpProtocol.UDP: wire.UDP_CHECKSUM_AT}
_ADDRESSES = {
    4: (wire.IPV4_SOURCE_AT, wire.IPV4_DESTINATION_END),
    6: (wire.IPV6_SOURCE_AT, wire.IPV6_DESTINATION_END),
}
_ONES = 0xFFFF


def ones_sum(data: Data, add: int = 0) -> int:
    """Sum up words of 16 bits in ones' complement; an odd byte is the upper half of a last word.

    :param add: another sum, or a number that has words of its own
    """
    # A number of base 65536 has the sum of its digits as remainder, as one of base 10 has by nine.
    number = (int.from_bytes(data, "big") << 8 * (len(data) & 1)) + add
    return number and (number % _ONES or _ONES)


def addresses(data: Data, headers: Headers) -> Data:
    """Give source and destination, one behind the other, as they stand in all headers of IP."""
    first, end = _ADDRESSES[headers.version]
    return data[headers.network + first : headers.network + end]


def pseudo_sum(data: Data, headers: Headers, transport: Transport) -> int:
    """Sum up the pseudo-header of a TCP segment or UDP datagram."""
    return ones_sum(addresses(data, headers), transport.protocol + transport.end - transport.start)


def tellable(data: Data, headers: Headers) -> bool:
    """Tell whether Linux at the ring's other end finds the checksum of a frame that it is told is blank.

    It drops one that has a tag, and sums up to the frame's end, with the padding.
    """
    return headers.transport is not None and not headers.tags and headers.transport.end == len(data)


def blanked(data: Data, headers: Headers, transport: Transport) -> Data:
    """Leave the checksum to the next one: its field holds the pseudo-header's sum. Gives what it got if it does."""
    return _replaced(data, transport, pseudo_sum(data, headers, transport))


def finished(data: Data, headers: Headers, transport: Transport) -> Data:
    """Make the checksum right, whatever its field holds. Gives what it got if it is."""
    at = transport.start + CHECKSUM_AT[transport.protocol]
    # Less what the field holds, which is to count as nothing.
    start = pseudo_sum(data, headers, transport) + _ONES - int.from_bytes(data[at : at + 2], "big")
    checksum = _ONES - ones_sum(memoryview(data)[transport.start : transport.end], start)
    if transport.protocol == IpProtocol.UDP:
        # There 0 says that nobody has made one, and the other zero says 0.
        checksum = checksum or _ONES
    return _replaced(data, transport, checksum)


def finished_at(data: Data, start: int, offset: int) -> Data | None:
    """Finish a checksum of whatever protocol, up to the frame's end, by a sum that its field holds.

    :param start: of what it is about, in bytes
    :param offset: of its field, from there
    :returns: None if that is not within the frame
    """
    at = start + offset
    if at + 2 > len(data):
        return None
    # As Linux does for all protocols: to most both zeros are one, and to UDP this is the right one.
    checksum = (_ONES - ones_sum(memoryview(data)[start:])) or _ONES
    return b"".join((data[:at], checksum.to_bytes(2, "big"), data[at + 2 :]))


def sound(data: Data, headers: Headers, transport: Transport) -> bool:
    """Tell whether the checksum is right, or UDP's sender has made none."""
    at = transport.start + CHECKSUM_AT[transport.protocol]
    if transport.protocol == IpProtocol.UDP and not any(data[at : at + 2]):
        return True
    whole = memoryview(data)[transport.start : transport.end]
    return ones_sum(whole, pseudo_sum(data, headers, transport)) == _ONES


def _replaced(data: Data, transport: Transport, checksum: int) -> Data:
    at = transport.start + CHECKSUM_AT[transport.protocol]
    field = checksum.to_bytes(2, "big")
    return data if data[at : at + 2] == field else b"".join((data[:at], field, data[at + 2 :]))
