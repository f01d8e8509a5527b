"""The far side of our vifs: frames and what is said of them, from one end to the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pvdrivers.abi.netif import GsoType
from pvdrivers.abi.wire import IpProtocol
from pvdrivers.conformance.net.frames import Carried, packet, plain
from pvdrivers.errors import MachineError
from pvdrivers.net.frame import PLAIN, Checksum, Frame, Offload
from pvdrivers.net.ports.base import ALL
from xentool.tools.conformance.far import SocketFar, SocketPort

TCP = packet(4, IpProtocol.TCP, bytes(5000), options=12)
SAID = [
    (Carried(plain(b"x" * 46)), PLAIN),
    (TCP.carried(), Offload(Checksum.BLANK)),
    (TCP.carried(1448), Offload(Checksum.BLANK, GsoType.TCPV4, 1448)),
]


@pytest.fixture
def far(tmp_path: Path) -> Iterator[SocketFar]:
    made = SocketFar(tmp_path / "far")
    yield made
    made.close()


@pytest.mark.parametrize("compiled", [False, True])
def test_frames_go_both_ways(far: SocketFar, tmp_path: Path, compiled: bool) -> None:
    port = SocketPort(tmp_path / "far", compiled=compiled)
    first, second = port.open(2, ALL)
    for carried, offload in SAID:
        second.send([Frame(carried.data, offload)])
        assert far.receive(10) == carried
        assert far.send(carried)
        (frame,) = first.receive(8)
        assert (bytes(frame.data), frame.offload) == (carried.data, offload)
    # One way in is enough.
    assert second.fileno() == -1
    port.close()


def test_another_frontend_comes(far: SocketFar, tmp_path: Path) -> None:
    for turn in range(3):
        port = SocketPort(tmp_path / "far")
        (lane,) = port.open(1, ALL)
        lane.send([Frame(plain(bytes([turn] * 46)))])
        assert far.receive(10) == Carried(plain(bytes([turn] * 46)))
        port.close()
    assert far.receive(0) is None


def test_what_lies_there_when_another_comes_has_come_out(far: SocketFar, tmp_path: Path) -> None:
    for turn in range(20):
        port, other = SocketPort(tmp_path / "far"), SocketPort(tmp_path / "far")
        (lane,) = port.open(1, ALL)
        frames = [plain(bytes([turn, number]) * 30) for number in range(6)]
        lane.send([Frame(data) for data in frames])
        (another,) = other.open(1, ALL)
        frames.append(plain(bytes([turn, 100]) * 30))
        another.send([Frame(frames[-1])])
        assert [far.receive(10) for _ in frames] == [Carried(data) for data in frames]
        port.close()
        other.close()


def test_nobody_is_there(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=f"no far side at {tmp_path}/far: "):
        SocketPort(tmp_path / "far").open(1, ALL)
