"""Frames cut in software: against scapy's lengths and sums, the kernel's own segments, and the payload that came in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from pvdrivers.abi.netif import GsoType
from pvdrivers.net import virtio
from pvdrivers.net.finish import blanked, finished
from pvdrivers.net.frame import Checksum, Frame, Offload
from pvdrivers.net.headers import Headers, Transport, parse
from pvdrivers.net.segment import SIZE_MIN, segment
from tests.pvdrivers.net.frames import NETWORKS, TAGS, TCP_HEADER, frame, mended, taken_apart
from tests.pvdrivers.net.kernel import sent


def located(data: bytes, *, large: bool = True) -> tuple[Headers, Transport]:
    headers = parse(data, large=large)
    assert headers is not None
    assert headers.transport is not None
    return headers, headers.transport


def payload(length: int) -> bytes:
    return bytes(number % 251 for number in range(length))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("tag", TAGS)
def test_each_segment_is_a_frame_that_scapy_would_make(tag: str, network: str) -> None:
    data = frame(tag, network, TCP_HEADER, payload(2500))
    segments = segment(data, *located(data), 1000, blank=False)
    packets = [taken_apart(each) for each in segments]
    assert [mended(each) for each in segments] == segments
    assert [len(packet[Raw]) for packet in packets] == [1000, 1000, 500]
    assert b"".join(bytes(packet[Raw]) for packet in packets) == payload(2500)
    # Past the end of 32 bits.
    assert [packet[TCP].seq for packet in packets] == [0xFFFFFF00, 0x2E8, 0x6D0]
    assert [str(packet[TCP].flags) for packet in packets] == ["AC", "A", "FPA"]
    if network == "ipv4":
        assert [(packet[IP].id, packet[IP].len) for packet in packets] == [
            (0xFFFE, 1052),
            (0xFFFF, 1052),
            (0, 552),
        ]
    if network == "ipv6-extensions":
        assert [packet[IPv6].plen for packet in packets] == [1064, 1064, 564]
    # All else is as it was.
    start, end = located(data)[1].start, located(data)[1].payload
    for each in segments:
        assert each[: located(data)[0].network] == data[: located(data)[0].network]
        assert (
            each[start + 14 : start + 16] + each[start + 18 : end]
            == data[start + 14 : start + 16] + data[start + 18 : end]
        )


@pytest.mark.parametrize("network", NETWORKS)
def test_blank_segments_are_finished_by_whoever_comes_next(network: str) -> None:
    data = frame("untagged", network, TCP_HEADER, payload(2500))
    blank = segment(data, *located(data), 1000, blank=True)
    whole = segment(data, *located(data), 1000, blank=False)
    assert [finished(each, *located(each, large=False)) for each in blank] == whole
    for each in blank:
        told = virtio.header(Frame(each, Offload(Checksum.BLANK)))
        assert isinstance(told, bytes)
        assert virtio.read(told, each) == Frame(each, Offload(Checksum.BLANK))


@pytest.mark.parametrize(
    ("length", "size", "lengths"),
    [(0, 1000, [0]), (1, 1000, [1]), (1000, 1000, [1000]), (1001, 1000, [1000, 1]), (20, SIZE_MIN, [8, 8, 4])],
)
def test_edges(length: int, size: int, lengths: list[int]) -> None:
    data = frame("untagged", "ipv4", TCP_HEADER, payload(length))
    segments = segment(data, *located(data), size, blank=False)
    assert [len(each) - 66 for each in segments] == lengths
    assert segments[-1][47] & 9 == 9
    assert segments[0][47] & 0x80
    if len(segments) == 1:
        assert segments == [data]


def test_next_to_nothing_is_no_size() -> None:
    data = frame("untagged", "ipv4", TCP_HEADER, payload(100))
    with pytest.raises(ValueError, match="7 bytes, and they are of 8 at least"):
        segment(data, *located(data), SIZE_MIN - 1, blank=False)


@given(
    st.sampled_from(sorted(TAGS)),
    st.sampled_from(sorted(NETWORKS)),
    st.binary(max_size=600),
    st.integers(SIZE_MIN, 700),
    st.integers(0, 0xFFFF),
)
def test_no_payload_is_lost_and_all_sums_are_right(
    tag: str, network: str, content: bytes, size: int, length: int
) -> None:
    data = frame(tag, network, TCP_HEADER, content)
    headers, transport = located(data)
    # Whatever the lengths in its headers are.
    at = headers.network + (2 if headers.version == 4 else 4)
    segments = segment(data[:at] + length.to_bytes(2, "big") + data[at + 2 :], headers, transport, size, blank=False)
    assert [mended(each) for each in segments] == segments
    assert b"".join(each[transport.payload :] for each in segments) == content
    assert all(len(each) == transport.payload + size for each in segments[:-1])


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize(
    ("network", "gso"),
    [("ipv4", GsoType.TCPV4), ("ipv4-options", GsoType.TCPV4), ("ipv6", GsoType.TCPV6)],
)
@pytest.mark.parametrize("tag", TAGS)
def test_segments_are_the_kernels(tag: str, network: str, gso: GsoType) -> None:
    data = frame(tag, network, TCP_HEADER, payload(60001))
    large = Frame(data, Offload(Checksum.BLANK, gso, 1398))
    header = virtio.header(large)
    assert isinstance(header, bytes)
    ours = segment(data, *located(data), 1398, blank=False)
    assert len(ours) == 43
    assert sent(header, bytes(blanked(data, *located(data)))) == ours
