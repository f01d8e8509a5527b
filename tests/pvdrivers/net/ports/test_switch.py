"""A switch in memory: who learns, who hears, who forgets; and that a port costs another nothing."""

import os
import select
import threading
from collections.abc import Iterator

import pytest

from pvdrivers.abi.netif import GsoType
from pvdrivers.net.frame import PLAIN, Abilities, Checksum, Frame, Offload
from pvdrivers.net.ports import Lane, open_port
from pvdrivers.net.ports.base import ALL, LONGEST
from pvdrivers.net.ports.switch import Switch, SwitchPort
from tests.pvdrivers.block.rig import descriptors
from tests.pvdrivers.net.lanes import taken
from tests.pvdrivers.net.ports.hosts import (
    BLANK,
    MSS,
    NOTHING,
    STUCK,
    TCP_AT,
    UDP_AT,
    large,
    segments,
    udp,
    unsummed,
)

EVERYBODY = b"\xff" * 6


def mac(number: int) -> bytes:
    return b"\x00\x16\x3e" + number.to_bytes(3, "big")


def frame(to: int | bytes, source: int, size: int = 60) -> Frame:
    return Frame((to if isinstance(to, bytes) else mac(to)) + mac(source) + b"\x88\xb5" + os.urandom(size - 14))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Plugged:
    """A switch with ports, each a lane."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.switch = Switch(clock=self.clock)
        self.ports: list[SwitchPort] = []

    def plug(self, reader: Abilities = ALL) -> Lane:
        return self.plug_several(1, reader)[0]

    def plug_several(self, lanes: int, reader: Abilities = ALL) -> list[Lane]:
        self.ports.append(self.switch.port())
        return list(self.ports[-1].open(lanes, reader))


@pytest.fixture
def plugged() -> Iterator[Plugged]:
    before = descriptors()
    made = Plugged()
    yield made
    for port in made.ports:
        port.close()
    assert descriptors() == before


def copies(lane: Lane, limit: int = 64) -> list[Frame]:
    """Take some, and keep them."""
    return [each._replace(data=bytes(each.data)) for each in lane.receive(limit)]


def heard(lane: Lane) -> list[Frame]:
    """Take all; the descriptor says whether there is something."""
    frames: list[Frame] = []
    while select.select([lane], [], [], 0)[0]:
        frames += copies(lane)
    return frames


def test_an_address_is_learnt_from_what_it_sends(plugged: Plugged) -> None:
    a, b, c = (plugged.plug() for _ in range(3))
    first = frame(2, 1)
    assert taken(a, [first]) == 1
    assert [heard(lane) for lane in (a, b, c)] == [[], [first], [first]]
    answer = frame(1, 2)
    b.send([answer])
    assert [heard(lane) for lane in (a, b, c)] == [[answer], [], []]
    third = frame(2, 1)
    a.send([third])
    assert [heard(lane) for lane in (a, b, c)] == [[], [third], []]
    # Of a neighbour behind the same port it has heard already.
    b.send([frame(1, 3)])
    assert taken(b, [frame(3, 2)]) == 1
    assert [heard(lane) for lane in (b, c)] == [[], []]


def test_groups_are_heard_by_all_others_and_learnt_by_nobody(plugged: Plugged) -> None:
    a, b, c = (plugged.plug() for _ in range(3))
    group = bytes.fromhex("01005e000001")
    for to in (EVERYBODY, group):
        sent = frame(to, 1)
        a.send([sent])
        assert [heard(lane) for lane in (a, b, c)] == [[], [sent], [sent]]
    forged = Frame(mac(9) + group + bytes(48))
    b.send([forged])
    assert [heard(lane) for lane in (a, c)] == [[forged], [forged]]
    sent = frame(group, 1)
    a.send([sent])
    assert [heard(lane) for lane in (b, c)] == [[sent], [sent]]


def test_what_is_for_the_nearest_bridge_goes_no_further(plugged: Plugged) -> None:
    a, b = plugged.plug(), plugged.plug()
    nearest = [frame(bytes.fromhex(f"0180c20000{last:02x}"), 1) for last in (0x00, 0x01, 0x0F)]
    beyond = frame(bytes.fromhex("0180c2000010"), 1)
    assert taken(a, [*nearest, beyond, Frame(bytes(13))]) == 1
    assert (a.stats.sent, a.stats.dropped) == (1, 4)
    assert heard(b) == [beyond]


def test_an_address_that_moves_is_where_it_was_seen_last(plugged: Plugged) -> None:
    a, b, c = (plugged.plug() for _ in range(3))
    a.send([frame(EVERYBODY, 1)])
    b.send([frame(EVERYBODY, 1)])
    for lane in (a, b, c):
        heard(lane)
    sent = frame(1, 3)
    c.send([sent])
    assert [heard(lane) for lane in (a, b)] == [[], [sent]]


def test_an_address_is_forgotten_after_a_time_or_with_its_port(plugged: Plugged) -> None:
    a, b, c = (plugged.plug() for _ in range(3))
    b.send([frame(EVERYBODY, 2)])
    for lane in (a, c):
        heard(lane)
    plugged.clock.now += 300
    sent = frame(2, 1)
    a.send([sent])
    assert [heard(lane) for lane in (b, c)] == [[sent], []]
    plugged.clock.now += 0.5
    a.send([sent])
    assert [heard(lane) for lane in (b, c)] == [[sent], [sent]]
    b.send([frame(EVERYBODY, 2)])
    heard(c)
    plugged.ports[1].close()
    a.send([sent])
    assert heard(c) == [sent]
    assert b.fileno() == -1


def test_who_makes_up_addresses_forgets_his_own_alone(plugged: Plugged) -> None:
    a, b, c = (plugged.plug() for _ in range(3))
    b.send([frame(EVERYBODY, 2)])
    for number in range(1000, 3000):
        a.send([frame(1, number)])
    for lane in (a, b, c):
        heard(lane)
    assert len(plugged.ports[0].addresses) == 256
    sent = [frame(2, 3), frame(2999, 3), frame(1000, 3)]
    c.send(sent)
    assert heard(b) == [sent[0], sent[2]]
    assert heard(a) == [sent[1], sent[2]]


@pytest.mark.parametrize(("size", "fit"), [(60, 1024), (9000, (4 << 20) // 9000), (LONGEST, (4 << 20) // LONGEST)])
def test_who_does_not_read_loses_what_is_for_him_alone(plugged: Plugged, size: int, fit: int) -> None:
    a, slow, quick = (plugged.plug() for _ in range(3))
    frames = [frame(EVERYBODY, 1, size) for _ in range(fit + 10)]
    got: list[Frame] = []
    for each in frames:
        assert taken(a, [each]) == 1
        got += copies(quick)
    assert got == frames
    assert heard(slow) == frames[:fit]
    assert (slow.stats.lost, quick.stats.lost, a.stats.dropped) == (10, 0, 0)
    # There is room again for as much.
    a.send(frames)
    assert heard(slow) == frames[:fit]


def test_what_was_sent_may_be_overwritten_then(plugged: Plugged) -> None:
    a, b = plugged.plug(), plugged.plug()
    sent = frame(2, 1)
    buffer = bytearray(sent.data)
    a.send([Frame(memoryview(buffer))])
    buffer[:] = bytes(len(buffer))
    assert heard(b) == [sent]


def test_each_is_told_what_it_can_be(plugged: Plugged) -> None:
    a, all_of_it, nothing, small = (plugged.plug(reader) for reader in (ALL, ALL, NOTHING, Abilities()))
    payload = os.urandom(9 * MSS)
    whole, data = large(GsoType.TCPV6, payload), udp(GsoType.TCPV4, b"payload")
    blank = Frame(unsummed(data, UDP_AT[GsoType.TCPV4]), BLANK)
    jumbo = frame(EVERYBODY, 1, 4000)
    a.send([whole, blank, jumbo])
    first, second, third = heard(all_of_it)
    assert first.offload == Offload(Checksum.BLANK, GsoType.TCPV6, MSS)
    at = TCP_AT[GsoType.TCPV6]
    assert unsummed(bytes(first.data), at) == unsummed(bytes(whole.data), at)
    assert (second.offload, third) == (BLANK, jumbo)
    cut = [Frame(each) for each in segments(GsoType.TCPV6, payload)]
    got: list[Frame] = []
    # Fewer than the one frame becomes; the descriptor stays readable until all were taken.
    while select.select([nothing], [], [], 0)[0]:
        some = copies(nothing, 4)
        assert len(some) <= 4
        got += some
    assert got == [*cut, Frame(data), jumbo]
    assert (nothing.stats.finished, nothing.stats.received) == (2, 11)
    assert heard(small) == [*cut, Frame(data, PLAIN)]
    assert small.stats.lost == 1


def test_lanes_are_used_by_threads_at_once_and_each_keeps_its_order(plugged: Plugged) -> None:
    ours, theirs = plugged.plug_several(4), plugged.plug_several(2)
    theirs[0].send([frame(EVERYBODY, 2)])
    count = 2000
    got: list[list[Frame]] = [[], []]
    sent = [[frame(2, 1) for _ in range(count)] for _ in ours]

    def send(lane: Lane, frames: list[Frame]) -> None:
        for at in range(0, count, 50):
            lane.send(frames[at : at + 50])
            # As fast as they are read, so that none is lost.
            room.acquire()

    def receive(number: int) -> None:
        while len(got[number]) < 2 * count:
            assert select.select([theirs[number]], [], [], STUCK)[0]
            some = copies(theirs[number])
            before, got[number] = len(got[number]) // 50, [*got[number], *some]
            room.release(max(len(got[number]) // 50 - before, 1))

    room = threading.Semaphore(8)
    threads = [threading.Thread(target=send, args=pair) for pair in zip(ours, sent, strict=True)]
    threads += [threading.Thread(target=receive, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(STUCK)
    for number, frames in enumerate(sent):
        of_ours = {each.data for each in frames}
        assert [each for each in got[number % 2] if each.data in of_ours] == frames


def test_ports_of_one_name_share_a_switch() -> None:
    ports = [open_port(spec) for spec in ("switch", "switch:", "switch:blue", "switch:blue")]
    assert [port.name for port in ports] == ["switch", "switch", "switch:blue", "switch:blue"]
    a, b, c, d = (port.open(1, ALL)[0] for port in ports)
    assert all(port.carrier for port in ports)
    sent = frame(EVERYBODY, 1)
    a.send([sent])
    c.send([frame(EVERYBODY, 2)] * 2)
    assert [len(heard(lane)) for lane in (a, b, c, d)] == [0, 1, 0, 2]
    for port in ports:
        port.close()
        port.close()


def test_a_port_is_plugged_in_once_more(plugged: Plugged) -> None:
    a, b = plugged.plug(), plugged.plug()
    plugged.ports[1].close()
    a.send([frame(EVERYBODY, 1)])
    assert b.receive(64) == []
    (again,) = plugged.ports[1].open(1, ALL)
    sent = frame(EVERYBODY, 1)
    a.send([sent])
    assert heard(again) == [sent]
