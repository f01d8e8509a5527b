"""Both ends of a vif: frames come on the queue that their hash chooses, and multicast for the addresses asked for."""

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from scapy.layers.inet import TCP
from scapy.packet import Packet

from pvdrivers.abi.netif import HashType
from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus.end import End
from pvdrivers.bus.nodes import Peer
from pvdrivers.errors import MachineError
from pvdrivers.net.back.backend import OFFER
from pvdrivers.net.control.front import Wish
from pvdrivers.net.frame import FlowHash, Frame
from pvdrivers.net.front.frontend import Frontend, Options
from pvdrivers.net.headers import parse
from pvdrivers.net.steering import Steering
from pvdrivers.net.toeplitz import ALL_TYPES
from tests.pvdrivers.bus.joined import until
from tests.pvdrivers.net import rss
from tests.pvdrivers.net.frames import ETHER, frame
from tests.pvdrivers.net.lanes import TestsPackedLane, TestsPort
from tests.pvdrivers.net.pair import SPOT, Bench, bench

QUEUES = 3
#: Of 128 entries, as many as there may be.
MAPPING = (2, 1, 0, 1) * 32
WISH = Wish(ALL_TYPES, rss.KEY, MAPPING)
GROUP, OTHER = bytes.fromhex("333300000001"), bytes.fromhex("01005e000002")


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def options(steering: Wish | None = WISH, multicast: tuple[bytes, ...] | None = None) -> Options:
    return Options(max_queues=QUEUES, pages=64, steering=steering, multicast=multicast)


def steering(loop: Bench) -> Steering:
    assert loop.device
    return loop.device.wishes.steering


def steered(loop: Bench, wish: Wish) -> bool:
    have = steering(loop)
    return (have.types, have.key.key, have.mapping) == wish


def arrived(loop: Bench, count: int) -> bool:
    return sum(lane.count for lane in loop.here.lanes) == count


def front(end: End) -> Frontend:
    assert isinstance(end.device, Frontend)
    return end.device


