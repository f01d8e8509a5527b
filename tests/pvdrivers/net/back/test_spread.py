"""Lanes of queues over lanes of a port: who is woken, what is kept, and what is lost; no frontend is needed."""

import select
import threading
from collections.abc import Iterator, Sequence

import pytest
from scapy.layers.inet import TCP

from pvdrivers.abi.netif import GsoType, HashAlgorithm, HashType
from pvdrivers.net.back.spread import Spread, spread
from pvdrivers.net.back.wishes import Wishes
from pvdrivers.net.frame import Checksum, FlowHash, Frame, Offload
from pvdrivers.net.ports import inbox
from pvdrivers.net.ports.base import PortStats
from pvdrivers.net.ports.null import NullLane
from pvdrivers.net.steering import Steering
from pvdrivers.net.toeplitz import ALL_TYPES, Toeplitz
from tests.pvdrivers.net.frames import frame
from tests.pvdrivers.net.lanes import STUCK, TestsLane

QUEUES = 3


class ArenaLane(NullLane):
    """Gives frames in an arena of its own, overwritten by those that come next."""

    def __init__(self) -> None:
        super().__init__()
        self.next: list[bytes] = []
        self._arena = memoryview(bytearray(4096))

    def receive(self, limit: int) -> Sequence[Frame]:
        frames = []
        at = 0
        for data in self.next[:limit]:
            self._arena[at : at + len(data)] = data
            frames.append(Frame(self._arena[at : at + len(data)]))
            at += len(data)
        self.next = self.next[limit:]
        return frames


class Rig:
    """A frontend's lanes and the port's."""

    def __init__(self, queues: int = QUEUES) -> None:
        self.wishes = Wishes(queues)
        self.port = [TestsLane() for _ in range(queues)]
        self.lanes = spread(self.port, self.wishes)

    def steer(self, *mapping: int) -> None:
        self.wishes.steering = Steering(len(self.lanes), HashAlgorithm.TOEPLITZ, ALL_TYPES, Toeplitz(b"key"), mapping)


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    for lane in made.lanes:
        lane.close()
        lane.close()
        assert lane.fileno() == -1
    assert all(lane.closed for lane in made.port)


def tcp(number: int) -> Frame:
    return Frame(frame("untagged", "ipv4", TCP(sport=number, dport=80), bytes([number & 0xFF])))


