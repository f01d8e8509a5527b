"""Lives of a frontend, one after the other: however each ends, the next finds the backend waiting, and nothing is left.

A Windows guest closes before it connects; Linux begins anew without a word when another kernel is started (kexec), and
what was saved is plugged in anew when it is restored.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.bus.backends import Backends
from pvdrivers.bus.device import Nodes
from pvdrivers.bus.end import End
from pvdrivers.bus.nodes import Peer
from pvdrivers.bus.toolstack import Spot, part, plug, remove
from pvdrivers.net.back.backend import Backend
from pvdrivers.net.frame import Frame
from pvdrivers.net.front.frontend import Options
from pvdrivers.transport.loopback.hypervisor import InUse
from pvdrivers.xenbus import NET_BACK, Role
from tests.pvdrivers.block.rig import descriptors
from tests.pvdrivers.bus.joined import Frontish, until
from tests.pvdrivers.net.bare import Bare
from tests.pvdrivers.net.pair import BACK, GUEST, MAC, SPOT, Bench, bench

LIVES = 100
CONTENT = b"\x02" * 60


class Held(NamedTuple):
    """What may be left of a life."""

    back: InUse
    front: InUse
    watches: int
    nodes: int
    descriptors: int
    threads: int


def nodes(loop: Bench, path: str) -> int:
    """Count those below a path."""
    store = loop.dom0.store
    return sum(1 + nodes(loop, f"{path}/{name}") for name in store.directory(path)) if store.exists(path) else 0


def held(loop: Bench) -> Held:
    back, front = (loop.machine.hypervisor.in_use(domid) for domid in (BACK, GUEST))
    watches = len(loop.dom0.store._watches) + len(loop.guest.store._watches)
    return Held(back, front, watches, nodes(loop, "/local/domain"), descriptors(), threading.active_count())


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


class Guest(Frontish):
    """A frontend that writes states, and looks how they are answered."""

    def __init__(self, loop: Bench, end: End) -> None:
        super().__init__(loop.guest, SPOT)
        self._loop, self._end = loop, end
        self._lives = 0

    def says(self, state: S, answer: S) -> None:
        """Write a state, and wait for the backend's."""
        self.write("state", int(state))
        assert self._end.wait([answer], 600), (state, self._end.state, self._end.error)

    def joins(self) -> Bare:
        """Connect, and send a packet."""
        bare = Bare(self._loop.guest, BACK)
        bare.publish(SPOT.front, bare.nodes())
        assert self._end.wait([S.CONNECTED], 600), self._end.error
        bare.sends(self._lives & 0xFF, CONTENT)
        assert self._loop.there.lanes[0].got(1) == [Frame(CONTENT)]
        self._lives += 1
        return bare


@pytest.fixture
def guest(loop: Bench) -> Iterator[Guest]:
    with loop.backend() as end:
        assert end.wait([S.INIT_WAIT], 600)
        # A life of which nodes stay that are overwritten by the next.
        made = Guest(loop, end)
        bare = made.joins()
        made.says(S.CLOSED, S.CLOSED)
        bare.close()
        made.says(S.INITIALISING, S.INIT_WAIT)
        yield made
        assert end.error is None
        assert loop.lines == []


def test_windows_closes_before_it_connects(loop: Bench, guest: Guest) -> None:
    before, opened = held(loop), len(loop.there.readers)
    for _ in range(LIVES):
        guest.says(S.CLOSING, S.CLOSING)
        guest.says(S.CLOSED, S.CLOSED)
        guest.says(S.INITIALISING, S.INIT_WAIT)
    assert held(loop) == before
    assert len(loop.there.readers) == opened
    guest.joins().close()


def test_a_hundred_lives_that_close(loop: Bench, guest: Guest) -> None:
    before = held(loop)
    for _ in range(LIVES):
        bare = guest.joins()
        # What it has sent by then is taken, and what it has not let go of holds up nobody.
        guest.says(S.CLOSING, S.CLOSING)
        assert loop.machine.hypervisor.in_use(BACK) == InUse(0, 0, 0)
        guest.says(S.CLOSED, S.CLOSED)
        bare.close()
        guest.says(S.INITIALISING, S.INIT_WAIT)
    until(lambda: held(loop) == before, 10)
    assert len(loop.there.readers) == LIVES + 1
    assert loop.there.closed > LIVES


def test_a_hundred_kernels_that_begin_without_a_word(loop: Bench, guest: Guest) -> None:
    before = held(loop)
    for _ in range(LIVES):
        bare = guest.joins()
        guest.says(S.INITIALISING, S.INIT_WAIT)
        assert loop.machine.hypervisor.in_use(BACK) == InUse(0, 0, 0)
        bare.close()
    until(lambda: held(loop) == before, 10)


def test_one_that_is_gone_for_good_is_let_go_of(loop: Bench) -> None:
    with loop.backend() as end, loop.frontend(Options(pages=64)) as front:
        part(loop.dom0.store, SPOT)
        until(lambda: end.over)
        assert Peer(loop.dom0.store, SPOT.back).state() is S.CLOSED
        assert loop.machine.hypervisor.in_use(BACK) == InUse(0, 0, 0)
        # The frontend waits for one that is plugged in.
        assert front.wait([S.CLOSED, S.INITIALISING], 600)
        assert loop.machine.hypervisor.in_use(GUEST) == InUse(0, 0, 0)


def test_what_is_saved_is_restored_again_and_again(loop: Bench) -> None:
    def made(spot: Spot) -> Backend:
        return Backend(loop.dom0, spot, loop.there)

    backends = Backends(loop.dom0, SPOT.backend, SPOT.kind, made, table=NET_BACK, log=loop.lines.append)
    backends.start()
    seen: set[Held] = set()
    for number in range(10):
        with loop.frontend(Options(pages=64)):
            content = Frame(bytes([number]) * 60)
            loop.here.lanes[0].give([content])
            assert loop.there.lanes[0].got(1) == [content]
        # The host that it was saved on forgets it, and another makes it anew: here it is the same one.
        remove(loop.dom0.store, SPOT)
        until(lambda: not backends.ends)
        seen.add(held(loop))
        assert plug(loop.dom0.store, SPOT, {"handle": 0, "mac": MAC}, {"handle": 0, "mac": MAC})
    backends.stop()
    assert len(seen) == 1, seen
    assert loop.lines == []


class Late(Backend):
    """One that says that it is connected later than it is, as one does that waits for its toolstack's script."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.scripted = threading.Event()

    def connect(self) -> Nodes:
        """Serve, and wait."""
        told = super().connect()
        assert self.scripted.wait(600)
        return told


def test_a_backend_that_waits_for_a_script_has_frames_before_it_says_so(loop: Bench) -> None:
    device = Late(loop.dom0, SPOT, loop.there)
    end = End(loop.dom0.store, SPOT.back, SPOT.front, device, role=Role.BACK, table=NET_BACK)
    end.start()
    joined = threading.Event()

    def use() -> None:
        with loop.frontend(Options(pages=64)):
            joined.set()

    user = threading.Thread(target=use, daemon=True)
    user.start()
    until(lambda: loop.here.lanes and loop.there.lanes)
    loop.here.lanes[0].give([Frame(CONTENT)])
    assert loop.there.lanes[0].got(1) == [Frame(CONTENT)]
    assert Peer(loop.dom0.store, SPOT.back).state() is S.INIT_WAIT
    assert not joined.is_set()
    device.scripted.set()
    assert joined.wait(600)
    user.join(600)
    until(lambda: Peer(loop.dom0.store, SPOT.back).state() is S.CLOSED)
    end.stop()
    end.join()
