"""Constants and layouts against Linux's headers (linux-libc-dev), as a C compiler reads them."""

from collections.abc import Iterator

from pvdrivers.abi import virtio_net, wire
from tests.pvdrivers.abi.compiler import complaints, fields

WIRE_HEADERS = [f"linux/{name}.h" for name in ("if_ether", "in", "in6", "ip", "ipv6", "tcp", "udp")]

NUMBERS = {
    "sizeof(struct ethhdr)": wire.ETHERNET_SIZE,
    "__builtin_offsetof(struct ethhdr, h_proto)": wire.ETHERNET_TYPE_AT,
    "ETH_ALEN": wire.ADDRESS_SIZE,
    "ETH_P_IP": wire.EtherType.IPV4,
    "ETH_P_IPV6": wire.EtherType.IPV6,
    "ETH_P_8021Q": wire.EtherType.VLAN,
    "ETH_P_8021AD": wire.EtherType.SERVICE_VLAN,
    "IPPROTO_HOPOPTS": wire.IpProtocol.HOP_OPTIONS,
    "IPPROTO_TCP": wire.IpProtocol.TCP,
    "IPPROTO_UDP": wire.IpProtocol.UDP,
    "IPPROTO_ROUTING": wire.IpProtocol.ROUTING,
    "IPPROTO_FRAGMENT": wire.IpProtocol.FRAGMENT,
    "IPPROTO_AH": wire.IpProtocol.AUTHENTICATION,
    "IPPROTO_DSTOPTS": wire.IpProtocol.DESTINATION_OPTIONS,
    "sizeof(struct iphdr)": wire.IPV4_SIZE,
    "__builtin_offsetof(struct iphdr, tot_len)": wire.IPV4_LENGTH_AT,
    "__builtin_offsetof(struct iphdr, id)": wire.IPV4_IDENT_AT,
    "__builtin_offsetof(struct iphdr, frag_off)": wire.IPV4_FRAGMENT_AT,
    "__builtin_offsetof(struct iphdr, protocol)": wire.IPV4_PROTOCOL_AT,
    "__builtin_offsetof(struct iphdr, check)": wire.IPV4_CHECKSUM_AT,
    "__builtin_offsetof(struct iphdr, saddr)": wire.IPV4_SOURCE_AT,
    "__builtin_offsetof(struct iphdr, daddr) + 4": wire.IPV4_DESTINATION_END,
    "sizeof(struct ipv6hdr)": wire.IPV6_SIZE,
    "__builtin_offsetof(struct ipv6hdr, payload_len)": wire.IPV6_LENGTH_AT,
    "__builtin_offsetof(struct ipv6hdr, nexthdr)": wire.IPV6_NEXT_AT,
    "__builtin_offsetof(struct ipv6hdr, saddr)": wire.IPV6_SOURCE_AT,
    "__builtin_offsetof(struct ipv6hdr, daddr) + 16": wire.IPV6_DESTINATION_END,
    "__builtin_offsetof(struct ipv6_opt_hdr, hdrlen)": wire.EXTENSION_LENGTH_AT,
    "__builtin_offsetof(struct ipv6_rt_hdr, segments_left)": wire.ROUTING_LEFT_AT,
    "sizeof(struct tcphdr)": wire.TCP_SIZE,
    "__builtin_offsetof(struct tcphdr, seq)": wire.TCP_SEQUENCE_AT,
    "__builtin_offsetof(struct tcphdr, ack_seq) + 4": wire.TCP_LENGTH_AT,
    "__builtin_offsetof(struct tcphdr, window) - 1": wire.TCP_FLAGS_AT,
    "__builtin_offsetof(struct tcphdr, check)": wire.TCP_CHECKSUM_AT,
    "sizeof(struct udphdr)": wire.UDP_SIZE,
    "__builtin_offsetof(struct udphdr, len)": wire.UDP_LENGTH_AT,
    "__builtin_offsetof(struct udphdr, check)": wire.UDP_CHECKSUM_AT,
    "__builtin_offsetof(struct udphdr, dest) + 2": wire.PORTS_SIZE,
    # Bits of a word of four bytes, of which its flags are the second.
    **{f"(__builtin_bswap32(TCP_FLAG_{flag.name}) >> 16)": int(flag) for flag in wire.TcpFlag},
}


def of_virtio() -> Iterator[str]:
    yield from fields(virtio_net.HDR, {})
    yield from fields(virtio_net.HDR_V1, {})
    yield from (f"VIRTIO_NET_HDR_F_{flag.name} == {flag}" for flag in virtio_net.HdrFlag)
    yield from (f"VIRTIO_NET_HDR_GSO_{kind.name} == {kind}" for kind in virtio_net.HdrGso)
    yield from (f"TUN_F_{bit.name} == {bit}" for bit in virtio_net.TunOffload)


def test_frames_are_as_linux_lays_them_out() -> None:
    assert complaints(WIRE_HEADERS, (f"{c} == {number}" for c, number in NUMBERS.items())) == ""


def test_a_taps_header_is_the_kernels() -> None:
    assert complaints(["linux/virtio_net.h", "linux/if_tun.h"], of_virtio()) == ""
