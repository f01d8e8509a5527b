"""Two guests of one daemon: whatever one does, the other is served, and the daemon holds no more than it is to."""

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pvdrivers.abi.netif import CTRL_REQUEST, TX_RING, TxFlag
from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus.backends import Backends
from pvdrivers.bus.toolstack import Spot, plug
from pvdrivers.net.back.backend import Backend
from pvdrivers.net.frame import Frame
from pvdrivers.transport.loopback import Loopback, machine
from pvdrivers.xenbus import NET_BACK
from tests.pvdrivers.bus.joined import until
from tests.pvdrivers.net.bare import Bare
from tests.pvdrivers.net.lanes import STUCK, TestsPort
from tests.pvdrivers.net.messages import sent
from tests.pvdrivers.net.pair import SPOT, bench

SPOTS = [Spot("vif", "uvif", 0, domid, 0) for domid in (5, 6)]
PINGS = 100


@dataclass
class Daemon:
    """What serves both, each by a port of its own."""

    transport: Loopback
    guests: list[Loopback]
    ports: dict[Spot, TestsPort] = field(default_factory=dict)
    devices: dict[Spot, Backend] = field(default_factory=dict)

    def make(self, spot: Spot) -> Backend:
        self.ports[spot] = TestsPort()
        self.devices[spot] = Backend(self.transport, spot, self.ports[spot])
        return self.devices[spot]

    def join(self, number: int) -> Bare:
        """Have a guest's frontend joined."""
        spot, guest = SPOTS[number], self.guests[number]
        bare = Bare(guest, 0)
        until(lambda: self.transport.store.read(f"{spot.back}/state") == b"2")
        bare.publish(spot.front, bare.nodes())
        until(lambda: self.transport.store.read(f"{spot.back}/state") == b"4")
        return bare


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with (
        machine(tmp_path, [0, 5, 6]),
        Loopback(tmp_path, 0) as dom0,
        Loopback(tmp_path, 5) as five,
        Loopback(tmp_path, 6) as six,
    ):
        made = Daemon(dom0, [five, six])
        backends = Backends(dom0, "uvif", "vif", made.make, table=NET_BACK)
        for spot in SPOTS:
            plug(dom0.store, spot, {"handle": 0}, {"handle": 0})
        backends.start()
        yield made
        backends.stop()


class Flood(threading.Thread):
    """A guest that is a burden: packets that make no sense, events, states, requests for control, as many as it can."""

    def __init__(self, bare: Bare, guest: Loopback) -> None:
        super().__init__(daemon=True)
        self._bare, self._guest = bare, guest
        self._chance = random.Random(1)  # noqa: S311 - no secret
        self.going = True
        self.rounds = 0

    def run(self) -> None:
        bare, chance = self._bare, self._chance
        while self.going:
            # Neither fatal nor whole: too short, or of pages that are not granted.
            junk = [sent(chance.getrandbits(16), 0, chance.choice([0, 13, 100]), 0, 2**32 - 1) for _ in range(32)]
            self._put(bare, junk)
            for ring in (bare.tx, bare.rx, bare.control):
                ring.ring.take()
                ring.channel.notify()
            if bare.control.ring.room:
                bare.control.put(chance.randbytes(CTRL_REQUEST.size))
            if self.rounds % 64 == 0:
                self._guest.store.write(f"{SPOTS[1].front}/state", b"4")
            self.rounds += 1

    def _put(self, bare: Bare, junk: list[bytes]) -> None:
        if bare.tx.ring.room >= len(junk):
            bare.tx.put(b"".join(junk))


def test_one_that_is_a_burden_keeps_no_other_from_its_packets(daemon: Daemon) -> None:
    good, bad = daemon.join(0), daemon.join(1)
    flood = Flood(bad, daemon.guests[1])
    flood.start()
    until(lambda: flood.rounds > 10)
    lane = daemon.ports[SPOTS[0]].lanes[0]
    rounds = []
    for number in range(PINGS):
        rounds.append(flood.rounds)
        content = bytes([number]) * 60
        good.sends(number, content)
        assert lane.got(number + 1)[-1].data == content
        good.post(1)
        lane.give([Frame(content)])
        assert good.received(1, len(good.pages) - 1) == [content]
    flood.going = False
    flood.join(STUCK)
    # It was at it all the time, and was answered too.
    assert rounds[-1] > rounds[0]
    statistics = daemon.devices[SPOTS[1]].statistics()
    assert statistics["tx_errors"] > 100
    assert daemon.devices[SPOTS[0]].statistics()["tx_errors"] == 0


def test_frames_for_one_that_takes_none_wait_where_they_come_from(daemon: Daemon) -> None:
    bare = daemon.join(0)
    lane = daemon.ports[SPOTS[0]].lanes[0]
    lane.give([Frame(bytes(60))] * 10_000)
    until(lambda: lane.left < 10_000)
    # By now and then it has looked again, and has not taken more than it does at once.
    for number in range(3):
        bare.sends(number, bytes(60))
        assert lane.left == 10_000 - 128
    bare.post(200)
    assert bare.received(200) == [bytes(60)] * 200


def test_packets_of_one_without_credit_wait_in_its_ring(tmp_path: Path) -> None:
    # A hundred bytes a second, and the first packet uses up those of ten minutes.
    with bench(tmp_path, rate="100,1000000") as loop, loop.backend() as end:
        bare = Bare(loop.guest, 0)
        assert end.wait([XenbusState.INIT_WAIT], STUCK)
        bare.publish(SPOT.front, bare.nodes())
        assert end.wait([XenbusState.CONNECTED], STUCK)
        pages = 16
        slots = [sent(at, TxFlag.MORE_DATA if at < pages - 1 else 0, 4096, 0, bare.page(b"")) for at in range(pages)]
        slots[0] = sent(0, TxFlag.MORE_DATA, 65535, 0, bare.page(b""))
        slots[-1] = sent(pages - 1, 0, 4095, 0, bare.page(b""))
        bare.tx.put(b"".join(slots))
        bare.tx.take(pages)
        gref = bare.page(bytes(60))
        bare.tx.put(b"".join(sent(ident, size=60, gref=gref) for ident in range(bare.tx.ring.size)))
        # Those that are taken are answered once they are sent, and so the guest has no room for more.
        until(lambda: bare.tx.consumed)
        assert (bare.tx.ring.room, bare.tx.ring.take(), loop.there.lanes[0].count) == (0, b"", 1)
        # At the end they are sent on, and none is lost.
    assert len(bare.tx.ring.take()) == bare.tx.ring.size * TX_RING.response.size
    assert loop.there.lanes[0].count == 1 + bare.tx.ring.size