def flows(count: int, seed: int = 1) -> list[Frame]:
    """Give frames of TCP, many of each flow, numbered in their payload."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    return [
        Frame(frame("untagged", "ipv4", TCP(sport=chance.randrange(1000, 1016), dport=80), number.to_bytes(4, "big")))
        for number in range(count)
    ]


@pytest.mark.parametrize(("packet", "expected"), rss.OF_ALL_TYPES)
def test_a_published_hash_is_told_on_the_queue_that_it_chooses(loop: Bench, packet: Packet, expected: FlowHash) -> None:
    data = bytes(ETHER / packet)
    with loop.backend(), loop.frontend(options()):
        until(lambda: steering(loop).wanted)
        assert steering(loop).mapping == MAPPING
        # Wherever it comes in.
        for number, lane in enumerate(loop.there.lanes):
            lane.give([Frame(data)])
            queue = loop.here.lanes[MAPPING[expected.value % len(MAPPING)]]
            assert queue.got(number + 1)[-1] == Frame(data, hash=expected)


def test_flows_stay_in_order_on_their_queues(loop: Bench) -> None:
    frames = flows(900)
    with loop.backend(), loop.frontend(options()):
        until(lambda: steering(loop).wanted)
        by_queue: list[list[bytes]] = [[] for _ in range(QUEUES)]
        for each in frames:
            by_queue[steering(loop).queue(steering(loop).hash(each.data, parse(each.data)))].append(bytes(each.data))
        # All of them come in by one lane, as of a port that has one way in.
        loop.there.lanes[0].give(frames)
        for lane, wanted in zip(loop.here.lanes, by_queue, strict=True):
            assert wanted
            assert [one.data for one in lane.got(len(wanted))] == wanted


def test_a_frontend_changes_its_mind_while_frames_come(loop: Bench) -> None:
    with loop.backend(), loop.frontend(options()) as end:
        until(lambda: steering(loop).wanted)
        sent = 0
        for turn, mapping in enumerate([(0,), (1, 2), (2,)]):
            front(end).steer(Wish(HashType.IPV4, b"key", mapping))
            frames = flows(300, turn)
            loop.there.lanes[turn].give(frames)
            until(partial(steered, loop, Wish(HashType.IPV4, b"key", mapping)))
            loop.there.lanes[turn].give(frames)
            sent += 2 * len(frames)
            until(partial(arrived, loop, sent))
        # From then on all are for the last.
        before = loop.here.lanes[2].count
        loop.there.lanes[0].give(flows(50))
        assert {one.hash is not None for one in loop.here.lanes[2].got(before + 50)[before:]} == {True}
        # And where each comes in, with no hash, once it is left to the backend.
        front(end).steer(None)
        until(lambda: not steering(loop).wanted)
        before = loop.here.lanes[1].count
        loop.there.lanes[1].give([each._replace(hash=FlowHash(HashType.IPV4, 5)) for each in flows(50)])
        assert [one.hash for one in loop.here.lanes[1].got(before + 50)[before:]] == [None] * 50


def test_a_port_has_frames_in_its_own_form_while_nothing_is_asked_for(loop: Bench) -> None:
    loop.there = TestsPort(TestsPackedLane)
    with loop.backend(), loop.frontend(options()) as end:
        until(lambda: steering(loop).wanted)
        lane, here = loop.there.lanes[0], loop.here.lanes[0]
        assert isinstance(lane, TestsPackedLane)
        front(end).steer(None)
        until(lambda: not steering(loop).wanted)
        lane.give(flows(100))
        here.give(flows(100))
        assert here.got(100) == lane.got(100) == flows(100)
        assert lane.packed == [100, 100]
        front(end).steer(WISH._replace(mapping=(0,)))
        until(partial(steered, loop, WISH._replace(mapping=(0,))))
        lane.give(flows(100))
        assert {one.hash is None for one in here.got(200)[100:]} == {False}
        assert lane.packed == [100, 100]


def test_one_queue_is_told_hashes(loop: Bench) -> None:
    (packet, expected), *_ = rss.OF_ALL_TYPES
    with loop.backend(), loop.frontend(Options(pages=64, steering=WISH._replace(mapping=()))):
        until(lambda: steering(loop).wanted)
        loop.there.lanes[0].give([Frame(bytes(ETHER / packet))])
        assert loop.here.lanes[0].got(1)[0].hash == expected


def test_a_frontend_that_begins_anew_asks_anew_for_what_it_wanted_last(loop: Bench) -> None:
    with loop.backend() as back, loop.frontend(options(WISH, (GROUP,))) as end:
        until(lambda: steering(loop).wanted)
        last = WISH._replace(mapping=(1,))
        front(end).steer(last)
        front(end).listen(OTHER)
        until(partial(steered, loop, last))
        before = len(loop.there.readers)
        back.fault(MachineError("it has to begin anew"), fatal=True)
        until(lambda: len(loop.there.readers) > before)
        until(partial(steered, loop, last))
        until(lambda: loop.device and all(loop.device.wishes.multicast.passes(each) for each in (GROUP, OTHER)))
        loop.there.lanes[2].give([Frame(OTHER + bytes(54)), *flows(5)])
        assert [one.data[:6] for one in loop.here.lanes[1].got(6)][:2] == [OTHER, bytes(flows(1)[0].data[:6])]


def test_nothing_is_asked_of_a_backend_that_has_no_control_ring(loop: Bench) -> None:
    with loop.backend(OFFER._replace(control=False)), loop.frontend(options()) as end:
        assert not Peer(loop.dom0.store, SPOT.front).has("ctrl-ring-ref")
        front(end).steer(WISH)
        for here, there in zip(loop.here.lanes, loop.there.lanes, strict=True):
            there.give(flows(20))
            assert [one.hash for one in here.got(20)] == [None] * 20
        assert end.error is None


def test_a_refusal_is_told_and_frames_go_on(loop: Bench) -> None:
    # There is no fourth queue.
    with loop.backend(), loop.frontend(options(WISH._replace(mapping=(0, 3)))) as end:
        until(lambda: end.error)
        assert str(end.error) == "the backend refuses SET_HASH_MAPPING: INVALID_PARAMETER"
        assert not steering(loop).wanted
        loop.there.lanes[1].give(flows(20))
        assert loop.here.lanes[1].got(20) == flows(20)
        assert end.state is XenbusState.CONNECTED
        front(end).steer(WISH)
        until(lambda: steering(loop).wanted)


def test_multicast_comes_for_the_addresses_asked_for(loop: Bench) -> None:
    unicast, group, other = (Frame(address + bytes(54)) for address in (b"\x02" * 6, GROUP, OTHER))
    with loop.backend(), loop.frontend(options(None, (GROUP,))) as end:
        until(lambda: loop.device and loop.device.statistics()["tx_slots"] == 2)
        (here, *_), (there, *_) = loop.here.lanes, loop.there.lanes
        there.give([other, group, unicast])
        assert here.got(2) == [group, unicast]
        front(end).listen(OTHER)
        front(end).listen(GROUP, wanted=False)
        until(lambda: loop.device and loop.device.statistics()["tx_slots"] == 6)
        there.give([group, other, unicast])
        assert here.got(4)[2:] == [other, unicast]
        assert end.error is None
    assert front(end).statistics()["tx_errors"] == 0


@pytest.mark.parametrize("addresses", [None, tuple(GROUP[:5] + bytes([number]) for number in range(65))])
def test_all_multicast_comes_where_no_list_is_long_enough(loop: Bench, addresses: tuple[bytes, ...] | None) -> None:
    with loop.backend(), loop.frontend(options(None, addresses)):
        loop.there.lanes[0].give([Frame(OTHER + bytes(54))])
        assert loop.here.lanes[0].got(1)[0].data[:6] == OTHER
        assert not Peer(loop.dom0.store, SPOT.front).flag("request-multicast-control")
