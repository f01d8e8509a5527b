"""Checksums against scapy's: finished, blank, checked; what a Linux peer can be told is blank."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import GRE, Ether
from scapy.packet import Raw
from scapy.utils import checksum

from pvdrivers.net.finish import CHECKSUM_AT, blanked, finished, finished_at, ones_sum, sound, tellable
from pvdrivers.net.headers import Headers, Transport, parse
from tests.pvdrivers.net.frames import ETHER, NETWORKS, TAGS, TCP_HEADER, UDP_HEADER, frame, whole


def located(data: bytes) -> tuple[Headers, Transport, int]:
    """Give a frame's headers, and where its checksum's field is."""
    headers = parse(data)
    assert headers is not None
    assert headers.transport is not None
    return headers, headers.transport, headers.transport.start + CHECKSUM_AT[headers.transport.protocol]


def with_field(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + value.to_bytes(2, "big") + data[at + 2 :]


@given(st.binary(max_size=3000))
def test_sums_are_scapys(data: bytes) -> None:
    # scapy gives the complement.
    assert ones_sum(data) == 0xFFFF - checksum(data)


@given(st.binary(min_size=2, max_size=64).filter(lambda data: len(data) % 2 == 0), st.integers(0, 0xFFFF))
def test_sums_add_up(data: bytes, other: int) -> None:
    assert ones_sum(data, other) == ones_sum(data + other.to_bytes(2, "big"))


@given(whole, st.integers(0, 0xFFFF), st.integers(0, 9))
def test_finished_is_what_scapy_makes_of_it_whatever_the_field_holds(data: bytes, field: int, padding: int) -> None:
    headers, transport, at = located(data)
    assert sound(data, headers, transport)
    damaged = with_field(data, at, field) + bytes([0xA5] * padding)
    made = finished(damaged, headers, transport)
    assert made == data + bytes([0xA5] * padding)
    assert finished(memoryview(damaged), headers, transport) == made
    if field == int.from_bytes(data[at : at + 2], "big"):
        assert made is damaged
    else:
        assert sound(damaged, headers, transport) == (UDP in Ether(data) and field == 0)


@given(whole, st.integers(0, 0xFFFF))
def test_blank_holds_what_whoever_finishes_it_needs(data: bytes, field: int) -> None:
    headers, transport, at = located(data)
    blank = blanked(with_field(data, at, field), headers, transport)
    assert with_field(bytes(blank), at, 0) == with_field(data, at, 0)
    # As the kernel finishes it: by the field, from the header to the frame's end.
    assert finished_at(blank, transport.start, at - transport.start) == (
        data if UDP in Ether(data) else _other(data, at)
    )
    assert blanked(blank, headers, transport) is blank


def _other(data: bytes, at: int) -> bytes:
    """Give TCP's zero as the kernel writes it."""
    return with_field(data, at, int.from_bytes(data[at : at + 2], "big") or 0xFFFF)


def test_what_blank_holds_is_the_pseudo_header() -> None:
    data = frame("untagged", "ipv6", TCP_HEADER, b"payload")
    headers, transport, at = located(data)
    pseudo = b"".join(socket.inet_pton(socket.AF_INET6, address) for address in ("fd00::1", "fd00::2"))
    pseudo += struct.pack(">II", 20 + 12 + 7, 6)
    assert blanked(data, headers, transport)[at : at + 2] == (0xFFFF - checksum(pseudo)).to_bytes(2, "big")


def test_udp_writes_the_other_zero() -> None:
    data = frame("untagged", "ipv4", UDP_HEADER, b"\0\0")
    headers, transport, at = located(data)
    # A payload that brings the sum to zero.
    inverse = (0xFFFF - int.from_bytes(data[at : at + 2], "big")) ^ 0xFFFF
    zero = data[:-2] + inverse.to_bytes(2, "big")
    assert finished(zero, headers, transport)[at : at + 2] == b"\xff\xff"
    assert finished_at(blanked(zero, headers, transport), transport.start, 6) == finished(zero, headers, transport)
    assert sound(finished(zero, headers, transport), headers, transport)
    tcp = frame("untagged", "ipv4", TCP_HEADER, b"\0\0")
    headers, transport, at = located(tcp)
    zero = tcp[:-2] + tcp[at : at + 2]
    assert finished(zero, headers, transport)[at : at + 2] == b"\0\0"
    assert sound(finished(zero, headers, transport), headers, transport)


def test_udp_without_a_sum_is_sound() -> None:
    data = frame("untagged", "ipv4", UDP_HEADER, b"payload")
    headers, transport, at = located(data)
    assert sound(with_field(data, at, 0), headers, transport)
    assert not sound(with_field(data, at, 1), headers, transport)


def test_a_sum_of_a_tunnels_inner_frame_is_finished_by_its_place() -> None:
    inner = IP(src="192.0.2.1", dst="192.0.2.2") / TCP(dport=80) / Raw(b"payload")
    data = bytes(ETHER / IP(src="10.0.0.1", dst="10.0.0.2") / GRE() / inner)
    start = len(data) - len(bytes(inner)) + 20
    headers, transport, _ = located(bytes(ETHER / inner))
    blank = blanked(bytes(ETHER / inner), headers, transport)
    outer = data[: start - 20] + blank[14:]
    assert outer != data
    assert finished_at(outer, start, 16) == data


@pytest.mark.parametrize(("start", "offset"), [(34, 46), (81, 0), (65535, 65535)])
def test_a_field_past_the_end_is_not_written(start: int, offset: int) -> None:
    data = frame("untagged", "ipv4", TCP_HEADER, b"payload!!")[:82]
    assert finished_at(data[:81], start, offset) is None


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("network", NETWORKS)
def test_linux_can_be_told_of_what_has_no_tag(tag: str, network: str) -> None:
    data = frame(tag, network, TCP_HEADER, b"payload")
    headers, _, _ = located(data)
    assert tellable(data, headers) == (tag == "untagged")
    # It would sum up the padding too.
    assert not tellable(data + b"\0", headers)


@pytest.mark.parametrize(
    "packet",
    [IP(flags="MF") / UDP() / Raw(b"first"), IP(proto=1) / Raw(bytes(8)), IP(proto=132) / Raw(bytes(32))],
    ids=["fragment", "icmp", "sctp"],
)
def test_linux_cannot_be_told_of_other_transports(packet: IP) -> None:
    data = bytes(ETHER / packet)
    headers = parse(data)
    assert headers is not None
    assert not tellable(data, headers)
