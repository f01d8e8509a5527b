"""What is known of a frame, and the header before it: each cell of the table, and the kernel's opinion of it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import GRE
from scapy.packet import Packet, Raw

from pvdrivers.abi.layout import Layout
from pvdrivers.abi.netif import GsoType
from pvdrivers.abi.virtio_net import HDR, HDR_V1, TunOffload
from pvdrivers.net import virtio
from pvdrivers.net.errors import Unfit
from pvdrivers.net.finish import blanked
from pvdrivers.net.fit import fit
from pvdrivers.net.frame import PLAIN, Abilities, Checksum, Frame, Offload
from pvdrivers.net.headers import parse
from tests.pvdrivers.net.frames import ETHER, TCP_HEADER, UDP_HEADER, frame, mended, whole
from tests.pvdrivers.net.kernel import sent

NEEDS_CSUM, DATA_VALID, RSC_INFO, ECN = 1, 2, 4, 0x80
BLANK, VALIDATED = Offload(Checksum.BLANK), Offload(Checksum.VALIDATED)
ALL = Abilities(checksum_v4=True, checksum_v6=True, gso_v4=True, gso_v6=True)


def packed(flags: int, gso: int = 0, hdr_len: int = 0, size: int = 0, start: int = 0, offset: int = 0) -> bytes:
    return struct.pack("<BBHHHH", flags, gso, hdr_len, size, start, offset)


def blank(tag: str, network: str, transport: Packet, payload: bytes = b"payload") -> bytes:
    data = frame(tag, network, transport, payload)
    headers = parse(data)
    assert headers is not None
    assert headers.transport is not None
    return bytes(blanked(data, headers, headers.transport))


UDP4, UDP6 = blank("untagged", "ipv4", UDP_HEADER), blank("untagged", "ipv6", UDP_HEADER)
TCP4, TCP6 = blank("untagged", "ipv4", TCP_HEADER, bytes(3000)), blank("untagged", "ipv6", TCP_HEADER, bytes(3000))
LARGE4, LARGE6 = Offload(Checksum.BLANK, GsoType.TCPV4, 1448), Offload(Checksum.BLANK, GsoType.TCPV6, 1428)

#: The table, read in both directions.
BOTH: list[tuple[bytes, Offload, bytes]] = [
    (UDP4, PLAIN, packed(0)),
    (UDP4, BLANK, packed(NEEDS_CSUM, start=34, offset=6)),
    (UDP6, BLANK, packed(NEEDS_CSUM, start=54, offset=6)),
    (TCP4, BLANK, packed(NEEDS_CSUM, start=34, offset=16)),
    (TCP6, BLANK, packed(NEEDS_CSUM, start=54, offset=16)),
    (TCP4, LARGE4, packed(NEEDS_CSUM, 1, 66, 1448, 34, 16)),
    (TCP6, LARGE6, packed(NEEDS_CSUM, 4, 86, 1428, 54, 16)),
]
#: What is read, and would be written otherwise.
READ: list[tuple[bytes, bytes, Frame | Unfit]] = [
    (packed(DATA_VALID), UDP4, Frame(UDP4, VALIDATED)),
    (packed(RSC_INFO, start=9, offset=9), UDP4, Frame(UDP4)),
    # Whatever else is said, a sum that is to be finished has not been looked at.
    (packed(NEEDS_CSUM | DATA_VALID, start=34, offset=6), UDP4, Frame(UDP4, BLANK)),
    (packed(NEEDS_CSUM, 1 | ECN, 66, 1448, 34, 16), TCP4, Frame(TCP4, LARGE4)),
    (packed(NEEDS_CSUM, 4 | ECN, 66, 1428, 34, 16), TCP6, Frame(TCP6, LARGE6)),
    # A card may have put one together that is validated; whoever cuts it needs the pseudo-header's sum.
    (packed(DATA_VALID, 1, 66, 1448), TCP4, Frame(TCP4, LARGE4)),
    (packed(NEEDS_CSUM, 1, 66, 0, 34, 16), TCP4, Unfit.GSO_SIZE),
    (packed(NEEDS_CSUM, 3, 42, 1448, 34, 6), UDP4, Unfit.GSO_TYPE),
    (packed(NEEDS_CSUM, 5, 42, 1448, 34, 6), UDP4, Unfit.GSO_TYPE),
    (packed(NEEDS_CSUM, 2, 66, 1448, 34, 16), TCP4, Unfit.GSO_TYPE),
    (packed(NEEDS_CSUM, start=len(UDP4) - 7, offset=6), UDP4, Unfit.CHECKSUM_PLACE),
    (packed(NEEDS_CSUM, start=0xFFFF, offset=0xFFFF), UDP4, Unfit.CHECKSUM_PLACE),
]
UNWRITTEN: list[tuple[bytes, Offload, Unfit]] = [
    (bytes(ETHER / IP() / ICMP()), BLANK, Unfit.BLANK),
    (bytes(ETHER / IP(flags="MF") / UDP() / Raw(b"first")), BLANK, Unfit.BLANK),
    (UDP4[:-1], BLANK, Unfit.BLANK),
    (b"", BLANK, Unfit.BLANK),
    (TCP4, LARGE6, Unfit.GSO_TYPE),
    (TCP6, LARGE4, Unfit.GSO_TYPE),
    (UDP4, LARGE4, Unfit.GSO_TYPE),
    (b"", LARGE4, Unfit.GSO_TYPE),
    (TCP4, Offload(Checksum.BLANK, GsoType.TCPV4, 0), Unfit.GSO_SIZE),
    (TCP4, Offload(Checksum.BLANK, GsoType.TCPV4, 0xFFFF), Unfit.GSO_SIZE),
]


@pytest.mark.parametrize("layout", [HDR, HDR_V1], ids=["10", "12"])
@pytest.mark.parametrize(("data", "offload", "header"), BOTH, ids=lambda value: str(value)[-24:])
def test_both_ways(data: bytes, offload: Offload, header: bytes, layout: Layout) -> None:
    # Of buffers, of which the longer one's end is about, a TAP knows nothing.
    header = header.ljust(layout.size, b"\0")
    assert virtio.header(Frame(data, offload), layout) == header
    assert virtio.read(bytearray(header), data) == Frame(data, offload)


@pytest.mark.parametrize(("header", "data", "expected"), READ, ids=lambda value: getattr(value, "value", ""))
def test_what_is_read(header: bytes, data: bytes, expected: Frame | Unfit) -> None:
    assert virtio.read(header, data) == expected


def test_validated_is_not_written_since_nobody_listens() -> None:
    assert virtio.header(Frame(UDP4, VALIDATED)) == bytes(10)


@pytest.mark.parametrize(("data", "offload", "why"), UNWRITTEN, ids=lambda value: getattr(value, "value", ""))
def test_what_the_kernel_would_refuse(data: bytes, offload: Offload, why: Unfit) -> None:
    assert virtio.header(Frame(data, offload)) is why


@pytest.mark.parametrize(
    ("tag", "network", "start"),
    [("vlan", "ipv4", 38), ("qinq", "ipv6", 62)],
)
def test_what_linux_would_not_find_is_finished(tag: str, network: str, start: int) -> None:
    for transport, offset in ((TCP_HEADER, 16), (UDP_HEADER, 6)):
        read = virtio.read(packed(NEEDS_CSUM, start=start, offset=offset), blank(tag, network, transport))
        assert read == Frame(frame(tag, network, transport, b"payload"))


def test_a_tunnels_inner_sum_is_finished() -> None:
    inner = IP(src="192.0.2.1", dst="192.0.2.2") / TCP(dport=80) / Raw(b"payload")
    tunnelled = bytes(ETHER / IP(src="10.0.0.1", dst="10.0.0.2") / GRE() / inner)
    headers = parse(bytes(ETHER / inner))
    assert headers is not None
    assert headers.transport is not None
    left = tunnelled[:38] + blanked(bytes(ETHER / inner), headers, headers.transport)[14:]
    assert left != tunnelled
    assert virtio.read(packed(NEEDS_CSUM, start=58, offset=16), left) == Frame(tunnelled)


def test_a_sum_elsewhere_than_in_tcp_or_udp_is_finished_where_it_is_said_to_be() -> None:
    # TCP's urgent pointer, as if the sum belonged there.
    read = virtio.read(packed(NEEDS_CSUM, start=34, offset=18), TCP4)
    assert isinstance(read, Frame)
    assert read.offload == PLAIN
    data = bytes(read.data)
    assert data[:52] + data[54:] == TCP4[:52] + TCP4[54:]
    assert data[52:54] != TCP4[52:54]


@pytest.mark.parametrize(
    ("reader", "bits"),
    [
        (Abilities(), 0),
        (Abilities(checksum_v4=True), TunOffload.CSUM),
        (Abilities(checksum_v6=True), TunOffload.CSUM),
        (Abilities(checksum_v4=True, gso_v4=True), TunOffload.CSUM | TunOffload.TSO4),
        (Abilities(checksum_v4=True, gso_v4=True, gso_v6=True), TunOffload.CSUM | TunOffload.TSO4),
        # The kernel takes none without sums.
        (Abilities(gso_v4=True, gso_v6=True), 0),
        (ALL, TunOffload.CSUM | TunOffload.TSO4 | TunOffload.TSO6),
    ],
)
def test_what_a_tap_may_leave(reader: Abilities, bits: int) -> None:
    assert virtio.readable(reader) == bits


@given(st.binary(min_size=12, max_size=12), st.one_of(st.binary(max_size=120), whole))
def test_whatever_a_header_says(header: bytes, data: bytes) -> None:
    read = virtio.read(header, data)
    if isinstance(read, Frame):
        assert len(read.data) == len(data)
        fitted = fit(read, ALL)
        if not isinstance(fitted, Unfit):
            # What has been made fit, the kernel takes.
            assert all(isinstance(virtio.header(each), bytes) for each in fitted)


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize(
    ("tag", "network", "transport"),
    [
        ("untagged", "ipv4", UDP_HEADER),
        ("untagged", "ipv4-options", TCP_HEADER),
        ("untagged", "ipv6-extensions", UDP_HEADER),
        ("vlan", "ipv6", TCP_HEADER),
    ],
)
def test_the_kernel_finishes_what_it_is_told_is_blank(tag: str, network: str, transport: Packet) -> None:
    data = blank(tag, network, transport)
    header = virtio.header(Frame(data, BLANK))
    assert isinstance(header, bytes)
    assert sent(header, data) == [mended(data)]
    assert mended(data) != data
