"""Frames of the kit's own, by scapy's sums; and what is wrong with others is found."""

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from pvdrivers.abi.wire import IpProtocol
from pvdrivers.conformance.net.frames import Carried, Packet, finished, packet, same_segments, unsound
from pvdrivers.conformance.net.toeplitz import KEY, hash_of, toeplitz
from tests.pvdrivers.net.frames import mended

KINDS = [(version, protocol) for version in (4, 6) for protocol in (IpProtocol.TCP, IpProtocol.UDP)]
PAYLOAD = bytes(range(251))


@pytest.fixture(params=KINDS, ids=lambda kind: f"{kind[1].name}-{kind[0]}")
def whole(request: pytest.FixtureRequest) -> Packet:
    version, protocol = request.param
    return packet(version, protocol, PAYLOAD, options=8 if protocol is IpProtocol.TCP else 0)


def test_all_that_it_says_is_right(whole: Packet) -> None:
    assert whole.data == mended(whole.data)
    assert whole.data[whole.payload :] == PAYLOAD
    assert unsound(whole.data, whole) == ""
    layer = Ether(whole.data)[TCP if whole.protocol is IpProtocol.TCP else UDP]
    assert bytes(layer) == whole.data[whole.start :]


@pytest.mark.parametrize("zero", [False, True])
def test_a_blank_checksum_is_finished(whole: Packet, zero: bool) -> None:
    data = whole.blanked(zero=zero)
    assert data != whole.data
    # From nothing no card makes it right.
    assert (finished(Carried(data, whole.blank)) == whole.data) is not zero


@pytest.mark.parametrize("place", [0, 16, -1])
def test_one_byte_is_another(whole: Packet, place: int) -> None:
    at = place % len(whole.data) if place < 0 else whole.start - 20 + place
    data = bytearray(whole.data)
    data[at] ^= 0x40
    assert unsound(bytes(data), whole) != ""
    assert unsound(whole.data[:-1], whole) != ""


def test_segments() -> None:
    whole = packet(4, IpProtocol.TCP, PAYLOAD)
    parts = [PAYLOAD[:100], PAYLOAD[100:200], PAYLOAD[200:]]
    frames = []
    for at, part in enumerate(parts):
        frame = Ether(packet(4, IpProtocol.TCP, part).data)
        frame[TCP].seq = 0xFFFFFF00 + 100 * at & 0xFFFFFFFF
        frames.append(mended(bytes(frame)))
    assert same_segments(frames, whole, 100) == ""
    assert same_segments(frames, whole, 99) == "a segment of 100 bytes of payload, of 99 at most"
    assert "is due" in same_segments(frames[1:], whole, 100)
    assert same_segments(frames[:2], whole, 100) == "the payload is another"
    assert "checksum" in same_segments([frames[0][:-1] + b"x", *frames[1:]], whole, 100)


def test_a_tag_and_a_fragment() -> None:
    assert Ether(packet(4, IpProtocol.UDP, PAYLOAD, tagged=True).data).vlan == 15
    assert Ether(packet(4, IpProtocol.UDP, PAYLOAD, fragment=True).data)[IP].flags == "MF"


@pytest.mark.parametrize(
    ("buffer", "value"),
    [
        # Microsoft, "Verifying the RSS Hash Calculation".
        ("420995bba18e6450", 0x323E8FC2),
        ("420995bba18e64500aea06e6", 0x51CCC178),
        ("3ffe250102001fff0000000000000007" + "3ffe2501020000030000000000000001", 0x2CC18CD5),
        ("3ffe250102001fff0000000000000007" + "3ffe2501020000030000000000000001" + "0aea06e6", 0x40207D3D),
    ],
)
def test_hashes(buffer: str, value: int) -> None:
    assert toeplitz(KEY, bytes.fromhex(buffer)) == value


def test_a_packet_is_hashed_with_its_ports() -> None:
    whole = packet(6, IpProtocol.TCP, b"", ports=(1, 2))
    addresses = whole.data[whole.start - 32 : whole.start]
    assert hash_of(whole) == toeplitz(KEY, addresses + bytes([0, 1, 0, 2]))
