"""Both ends of a vif, by XenStore: they find each other, carry frames, part, and begin anew."""

import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus import joining
from pvdrivers.bus.end import End, error_path
from pvdrivers.bus.nodes import Peer
from pvdrivers.errors import MachineError
from pvdrivers.net.back.backend import OFFER
from pvdrivers.net.frame import Frame
from pvdrivers.net.front.frontend import Options
from pvdrivers.net.nodes import Takes, read_carrier
from pvdrivers.transport.loopback.hypervisor import InUse
from tests.pvdrivers.bus.joined import until
from tests.pvdrivers.net.lanes import Vanishing
from tests.pvdrivers.net.pair import BACK, GUEST, SPOT, Bench, bench


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def frames(count: int, seed: int = 1) -> list[Frame]:
    chance = random.Random(seed)  # noqa: S311 - no secret
    return [Frame(chance.randbytes(chance.randint(14, 9000))) for _ in range(count)]


def carried(loop: Bench) -> None:
    """Hold that frames go both ways on each queue."""
    assert len(loop.here.lanes) == len(loop.there.lanes)
    for number, (here, there) in enumerate(zip(loop.here.lanes, loop.there.lanes, strict=True)):
        one, other = frames(20, number), frames(20, 100 + number)
        here.give(one)
        there.give(other)
        assert there.got(20) == one
        assert here.got(20) == other


def none_is_left(loop: Bench) -> None:
    for domid in (BACK, GUEST):
        assert loop.machine.hypervisor.in_use(domid) == InUse(0, 0, 0)


@pytest.mark.parametrize(("queues", "split"), [(1, True), (1, False), (3, True)])
def test_a_pair_carries_frames_on_each_queue(loop: Bench, queues: int, split: bool) -> None:
    with loop.backend():
        for _ in range(2):
            with loop.frontend(Options(max_queues=queues, split=split, pages=64)):
                carried(loop)
                assert loop.device
                assert loop.device.queues == queues
                own = Peer(loop.dom0.store, SPOT.front)
                assert own.number("multi-queue-num-queues", 0, 9, 1) == queues
                assert own.has("event-channel-tx") == (split and queues == 1)
                until(lambda: Peer(loop.dom0.store, SPOT.back).number("statistics/rx-packets", 0, 1 << 30, 0) > 0)
            until(lambda: Peer(loop.dom0.store, SPOT.back).state() is XenbusState.CLOSED)
            none_is_left(loop)
    assert loop.there.closed >= 2


def test_what_one_end_cannot_be_told_the_others_port_hears(loop: Bench) -> None:
    nothing = Takes(checksum_v4=False)
    with loop.backend(OFFER._replace(takes=nothing)), loop.frontend(Options(takes=Takes(sg=True, checksum_v6=True))):
        (told,) = loop.here.readers
        assert told == (False, False, False, False, 1518)
        (told,) = loop.there.readers
        assert told == (True, True, False, False, 18 * 4096)


def test_a_successor_goes_on_with_the_rings(loop: Bench) -> None:
    with loop.backend():
        running = loop.frontend(Options(pages=64))
        running.__enter__()
        carried(loop)
    # Stopped without a word, as when it is killed; the frontend goes on.
    assert Peer(loop.dom0.store, SPOT.back).state() is XenbusState.CONNECTED
    former = loop.there.lanes
    loop.here.lanes[0].give(frames(5, 7))
    with loop.backend():
        until(lambda: loop.there.lanes is not former)
        assert loop.there.lanes[0].got(5) == frames(5, 7)
        assert len(loop.here.readers) == 1
        running.__exit__(None, None, None)
    none_is_left(loop)


