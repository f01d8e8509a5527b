"""What is said of a frame by a virtio_net_hdr, to the bit."""

import pytest

from pvdrivers.abi.netif import GsoType
from pvdrivers.abi.wire import IpProtocol
from pvdrivers.conformance.net.frames import Blank, Carried, packet, plain
from xentool.tools.conformance.headed import read, written

WHOLE = packet(4, IpProtocol.TCP, bytes(3000), options=12)


def test_headers() -> None:
    frame = plain(b"")
    assert written(Carried(frame)) == bytes(10) + frame
    # To be finished from byte 34 on, 16 behind; its headers have 14 + 20 + 32 bytes.
    assert written(WHOLE.carried(1400)) == bytes([1, 1, 66, 0, 0x78, 5, 34, 0, 16, 0]) + WHOLE.blanked()
    assert read(written(WHOLE.carried(1400))) == WHOLE.carried(1400)


def test_what_else_a_kernel_says() -> None:
    # Somebody has looked at the sum; the sender has just slowed down.
    assert read(bytes([2, 0, 0, 0, 0, 0, 0, 0, 0, 0]) + b"data") == Carried(b"data")
    assert read(bytes([1, 0x81, 54, 0, 100, 0, 34, 0, 16, 0]) + b"x") == Carried(
        b"x", Blank(34, 16), GsoType.TCPV4, 100
    )
    with pytest.raises(KeyError):
        # Of UDP.
        read(bytes([1, 3, 0, 0, 100, 0, 34, 0, 16, 0]) + b"x")
