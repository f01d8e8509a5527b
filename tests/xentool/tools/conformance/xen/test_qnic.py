"""The far side of QEMU's vifs: frames as they are on a wire."""

import socket
from contextlib import closing
from pathlib import Path

from pvdrivers.abi.wire import IpProtocol
from pvdrivers.conformance.net.frames import Carried, packet, plain
from xentool.tools.conformance.xen.qnic import WireFar

TCP = packet(4, IpProtocol.TCP, b"some bytes")


def test_frames_are_whole_when_they_go_in(tmp_path: Path) -> None:
    there = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    there.bind(str(tmp_path / "qemu"))
    with closing(there), closing(WireFar(tmp_path / "kit", tmp_path / "qemu")) as far:
        assert far.send(Carried(plain(b"x")))
        assert far.send(TCP.carried())
        assert not far.send(TCP.carried(1400))
        # Nobody finishes a checksum there.
        assert [there.recv(2000), there.recv(2000)] == [plain(b"x"), TCP.data]
        there.sendto(plain(b"y"), str(tmp_path / "kit"))
        assert far.receive(60) == Carried(plain(b"y"))
        assert far.receive(0) is None


def test_nobody_is_there(tmp_path: Path) -> None:
    with closing(WireFar(tmp_path / "kit", tmp_path / "qemu")) as far:
        assert not far.send(Carried(plain(b"lost")))