def ready(lane: Spread) -> bool:
    poll = select.poll()
    poll.register(lane.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def data(frames: Sequence[Frame]) -> list[bytes]:
    return [bytes(one.data) for one in frames]


def test_nothing_is_changed_before_it_is_asked_for(rig: Rig) -> None:
    frames = [tcp(number) for number in range(5)]
    assert not ready(rig.lanes[1])
    rig.port[1].give(frames)
    assert [ready(lane) for lane in rig.lanes] == [False, True, False]
    assert rig.lanes[1].plain
    assert rig.lanes[1].receive(64) == frames
    assert not ready(rig.lanes[1])
    rig.lanes[1].send(frames)
    assert rig.port[1].got(5) == frames


def test_anothers_hash_is_not_told(rig: Rig) -> None:
    rig.port[0].give([tcp(1)._replace(hash=FlowHash(HashType.IPV4, 7))])
    assert rig.lanes[0].receive(64) == [tcp(1)]


def test_what_is_anothers_wakes_that_one_alone(rig: Rig) -> None:
    rig.steer(2)
    rig.port[0].give([tcp(number) for number in range(5)])
    assert rig.lanes[0].receive(64) == []
    assert [ready(lane) for lane in rig.lanes] == [False, False, True]
    got = rig.lanes[2].receive(6)
    # Half of what is asked for, so that it never holds up what comes in here.
    assert data(got) == data([tcp(number) for number in range(3)])
    assert all(one.hash for one in got)
    assert ready(rig.lanes[2])
    assert data(rig.lanes[2].receive(6)) == data([tcp(number) for number in (3, 4)])
    assert not ready(rig.lanes[2])


def test_what_is_still_to_be_cut_goes_where_its_segments_would(rig: Rig) -> None:
    rig.steer(*range(QUEUES))
    small = tcp(7)
    # Whatever length its header gives, which may be none.
    data = bytearray(small.data) + bytes(5000)
    data[16:18] = bytes(2)
    large = Frame(bytes(data), Offload(Checksum.BLANK, GsoType.TCPV4, 1448))
    for number, lane in enumerate(rig.lanes):
        rig.port[number].give([small, large])
        lane.receive(64)
    hashes = {one.hash for lane in rig.lanes for one in lane.receive(64)}
    assert len(hashes) == 1
    assert None not in hashes


def test_what_was_handed_over_is_taken_though_nothing_is_asked_for_any_more(rig: Rig) -> None:
    rig.steer(2)
    rig.port[0].give([tcp(1)])
    rig.lanes[0].receive(64)
    rig.wishes.steering = Steering(QUEUES)
    assert not rig.lanes[2].plain
    assert data(rig.lanes[2].receive(64)) == data([tcp(1)])
    assert rig.lanes[2].plain


def test_what_lies_in_an_arena_is_kept() -> None:
    lanes = [ArenaLane(), ArenaLane()]
    wishes = Wishes(2)
    both = spread(lanes, wishes)
    wishes.steering = Steering(2, HashAlgorithm.TOEPLITZ, ALL_TYPES, Toeplitz(b"key"), (1,))
    for number in (1, 2):
        lanes[0].next = [bytes(tcp(number).data)]
        assert both[0].receive(64) == []
    assert data(both[1].receive(64)) == data([tcp(1), tcp(2)])
    for lane in both:
        lane.close()


def test_who_does_not_take_its_frames_loses_those_that_are_too_many(rig: Rig) -> None:
    rig.steer(2)
    for _ in range(inbox.FRAMES // 64 + 1):
        rig.port[0].give([tcp(1)] * 64)
        # Nobody else is held up.
        assert rig.lanes[0].receive(128) == []
    assert rig.port[2].stats == PortStats(lost=64)
    assert rig.port[0].stats == PortStats()
    rig.lanes[2].close()
    rig.port[0].give([tcp(1)] * 3)
    assert rig.lanes[0].receive(64) == []


def test_bytes_that_wait_are_bounded_too(rig: Rig) -> None:
    rig.steer(1)
    large = tcp(1)._replace(data=bytes(tcp(1).data) + bytes(65000))
    fit = inbox.BYTES // len(large.data)
    rig.port[0].give([large] * (fit + 2))
    while rig.port[0].left:
        rig.lanes[0].receive(64)
    assert rig.port[1].stats.lost == 2
    assert len(rig.lanes[1].receive(2 * fit)) == fit


def test_multicast_is_sorted_out_before_it_is_spread(rig: Rig) -> None:
    rig.steer(1)
    rig.wishes.filtering = True
    group = Frame(b"\x33" + bytes(tcp(1).data[1:]))
    rig.wishes.multicast.add(bytes(group.data[:6]))
    other = Frame(b"\x35" + bytes(tcp(1).data[1:]))
    rig.port[0].give([other, group, tcp(2), Frame(b"\x01")])
    # What is too short for an address has no hash, and goes where 0 does.
    assert rig.lanes[0].receive(64) == []
    assert data(rig.lanes[1].receive(64)) == data([group, tcp(2), Frame(b"\x01")])


def test_a_lane_where_nothing_comes_is_no_hindrance() -> None:
    port = TestsLane()
    wishes = Wishes(2)
    first, second = spread([port, NullLane()], wishes)
    wishes.steering = Steering(2, HashAlgorithm.TOEPLITZ, ALL_TYPES, Toeplitz(b"key"), (1,))
    assert not ready(second)
    port.give([tcp(1)])
    assert first.receive(64) == []
    assert ready(second)
    assert data(second.receive(64)) == data([tcp(1)])
    for lane in (first, second):
        lane.close()


def test_no_wakeup_is_lost_between_threads(rig: Rig) -> None:
    # One hands over as fast as it can, while another sleeps whenever there is nothing.
    rig.steer(1)
    count = 20_000

    def hand_over() -> None:
        for at in range(0, count, 8):
            rig.port[0].give([Frame((at + each).to_bytes(4, "big") + bytes(60)) for each in range(8)])
            rig.lanes[0].receive(64)

    thread = threading.Thread(target=hand_over, daemon=True)
    poll = select.poll()
    poll.register(rig.lanes[1].fileno(), select.POLLIN)
    thread.start()
    got: list[int] = []
    while len(got) + rig.port[1].stats.lost < count:
        assert poll.poll(STUCK * 1000), f"{len(got)} of {count}, and nobody is woken"
        got += [int.from_bytes(one.data[:4], "big") for one in rig.lanes[1].receive(64)]
    thread.join(STUCK)
    assert got == sorted(got)
    assert rig.lanes[1].receive(64) == []
