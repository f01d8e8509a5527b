"""Interfaces that are there, at both ends of a cable in memory, and at a TAP's host end."""

import os
import re
import select
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pvdrivers.abi.netif import GsoType
from pvdrivers.errors import MachineError
from pvdrivers.net.frame import Abilities, Checksum, Frame, Offload
from pvdrivers.net.ports import Lane, Port, open_port
from pvdrivers.net.ports.base import ALL
from tests.pvdrivers.block.rig import descriptors
from tests.pvdrivers.net.lanes import taken
from tests.pvdrivers.net.ports.hosts import (
    BLANK,
    MSS,
    NOTHING,
    TCP_AT,
    UDP_AT,
    ip,
    joined,
    large,
    odd,
    opened,
    ours,
    received,
    segments,
    settled,
    tagged,
    udp,
    unsummed,
)

pytestmark = [pytest.mark.netns, pytest.mark.usefixtures("ways")]

KINDS = [GsoType.TCPV4, GsoType.TCPV6]


@contextmanager
def cable(reader: Abilities = ALL, lanes: int = 1) -> Iterator[tuple[Lane, Port, list[Lane]]]:
    """Give the lane of one end, and the other's port and lanes."""
    ip("link", "add", "left", "type", "veth", "peer", "name", "right")
    for end in ("left", "right"):
        ip("link", "set", end, "up")
    with joined("packet:left", "packet:right", "left", "right", lanes=lanes, reader=reader) as ends:
        yield ends


def test_frames_come_through_both_ways_and_nobody_hears_his_own() -> None:
    with cable() as (a, port, (b,)):
        assert (port.name, port.carrier) == ("packet:right", True)
        frames = [Frame(odd(size)) for size in (14, 15, 60, 1514)]
        for one, other in ((a, b), (b, a)):
            assert taken(one, frames) == len(frames)
            assert received(other, len(frames)) == frames
        assert a.stats.dropped == b.stats.dropped == a.stats.lost == b.stats.lost == 0


def test_tags_that_the_kernel_takes_out_are_put_back() -> None:
    with cable() as (a, _, (b,)):
        frames = [
            Frame(tagged(odd(60))),
            # As long as one may be with a tag.
            Frame(tagged(odd(1514))),
            Frame(tagged(tagged(odd(60)))),
            Frame(odd(60)[:12] + bytes.fromhex("88a8 0007 8100 0005") + odd(60)[12:]),
        ]
        assert taken(a, frames) == len(frames)
        assert received(b, len(frames)) == frames


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("within", ["no VLAN", "a VLAN"])
def test_a_blank_sum_comes_out_right(kind: GsoType, within: str) -> None:
    data = udp(kind, b"payload")
    blank = unsummed(data, UDP_AT[kind])
    if within == "a VLAN":
        data, blank = tagged(data), tagged(blank)
    with cable(NOTHING) as (a, _, (b,)):
        assert taken(a, [Frame(blank, BLANK)]) == 1
        assert received(b, 1) == [Frame(data)]


@pytest.mark.parametrize("kind", KINDS)
def test_frames_that_are_to_be_cut_come_through_in_one(kind: GsoType) -> None:
    with cable() as (a, _, (b,)):
        for size in (MSS + 1, 65535 - len(large(kind, b"").data)):
            frame = large(kind, os.urandom(size))
            for one, other in ((a, b), (b, a)):
                assert taken(one, [frame]) == 1
                (came,) = received(other, 1)
                assert came.offload == Offload(Checksum.BLANK, kind, MSS)
                at = TCP_AT[kind]
                assert unsummed(bytes(came.data), at) == unsummed(bytes(frame.data), at)


@pytest.mark.parametrize("kind", KINDS)
def test_and_in_pieces_for_who_cannot_be_told(kind: GsoType) -> None:
    payload = os.urandom(60000)
    with cable(NOTHING) as (a, _, (b,)):
        a.send([large(kind, payload)])
        expected = segments(kind, payload)
        assert [bytes(each.data) for each in received(b, len(expected), limit=7)] == expected


