"""The frames of a load, as scapy reads them."""

import pytest
from scapy.layers.inet import IP, TCP, UDP

from pvdrivers.abi.netif import GsoType
from pvdrivers.net.frame import PLAIN, Checksum, Offload
from pvdrivers.net.load.traffic import LONGEST, MSS, SHORTEST, frame, stamp_at
from tests.pvdrivers.net.frames import mended, taken_apart


@pytest.mark.parametrize("size", [SHORTEST, 64, 1514, LONGEST])
def test_plain_ones_are_udp(size: int) -> None:
    made = frame(size, gso=False)
    assert (len(made.data), made.offload) == (size, PLAIN)
    packet = taken_apart(bytes(made.data))
    assert packet[IP].chksum == taken_apart(mended(bytes(made.data)))[IP].chksum
    # None was made: whoever receives it has nothing to complain of.
    assert (packet[UDP].chksum, packet[UDP].len) == (0, size - 34)
    assert stamp_at(made) == size - len(packet[UDP].payload)


def test_those_that_are_to_be_cut_are_tcp() -> None:
    made = frame(LONGEST, gso=True)
    assert made.offload == Offload(Checksum.BLANK, GsoType.TCPV4, MSS)
    packet = taken_apart(bytes(made.data))
    assert (packet[IP].len, packet[TCP].dport) == (LONGEST - 14, 9)
    assert stamp_at(made) == LONGEST - len(packet[TCP].payload)


@pytest.mark.parametrize(
    ("size", "gso", "why"),
    [
        (SHORTEST - 1, False, "frames of 57 bytes, and they have 58 to 65535"),
        (LONGEST + 1, True, "frames of 65536 bytes"),
        (54 + MSS, True, "frames of 1502 bytes are not to be cut"),
    ],
)
def test_none_that_cannot_be(size: int, gso: bool, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        frame(size, gso=gso)
