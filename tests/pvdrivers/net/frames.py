"""Frames as scapy makes them, with checksums of its own, and what hypothesis makes of them."""

from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, PadN
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Packet, Raw

ETHER = Ether(dst="00:16:3e:00:00:01", src="00:16:3e:00:00:02")
#: What IP a frame may have; tests combine each with a transport.
NETWORKS: dict[str, Packet] = {
    "ipv4": IP(src="10.0.0.1", dst="10.0.0.2", id=0xFFFE, flags="DF"),
    "ipv4-options": IP(src="10.0.0.1", dst="10.0.0.2", options=[IPOption_NOP()] * 5),
    "ipv6": IPv6(src="fd00::1", dst="fd00::2", fl=0x12345),
    "ipv6-extensions": IPv6(src="fd00::1", dst="fd00::2")
    / IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(12))])
    / IPv6ExtHdrDestOpt()
    / IPv6ExtHdrFragment(offset=0, m=0, id=7),
}
TAGS: dict[str, Packet] = {
    "untagged": ETHER,
    "vlan": ETHER / Dot1Q(vlan=5),
    "qinq": ETHER / Dot1AD(vlan=5) / Dot1Q(vlan=6),
}
TCP_HEADER = TCP(sport=40000, dport=80, seq=0xFFFFFF00, ack=1, flags="FPAC", options=[("Timestamp", (1, 2))])
UDP_HEADER = UDP(sport=40000, dport=53)


def frame(tag: str, network: str, transport: Packet, payload: bytes) -> bytes:
    """Give a frame with right lengths and checksums."""
    return bytes(TAGS[tag] / NETWORKS[network] / transport / Raw(payload))


def taken_apart(data: bytes) -> Packet:
    """Give a frame as scapy reads it."""
    return Ether(data)


def mended(data: bytes) -> bytes:
    """Give a frame with all checksums and lengths as scapy makes them."""
    packet = Ether(data)
    for kind, field in ((IP, "chksum"), (TCP, "chksum"), (UDP, "chksum")):
        if kind in packet:
            delattr(packet[kind], field)
    return bytes(packet)


#: Frames of all kinds that scapy has summed up, beside where their transport's header begins.
whole = st.builds(
    frame,
    st.sampled_from(sorted(TAGS)),
    st.sampled_from(sorted(NETWORKS)),
    st.sampled_from([TCP_HEADER, UDP_HEADER]),
    st.binary(max_size=200),
)
