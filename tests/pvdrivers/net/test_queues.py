"""Frames through both queues of ours: whole, in order, both ways, whatever room there is; and nothing is left."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvdrivers.abi.netif import GsoType, HashType
from pvdrivers.net.frame import Checksum, FlowHash, Frame, Offload
from pvdrivers.transport.loopback import Machine, machine
from tests.pvdrivers.net.queues import BACK, FRONT, ends

OFFLOADS = [
    Offload(),
    Offload(Checksum.VALIDATED),
    Offload(Checksum.BLANK),
    Offload(Checksum.BLANK, GsoType.TCPV4, 1448),
    Offload(Checksum.BLANK, GsoType.TCPV6, 536),
]


@pytest.fixture
def loopback(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path, [BACK, FRONT]) as made:
        yield made


def frames(count: int, seed: int = 1, longest: int = 65535) -> list[Frame]:
    chance = random.Random(seed)  # noqa: S311 - no secret
    sizes = [14, 60, 1514, 4096, 4097, longest]
    made = []
    for number in range(count):
        size = min(sizes[number] if number < len(sizes) else int(14 + chance.paretovariate(0.5)), longest)
        offload = chance.choice(OFFLOADS)
        flow = FlowHash(chance.choice(list(HashType)), chance.getrandbits(32)) if chance.random() < 0.3 else None
        made.append(Frame(chance.randbytes(size), offload, flow))
    return made


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("headroom", [0, 256])
def test_frames_go_both_ways(loopback: Machine, split: bool, headroom: int) -> None:
    there, back = frames(300), frames(300, 2, 60000)
    with ends(loopback, split=split) as made:
        lane = made.join(headroom=headroom)
        made.front_lane.give(there)
        lane.give(back)
        assert lane.got(len(there)) == there
        assert made.front_lane.got(len(back)) == back
        assert made.back
        stats = made.back.stats
        assert (stats.tx_packets, stats.tx_bytes) == (300, sum(len(frame.data) for frame in there))
        assert (stats.rx_packets, stats.rx_bytes) == (300, sum(len(frame.data) for frame in back))
        assert (stats.tx_errors, stats.rx_errors) == (0, 0)
        assert (made.front.stats.tx_errors, made.front.stats.rx_errors) == (0, 0)


def test_few_pages_hold_up_whoever_sends(loopback: Machine) -> None:
    # The longest frame takes 16 of them.
    there = frames(200, 3)
    with ends(loopback, pages=20) as made:
        made.front_lane.give(there)
        lane = made.join()
        lane.give(there)
        assert lane.got(len(there)) == there
        assert made.front_lane.got(len(there)) == there
        assert made.front.stats.notifications_received > 0


def test_a_successor_goes_on_where_a_queue_ended(loopback: Machine) -> None:
    there = frames(60, 4)
    with ends(loopback) as made:
        lane = made.join()
        lane.give(there)
        made.front_lane.give(there)
        assert lane.got(len(there)) == there
        assert made.front_lane.got(len(there)) == there
        made.part()
        made.front_lane.give(there)
        lane = made.join(resume=True)
        lane.give(there)
        assert lane.got(len(there)) == there
        assert made.front_lane.got(2 * len(there))[len(there) :] == there
        assert made.front.error is None
