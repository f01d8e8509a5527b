"""The published vectors of hashes by which cards are verified, of all types together.

Ref: "Verifying the RSS hash calculation", Windows driver documentation
"""

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q
from scapy.packet import Packet

from pvdrivers.abi.netif import HashType
from pvdrivers.net.frame import FlowHash

KEY = bytes.fromhex("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa")
V4 = IP(src="66.9.149.187", dst="161.142.100.80")
V6 = IPv6(src="3ffe:2501:200:1fff::7", dst="3ffe:2501:200:3::1")
TCP_PORTS, UDP_PORTS = TCP(sport=2794, dport=1766), UDP(sport=2794, dport=1766)

OF_ALL_TYPES: list[tuple[Packet, FlowHash]] = [
    (V4 / TCP_PORTS, FlowHash(HashType.IPV4_TCP, 0x51CCC178)),
    (V6 / TCP_PORTS, FlowHash(HashType.IPV6_TCP, 0x40207D3D)),
    # Of UDP, and of fragments, addresses alone are hashed.
    (V4 / UDP_PORTS, FlowHash(HashType.IPV4, 0x323E8FC2)),
    (V6 / UDP_PORTS, FlowHash(HashType.IPV6, 0x2CC18CD5)),
    (IP(src=V4.src, dst=V4.dst, flags="MF") / TCP_PORTS, FlowHash(HashType.IPV4, 0x323E8FC2)),
    (Dot1Q(vlan=5) / V4 / TCP_PORTS, FlowHash(HashType.IPV4_TCP, 0x51CCC178)),
]
