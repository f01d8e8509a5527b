"""Frames by a relay, between a stream and an interface of a network namespace that is made for it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvdrivers.abi.wire import IpProtocol
from pvdrivers.conformance.net.frames import FAR, GUEST, Carried, packet, plain
from pvdrivers.errors import MachineError
from xentool.tools.conformance.xen import relay, relayed
from xentool.tools.conformance.xen.relayed import RelayedFar

#: Both ends of a cable, each with a relay as guests have it.
CABLE = """
ip link add left type veth peer name right
"$1" -I -S -c "$2" "$3/a" <&"$4" >&"$4" &
"$1" -I -S -c "$2" "$3/b" <&"$5" >&"$5"
wait
"""
TCP = [packet(version, IpProtocol.TCP, bytes(range(250)) * 20, options=12) for version in (4, 6)]
TAGGED = packet(4, IpProtocol.UDP, b"tagged" * 10, tagged=True)


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[RelayedFar, RelayedFar]]:
    for folder, name in (("a", "left"), ("b", "right")):
        # As sysfs tells a driver's interface.
        (tmp_path / folder / name).mkdir(parents=True)
    ours, theirs = zip(*(socket.socketpair() for _ in range(2)), strict=True)
    numbers = [each.fileno() for each in theirs]
    words = [sys.executable, Path(relay.__file__).read_text(), str(tmp_path), *map(str, numbers)]
    with subprocess.Popen(["unshare", "-Urn", "bash", "-ec", CABLE, "bash", *words], pass_fds=numbers) as process:
        for each in theirs:
            each.close()
        left, right = map(RelayedFar, ours)
        assert left.ready()
        assert right.ready()
        yield left, right
        left.close()
        right.close()
        # They end with their streams.
        assert process.wait(600) == 0


def test_frames_go_both_ways_with_all_that_is_said_of_them(ends: tuple[RelayedFar, RelayedFar]) -> None:
    frames = [Carried(plain(bytes([size % 251]) * size)) for size in (46, 47, 1500)]
    frames += [Carried(TAGGED.data), *(each.carried(1400) for each in TCP)]
    frames += [packet(version, IpProtocol.UDP, b"blank").carried() for version in (4, 6)]
    for one, other in (ends, ends[::-1]):
        for frame in frames:
            assert one.send(frame)
        assert [other.receive(60) for _ in frames] == frames
        # Nobody says anything else, nor hears himself.
        assert (one.receive(0), other.receive(0)) == (None, None)


def test_what_is_longer_than_the_interface_takes_makes_it_take_more(ends: tuple[RelayedFar, RelayedFar]) -> None:
    left, right = ends
    long, back = Carried(plain(b"x" * 9000)), Carried(plain(b"y" * 40000, to=GUEST, source=FAR))
    # The first is too long for the other end, which has not sent any.
    assert left.send(long)
    assert right.send(back)
    assert left.receive(60) == back
    assert left.send(long)
    assert right.receive(60) == long


def test_a_stream_that_ends_gives_nothing_and_takes_nothing() -> None:
    ours, theirs = socket.socketpair()
    far = RelayedFar(ours)
    theirs.sendall(relay.HEAD.pack(0) + relay.HEAD.pack(30) + b"half of a frame")
    theirs.close()
    assert far.ready()
    assert far.receive(60) is None
    assert not far.send(Carried(plain(b"lost")))
    far.close()


def test_ipv6_is_off_before_an_interface_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    knob, asked = tmp_path / "vif0.0" / "disable_ipv6", []

    def answered(name: str, number: int, content: bytes) -> bytes:
        # It is in sysfs before IPv6 knows it: only what waits for the kernel's lock comes behind that.
        knob.parent.mkdir(exist_ok=True)
        asked.append((name, number, knob.read_text() if knob.exists() else "", content))
        return bytes(24)

    monkeypatch.setattr(relay, "_IPV6", os.fspath(tmp_path))
    monkeypatch.setattr(relay, "_asked", answered)
    relay._quiet("vif0.0")
    name, number, disabled, flags = asked[-1]
    assert (name, number, disabled) == ("vif0.0", 0x8914, "1")
    # IFF_UP, IFF_NOARP
    assert flags == b"\x81\0"


def test_no_interface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "_PATIENCE", 0.0)
    with pytest.raises(MachineError, match=f"no interface in {tmp_path}/net"), relayed.here(f"{tmp_path}/net"):
        pass


def test_a_relay_that_nobody_waits_for_ends_without_an_interface(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs, pytest.raises(OSError, match="no interface"):
        relay.found(os.fspath(tmp_path), theirs.fileno())


def test_a_guests_shell_runs_one(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.xentool.tools.conformance.xen.in_guest", str(tmp_path)]
    done = subprocess.run(["unshare", "-Urn", *words], capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout == "passed 2 each way\n", done.stderr