def test_what_is_above_the_mtu_is_dropped_and_counted() -> None:
    with cable() as (a, port, (b,)):
        assert port.abilities.longest == 1518
        good = Frame(odd(1514))
        # The kernel alone knows that this one has no tag.
        assert taken(a, [Frame(odd(1519)), Frame(odd(1518)), good]) == 1
        assert a.stats.dropped == 2
        assert received(b, 1) == [good]
    ip("link", "del", "dev", "left")
    ip("link", "add", "left", "mtu", "9000", "type", "veth", "peer", "name", "right", "mtu", "9000")
    for end in ("left", "right"):
        ip("link", "set", end, "up")
    with opened("packet:left") as (port, (a,)), opened("packet:right") as (_, (b,)):
        settled("left", "right")
        assert port.abilities.longest == 9018
        longer = Frame(odd(9014))
        assert taken(a, [longer]) == 1
        assert received(b, 1) == [longer]


def test_one_lane_receives_and_all_send() -> None:
    with cable(lanes=3) as (a, _, those):
        assert [lane.fileno() >= 0 for lane in those] == [True, False, False]
        sent = [Frame(odd(60)) for _ in those]
        for lane, frame in zip(those, sent, strict=True):
            assert taken(lane, [frame]) == 1
        assert received(a, 3) == sent
        a.send(sent)
        assert received(those[0], 3) == sent
        assert not those[1].receive(64)


def test_what_comes_faster_than_it_is_read_is_counted() -> None:
    with cable() as (a, _, (b,)):
        frames = [large(GsoType.TCPV4, bytes(60000)) for _ in range(500)]
        sent = sum(taken(a, [frame]) for frame in frames)
        came = 0
        while some := b.receive(64):
            came += len(some)
        assert 16 < came < sent
        a.send([Frame(odd(60))])
        received(b, 1)
        # The count comes with the next frame that has room; hosts send some of their own.
        assert b.stats.lost >= sent - came


def test_a_taps_host_end() -> None:
    with opened("tap:t") as (_, (inner,)), opened("packet:t") as (_, (outer,)):
        frames = [Frame(odd(60)), Frame(tagged(odd(60))), Frame(odd(1514))]
        for one, other in ((inner, outer), (outer, inner)):
            assert taken(one, frames) == 3
            assert received(other, 3) == frames
        payload = os.urandom(30000)
        outer.send([large(GsoType.TCPV6, payload)])
        (came,) = received(inner, 1)
        assert came.offload == Offload(Checksum.BLANK, GsoType.TCPV6, MSS)
        assert bytes(came.data).endswith(payload)


def test_one_that_is_down_takes_nothing_until_it_is_up() -> None:
    with cable() as (a, port, (b,)):
        ip("link", "set", "right", "down")
        assert not port.carrier
        assert ours(b.receive(64)) == []
        assert taken(b, [Frame(odd(60))] * 3) == 0
        assert b.stats.dropped == 3
        ip("link", "set", "right", "up")
        settled("right")
        assert port.carrier
        frame = Frame(odd(60))
        assert taken(b, [frame]) == 1
        assert received(a, 1) == [frame]
        a.send([frame])
        assert received(b, 1) == [frame]


def test_one_that_was_removed_is_told() -> None:
    with cable() as (_, port, (b,)):
        ip("link", "del", "dev", "left")
        assert not port.carrier
        assert select.select([b], [], [], 0)[0]
        with pytest.raises(MachineError, match=r"^packet:right is gone: No such device$"):
            b.receive(64)
        with pytest.raises(MachineError, match=r"^packet:right is gone: "):
            b.send([Frame(odd(60))])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("nowhere", "there is no such interface (`ip link` lists them)"),
        ("lo", "it is no interface of Ethernet"),
    ],
)
def test_what_cannot_be_had_is_told_in_a_line(name: str, why: str) -> None:
    before = descriptors()
    with pytest.raises(MachineError, match=f"^cannot listen on {name}: {re.escape(why)}$"):
        open_port(f"packet:{name}").open(2, ALL)
    assert descriptors() == before
