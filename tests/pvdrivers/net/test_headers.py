"""Where headers are, in frames that scapy has made; what is no sense is not understood, and never raises."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrRouting, PadN
from scapy.layers.ipsec import AH
from scapy.layers.l2 import ARP, Dot1Q
from scapy.packet import Packet, Raw

from pvdrivers.abi.wire import IpProtocol
from pvdrivers.net.headers import TAGS_MAX, Headers, Transport, parse
from tests.pvdrivers.net.frames import ETHER, NETWORKS, TAGS, TCP_HEADER, UDP_HEADER, frame, whole

V6 = IPv6(src="fd00::1", dst="fd00::2")
UDP_OVER_IPV4 = frame("untagged", "ipv4", UDP_HEADER, b"payload")
TCP_OVER_IPV4 = frame("untagged", "ipv4", TCP_HEADER, b"payload")
TCP_OVER_IPV6 = frame("untagged", "ipv6", TCP_HEADER, b"payload")


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


@pytest.mark.parametrize("transport", [TCP_HEADER, UDP_HEADER], ids=["tcp", "udp"])
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("tag", TAGS)
def test_headers_are_where_scapy_put_them(tag: str, network: str, transport: Packet) -> None:
    data = frame(tag, network, transport, b"payload")
    ethernet, internet = len(bytes(TAGS[tag])), len(bytes(NETWORKS[network]))
    start = ethernet + internet
    expected = Headers(
        4 if network.startswith("ipv4") else 6,
        ethernet,
        {"untagged": 0, "vlan": 1, "qinq": 2}[tag],
        Transport(
            IpProtocol.TCP if TCP in transport else IpProtocol.UDP, start, start + len(bytes(transport)), len(data)
        ),
    )
    assert parse(data) == expected
    assert parse(memoryview(data + bytes(9))) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(13),
        bytes(ETHER / ARP()),
        patched(UDP_OVER_IPV4, 12, b"\x00\x21"),  # a length, as 802.3 had it
        UDP_OVER_IPV4[:33],
        patched(UDP_OVER_IPV4, 14, b"\x55"),  # version 5
        patched(UDP_OVER_IPV4, 14, b"\x44"),  # a header of 16 bytes
        patched(UDP_OVER_IPV4, 16, b"\x00\x13"),  # a packet of 19
        patched(UDP_OVER_IPV4, 14, b"\x4f"),  # a header longer than the packet
        UDP_OVER_IPV4[:-1],
        TCP_OVER_IPV6[:53],
        TCP_OVER_IPV6[:-1],
        patched(TCP_OVER_IPV6, 14, b"\x40"),
        bytes(ETHER / Dot1Q())[:17],
    ],
    ids=lambda data: data.hex()[24:64] or "empty",
)
def test_what_is_no_whole_packet_of_ip(data: bytes) -> None:
    assert parse(data) is None


def test_so_many_tags_and_no_more() -> None:
    packet = NETWORKS["ipv4"] / UDP_HEADER
    for _ in range(TAGS_MAX):
        packet = Dot1Q() / packet
    headers = parse(bytes(ETHER / packet))
    assert headers is not None
    assert (headers.network, headers.tags) == (14 + 4 * TAGS_MAX, TAGS_MAX)
    assert parse(bytes(ETHER / Dot1Q() / packet)) is None


@pytest.mark.parametrize(
    "packet",
    [
        IP() / ICMP(),
        V6 / Raw(bytes(40)),
        IP(flags="MF") / UDP() / Raw(b"first"),
        IP(frag=1, proto=6) / Raw(bytes(40)),
        V6 / IPv6ExtHdrFragment(m=1) / UDP() / Raw(b"first"),
        V6 / IPv6ExtHdrFragment(offset=3, nh=6) / Raw(bytes(40)),
        # To be routed by the header's addresses: the sum is about the last of them.
        V6 / IPv6ExtHdrRouting(addresses=["fd00::3"]) / TCP(),
        # More headers than are looked at, and one that is cut off.
        V6 / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(220))]) / UDP(),
        V6 / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(212))]) / IPv6ExtHdrDestOpt() / UDP(),
        IPv6(nh=60) / Raw(b"\x06\x00\x01"),
    ],
    ids=lambda packet: packet.summary().replace(" / ", "-"),
)
def test_what_carries_no_whole_tcp_or_udp(packet: Packet) -> None:
    headers = parse(bytes(ETHER / packet))
    assert headers == Headers(4 if IP in packet else 6, 14, 0, None)


@pytest.mark.parametrize(
    ("at", "new"),
    [(46, b"\x40"), (46, b"\xf0")],
    ids=["a header of 16 bytes", "a header longer than the packet"],
)
def test_tcp_with_an_impossible_length(at: int, new: bytes) -> None:
    assert parse(patched(TCP_OVER_IPV4, at, new)) == Headers(4, 14, 0, None)


@pytest.mark.parametrize("length", [0, 7, 16])
def test_udp_with_an_impossible_length(length: int) -> None:
    assert parse(patched(UDP_OVER_IPV4, 38, struct.pack(">H", length))) == Headers(4, 14, 0, None)


def test_udp_that_is_shorter_than_its_packet_ends_where_it_says() -> None:
    headers = parse(patched(UDP_OVER_IPV4, 38, struct.pack(">H", 10)))
    assert headers is not None
    assert headers.transport == Transport(IpProtocol.UDP, 34, 42, 44)


@pytest.mark.parametrize(
    ("extension", "length"),
    [
        (AH(nh=6, payloadlen=4, spi=1, seq=1, icv=bytes(12)), 24),
        (IPv6ExtHdrRouting(addresses=["fd00::3"], segleft=0), 24),
        # With IPv6's own 40, all that is looked at.
        (IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(212))]), 216),
    ],
    ids=["authentication", "routed", "limit"],
)
def test_extension_headers_have_lengths_of_their_own(extension: Packet, length: int) -> None:
    data = bytes(ETHER / V6 / extension / TCP() / Raw(b"payload"))
    assert parse(data) == Headers(6, 14, 0, Transport(IpProtocol.TCP, 54 + length, 74 + length, len(data)))


@pytest.mark.parametrize(("network", "at"), [("ipv4", 16), ("ipv6", 18)])
def test_what_is_to_be_cut_ends_with_the_frame(network: str, at: int) -> None:
    data = patched(frame("untagged", network, TCP_HEADER, bytes(3000)), at, b"\0\0")
    headers = parse(data, large=True)
    assert headers is not None
    assert headers.transport is not None
    assert headers.transport.end == len(data)
    assert parse(data) in {None, Headers(6, 14, 0, None)}


def test_extension_headers_without_end_end() -> None:
    data = bytes(ETHER / V6)[:54]
    data = patched(data, 18, struct.pack(">HB", 65528, 60)) + bytes([60, 0, 1, 4, 0, 0, 0, 0]) * 8191
    assert parse(data) == Headers(6, 14, 0, None)


@given(
    st.one_of(
        st.binary(max_size=120),
        st.builds(patched, whole, st.integers(12, 90), st.binary(min_size=1, max_size=4)),
        st.builds(lambda data, end: data[:end], whole, st.integers(0, 120)),
    ),
    st.booleans(),
)
def test_whatever_the_bytes_are(data: bytes, large: bool) -> None:
    headers = parse(data, large=large)
    if headers is not None and headers.transport is not None:
        place = headers.transport
        assert 14 + 4 * headers.tags == headers.network < place.start < place.payload <= place.end <= len(data)
        assert data[headers.network] >> 4 == headers.version
