"""How frames look on a wire: Ethernet, IP, TCP and UDP. All integers are big-endian; offsets and sizes are in bytes.

Ref: IEEE 802.3 and 802.1Q; RFC 791 (IPv4), 8200 (IPv6), 4302 (authentication header), 9293 (TCP), 768 (UDP)
"""

from enum import IntEnum, IntFlag

#: Destination, source and type.
ETHERNET_SIZE = 14
ETHERNET_TYPE_AT = 12
ADDRESS_SIZE = 6
#: Of a VLAN's tag, which stands before the type that it had; that is two bytes in.
TAG_SIZE = 4
TAG_TYPE_AT = 2


class EtherType(IntEnum):
    """What a frame carries."""

    IPV4 = 0x0800
    IPV6 = 0x86DD
    #: 802.1Q, around a VLAN's frame.
    VLAN = 0x8100
    #: 802.1ad ("QinQ"), around that.
    SERVICE_VLAN = 0x88A8


class IpProtocol(IntEnum):
    """What IP carries; of IPv6, also what stands between it and that."""

    HOP_OPTIONS = 0
    TCP = 6
    UDP = 17
    ROUTING = 43
    FRAGMENT = 44
    AUTHENTICATION = 51
    DESTINATION_OPTIONS = 60


#: Without options.
IPV4_SIZE = 20
IPV4_LENGTH_AT = 2
IPV4_IDENT_AT = 4
IPV4_FRAGMENT_AT = 6
IPV4_PROTOCOL_AT = 9
IPV4_CHECKSUM_AT = 10
IPV4_SOURCE_AT = 12
IPV4_DESTINATION_END = 20
#: Of the field that is zero for what came in one piece: more follow; where it belongs.
IPV4_FRAGMENT_MASK = 0x3FFF

IPV6_SIZE = 40
#: Of all behind those 40.
IPV6_LENGTH_AT = 4
IPV6_NEXT_AT = 6
IPV6_SOURCE_AT = 8
IPV6_DESTINATION_END = 40
#: An extension header begins with the next one's protocol and its own length; each is of 8 bytes at least.
EXTENSION_SIZE = 8
EXTENSION_LENGTH_AT = 1
ROUTING_LEFT_AT = 3
FRAGMENT_AT = 2
FRAGMENT_MASK = 0xFFF9

#: Without options.
TCP_SIZE = 20
TCP_SEQUENCE_AT = 4
#: The header's own length, in words of four bytes, stands in its upper half.
TCP_LENGTH_AT = 12
TCP_FLAGS_AT = 13
TCP_CHECKSUM_AT = 16
UDP_SIZE = 8
UDP_LENGTH_AT = 4
UDP_CHECKSUM_AT = 6
#: Source and destination, which both begin with.
PORTS_SIZE = 4


class TcpFlag(IntFlag):
    """Of a segment."""

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10
    URG = 0x20
    ECE = 0x40
    CWR = 0x80