@pytest.mark.parametrize(
    ("nodes", "wrong"),
    [
        ({"request-rx-copy": "0"}, "request-rx-copy is missing or 0"),
        ({"multi-queue-num-queues": "0"}, "multi-queue-num-queues is 0"),
        ({"multi-queue-num-queues": "9"}, "multi-queue-num-queues is 9"),
        ({"tx-ring-ref": "99999"}, "domain 5"),
        ({"rx-ring-ref": "x"}, "rx-ring-ref is "),
        ({"event-channel-rx": "70000"}, "port 70000"),
        ({"xdp-headroom": "4000"}, "xdp-headroom is 4000"),
    ],
)
def test_what_makes_no_sense_is_told_and_nothing_is_left(loop: Bench, nodes: dict[str, str], wrong: str) -> None:
    ring, other = loop.guest.grant(BACK), loop.guest.grant(BACK)
    channels = [loop.guest.alloc_unbound(BACK) for _ in range(2)]
    sound = {
        "tx-ring-ref": ring.grefs[0],
        "rx-ring-ref": other.grefs[0],
        "event-channel-tx": channels[0].port,
        "event-channel-rx": channels[1].port,
        "request-rx-copy": 1,
        **nodes,
    }
    with loop.backend() as end:
        assert end.wait([XenbusState.INIT_WAIT], 600)
        for name, value in sound.items():
            loop.guest.store.write(f"{SPOT.front}/{name}", str(value).encode())
        loop.guest.store.write(f"{SPOT.front}/state", b"4")
        assert end.wait([XenbusState.CLOSING], 600)
        assert wrong in loop.dom0.store.read(f"{error_path(SPOT.back)}/error").decode()
        assert loop.machine.hypervisor.in_use(BACK) == InUse(0, 0, 0)


def test_a_frontend_of_a_backend_that_gives_pages_away_says_so(loop: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    wait = End.wait

    def told(end: End, states: Sequence[XenbusState], timeout: float | None = None) -> bool:
        assert timeout == joining.PATIENCE
        until(lambda: end.error)
        return wait(end, states, 0)

    monkeypatch.setattr(End, "wait", told)
    loop.dom0.store.write(f"{SPOT.back}/state", b"2")
    with pytest.raises(MachineError, match="feature-rx-copy is missing"), loop.frontend():
        pass


def test_a_frontends_rate_is_bounded(tmp_path: Path) -> None:
    # What is sent at once is made up for: of 30 frames of 1,000 bytes, all but the first wait for 20 ms and more.
    with bench(tmp_path, rate="10000,200000") as loop, loop.backend(), loop.frontend(Options(pages=64)):
        (here,), (there,) = loop.here.lanes, loop.there.lanes
        began = time.monotonic()
        for number in range(30):
            here.give([Frame(bytes([number]) * 1000)])
            there.got(number + 1)
        assert time.monotonic() - began >= (30_000 - 10_000 - 1000) / 50_000
        assert [frame.data[0] for frame in there.got(30)] == list(range(30))


def test_headroom_is_left_free_from_when_it_is_asked_for(loop: Bench) -> None:
    with loop.backend(), loop.frontend(Options(pages=64)) as end:
        carried(loop)
        loop.guest.store.write(f"{SPOT.front}/xdp-headroom", b"256")
        assert loop.device
        loop.device.reconfigure()
        (there,), (here,) = loop.there.lanes, loop.here.lanes
        before = loop.device.statistics()["rx_slots"]
        there.give([Frame(bytes(4000))])
        here.got(21)
        # Two pages, for 256 bytes of each are free, and a slot that says so.
        until(lambda: loop.device is not None and loop.device.statistics()["rx_slots"] == before + 3)
        assert end.error is None


def test_headroom_is_left_free_by_a_port_that_came_back_as_well(loop: Bench) -> None:
    port, back = Vanishing(), Peer(loop.dom0.store, SPOT.back)
    with loop.backend(port=port), loop.frontend(Options(pages=64)):
        loop.guest.store.write(f"{SPOT.front}/xdp-headroom", b"256")
        assert loop.device
        loop.device.reconfigure()
        port.gone = True
        loop.here.lanes[0].give([Frame(bytes(60))])
        until(lambda: not read_carrier(back))
        port.gone = False
        until(lambda: read_carrier(back))
        assert loop.device.statistics()["rx_slots"] == 0
        port.lanes[0].give([Frame(bytes(4000))])
        loop.here.lanes[0].got(1)
        assert loop.device.statistics()["rx_slots"] == 3
