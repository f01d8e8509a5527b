"""A backend and frontends that do as the test says: they stall, ask for nonsense, and break their control ring."""

import random
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from pvdrivers.abi.netif import CtrlStatus, CtrlType, ExtraType, HashAlgorithm, NetifRsp, TxFlag
from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus.end import End, error_path
from pvdrivers.bus.nodes import Peer
from pvdrivers.errors import MachineError
from pvdrivers.net.back.stall import DRAIN, STALL
from pvdrivers.net.control.messages import Request, Response
from pvdrivers.net.frame import Frame
from pvdrivers.net.multicast import ADDRESSES_MAX
from pvdrivers.net.nodes import read_carrier
from pvdrivers.net.ports.base import ALL, Port
from pvdrivers.net.ports.switch import Switch
from pvdrivers.transport.loopback.hypervisor import InUse
from pvdrivers.xenstore.client import NotFound
from tests.pvdrivers.bus.joined import until
from tests.pvdrivers.net.bare import Bare
from tests.pvdrivers.net.lanes import TestsLane, TestsPort, Vanishing, taken
from tests.pvdrivers.net.messages import answers, multicast, sent, wide
from tests.pvdrivers.net.pair import BACK, SPOT, Bench, bench

KEY = bytes(range(40))
GROUP = bytes.fromhex("33330000")


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


@contextmanager
def joined(loop: Bench, port: Port | None = None, **nodes: object) -> Iterator[tuple[Bare, End]]:
    """Join a frontend of the test's to the backend.

    :param nodes: what it writes besides what makes sense, or instead
    """
    bare = Bare(loop.guest, BACK)
    with loop.backend(port=port) as end:
        assert end.wait([XenbusState.INIT_WAIT], 600)
        bare.publish(SPOT.front, {**bare.nodes(), **{name.replace("_", "-"): value for name, value in nodes.items()}})
        assert end.wait([XenbusState.CONNECTED], 600), end.error
        yield bare, end
    assert loop.machine.hypervisor.in_use(BACK) == InUse(0, 0, 0)


def carrier(loop: Bench) -> bool:
    return read_carrier(Peer(loop.dom0.store, SPOT.back))


def filters(loop: Bench, wanted: bool) -> bool:
    return loop.device is not None and loop.device.wishes.filtering == wanted


def sends(loop: Bench, bare: Bare, number: int) -> None:
    """Hold that packets are still taken."""
    content = bytes([number]) * 60
    bare.sends(number, content)
    assert loop.there.lanes[0].got(1)[-1].data == content


def waits(loop: Bench, bare: Bare, frame: Frame, number: int) -> None:
    """Have a frame wait for pages; by a packet, which its queue's thread takes after it has seen that."""
    lane = loop.there.lanes[0]
    lane.give([frame])
    until(lambda: lane.left == 0)
    sends(loop, bare, number)


def dropped(loop: Bench, count: int) -> bool:
    assert loop.device
    return loop.device.statistics()["dropped"] == count


def test_one_that_posts_no_pages_loses_its_link_and_gets_it_back(loop: Bench) -> None:
    with joined(loop) as (bare, _):
        assert carrier(loop)
        lane = loop.there.lanes[0]
        # Three pages are needed, and two are there.
        bare.post(2)
        waits(loop, bare, Frame(bytes(9000)), 1)
        loop.passes(DRAIN)
        bare.rx.channel.notify()
        until(partial(dropped, loop, 1))
        assert carrier(loop)
        waits(loop, bare, Frame(bytes(9000)), 2)
        loop.passes(STALL)
        bare.rx.channel.notify()
        until(lambda: not carrier(loop))
        # As long as it is down, what comes is dropped at once; it still serves what is sent.
        lane.give([Frame(bytes(9000))] * 3)
        until(partial(dropped, loop, 5))
        sends(loop, bare, 3)
        bare.post(1)
        until(lambda: carrier(loop))
        lane.give([Frame(b"\x02" * 60)])
        assert bare.received(1) == [b"\x02" * 60]


class Failing(TestsLane):
    """A lane of a port that fails."""

    def send(self, frames: Sequence[Frame]) -> None:
        raise MachineError(f"no room for {len(frames)} frames")


def test_one_whose_port_fails_has_no_link_any_more(loop: Bench) -> None:
    with joined(loop, TestsPort(make=Failing)) as (bare, end):
        assert carrier(loop)
        bare.tx.put(sent(1, size=60, gref=bare.page(bytes(60))))
        until(lambda: not carrier(loop))
        assert (str(end.error), end.state) == ("no room for 1 frames", XenbusState.CONNECTED)


def told(loop: Bench) -> str | None:
    """Give what XenStore says is wrong."""
    try:
        return loop.dom0.store.read(f"{error_path(SPOT.back)}/error").decode()
    except NotFound:
        # Asked first, it might be gone by then.
        return None


MISSING = "no test: make one; it is tried again every second"


def test_a_port_that_comes_back_is_gone_on_with(loop: Bench) -> None:
    port = Vanishing()
    with joined(loop, port) as (bare, end):
        bare.post(4)
        port.lanes[0].give([Frame(b"\x01" * 60)])
        assert bare.received(1) == [b"\x01" * 60]
        for round_ in range(2):
            port.gone = True
            bare.tx.put(sent(7 + round_, size=60, gref=bare.page(bytes([round_]) * 60)))
            until(lambda: told(loop) == f"22 {MISSING}")
            assert (carrier(loop), end.state) == (False, XenbusState.CONNECTED)
            port.gone = False
            # What it had sent meanwhile is not lost, nor are the pages that it had posted.
            assert answers(bare.tx.take(1)) == [(7 + round_, NetifRsp.OKAY)]
            assert [frame.data for frame in port.lanes[0].got(1)] == [bytes([round_]) * 60]
            port.lanes[0].give([Frame(b"\x02" * 60)])
            assert bare.received(1, 1 + round_) == [b"\x02" * 60]
            until(lambda: carrier(loop) and told(loop) is None)
            assert end.error is None
        assert end.state is XenbusState.CONNECTED
    gone = "the test is gone; it is tried again every second"
    assert loop.lines == [f"0/backend/uvif/5/0: {line}" for line in (gone, MISSING, f"no longer so: {MISSING}")] * 2


def test_a_successor_whose_port_is_not_there_yet_waits_for_it(loop: Bench) -> None:
    port = Vanishing()
    bare = Bare(loop.guest, BACK)
    with loop.backend(port=port) as end:
        assert end.wait([XenbusState.INIT_WAIT], 600)
        bare.publish(SPOT.front, bare.nodes())
        assert end.wait([XenbusState.CONNECTED], 600), end.error
    port.gone = True
    with loop.backend(port=port) as end:
        bare.tx.put(sent(1, size=60, gref=bare.page(bytes(60))))
        until(lambda: told(loop) == f"22 {MISSING}")
        assert end.state is XenbusState.CONNECTED
        port.gone = False
        assert answers(bare.tx.take(1)) == [(1, NetifRsp.OKAY)]
        until(lambda: carrier(loop) and told(loop) is None)


def test_pages_posted_one_by_one_are_used(loop: Bench) -> None:
    with joined(loop) as (bare, _):
        loop.there.lanes[0].give([Frame(bytes([number]) * 60) for number in range(20)])
        for _ in range(20):
            bare.post(1)
        assert bare.received(20) == [bytes([number]) * 60 for number in range(20)]


def test_pages_posted_without_a_word_are_used(loop: Bench) -> None:
    with joined(loop, feature_rx_notify=0) as (bare, _):
        lane = loop.there.lanes[0]
        lane.give([Frame(bytes(60))])
        # Its moment does not pass by this clock, and nobody notifies.
        until(lambda: lane.left == 0)
        bare.post(1, tell=False)
        assert bare.received(1) == [bytes(60)]
        # It passes.
        waits(loop, bare, Frame(bytes(60)), 1)
        loop.passes(STALL)
        until(partial(dropped, loop, 1))
        assert carrier(loop)


def test_one_that_posts_no_pages_holds_up_nobody_else(loop: Bench) -> None:
    switch = Switch()
    port, other, source = (switch.port() for _ in range(3))
    (lane,), (sender,) = other.open(1, ALL), source.open(1, ALL)
    with joined(loop, port) as (bare, _):
        for number in range(100):
            frames = [Frame(b"\xff" * 6 + b"\x02" * 6 + bytes([number, at]) + bytes(46)) for at in range(64)]
            assert taken(sender, frames) == 64
            assert lane.receive(64) == frames
        # And what it has then is not more than an inbox and what the queue holds.
        bare.post(100)
        assert bare.received(100)[0][12:14] == b"\0\0"
    other.close()
    source.close()


def test_multicast_lists_are_kept_by_request(loop: Bench) -> None:
    with joined(loop) as (bare, _):
        changes = [(ExtraType.MCAST_ADD, GROUP + number.to_bytes(2, "big")) for number in range(ADDRESSES_MAX + 1)]
        changes += [(ExtraType.MCAST_DEL, b"\x01never"), (ExtraType.MCAST_DEL, changes[0][1]), changes[-1]]
        for ident, (kind, address) in enumerate(changes):
            bare.tx.put(sent(ident, TxFlag.EXTRA_INFO, size=0, gref=0xFFFFFFFF) + wide(multicast(kind, address)))
        found = answers(bare.tx.take(2 * len(changes)))
        wrong = {ADDRESSES_MAX: NetifRsp.ERROR}
        assert found[::2] == [(ident, wrong.get(ident, NetifRsp.OKAY)) for ident in range(len(changes))]
        assert {status for _, status in found[1::2]} == {NetifRsp.NULL}


def test_filtering_begins_and_ends_when_it_is_asked_for(loop: Bench) -> None:
    # Each of them is told by its first byte and its last.
    unicast, broadcast, group, other = (
        Frame(address + bytes(53) + bytes([number]))
        for number, address in enumerate([b"\x02\0\0\0\0\1", b"\xff" * 6, GROUP + b"\0\1", GROUP + b"\0\2"])
    )
    every, those = [unicast, broadcast, group, other], [unicast, broadcast, group]
    with joined(loop) as (bare, _):
        bare.post(64)
        bare.tx.put(sent(1, TxFlag.EXTRA_INFO, size=0) + wide(multicast(ExtraType.MCAST_ADD, GROUP + b"\0\1")))
        bare.tx.take(2)
        lane = loop.there.lanes[0]
        got = 0
        for wanted in (every, those, every, those):
            if got:
                assert loop.device
                filtering = wanted is those
                loop.guest.store.write(f"{SPOT.front}/request-multicast-control", b"%d" % filtering)
                until(partial(filters, loop, filtering))
            lane.give(every)
            assert bare.received(len(wanted), got) == [frame.data for frame in wanted]
            got += len(wanted)
        assert loop.device
        assert loop.device.statistics()["rx_errors"] == loop.device.statistics()["dropped"] == 0


def test_each_request_is_answered_whatever_it_is(loop: Bench) -> None:
    chance = random.Random(3)  # noqa: S311 - no secret
    with joined(loop) as (bare, end):
        grefs = [bare.page(struct.pack("<64I", *([0] * 64))), bare.page(b"\xff" * 4096), 0xFFFFFFFF]
        number = 0
        for _ in range(100):
            requests = []
            for _ in range(chance.randint(1, bare.control.ring.room)):
                number = (number + 1) & 0xFFFF
                words = [chance.choice([0, 1, 4, 40, 128, chance.getrandbits(32)]) for _ in range(2)]
                kind = chance.choice([*CtrlType, chance.getrandbits(16)])
                requests.append(Request(number, kind, (chance.choice([*grefs, words[1]]), words[0], words[1])))
            found = bare.asked(*requests)
            assert [(one.ident, one.type) for one in found] == [(one.ident, one.type) for one in requests]
            assert {one.status for one in found} <= set(CtrlStatus)
        done = bare.asked(Request(1, CtrlType.SET_HASH_ALGORITHM, (HashAlgorithm.TOEPLITZ, 0, 0)))
        assert done == [Response(1, CtrlType.SET_HASH_ALGORITHM, CtrlStatus.SUCCESS)]
        sends(loop, bare, 9)
        assert end.error is None


@pytest.mark.parametrize("index", [2, 3 + 129, 2**31, 0xFFFFFFFF])
def test_a_control_ring_that_is_broken_ends_alone(loop: Bench, index: int) -> None:
    with joined(loop) as (bare, end):
        bare.asked(*[Request(number, CtrlType.GET_HASH_MAPPING_SIZE) for number in range(3)])
        bare.control.produce(index)
        until(lambda: loop.dom0.store.exists(f"{error_path(SPOT.back)}/error"))
        told = loop.dom0.store.read(f"{error_path(SPOT.back)}/error").decode()
        assert f"control ring: the peer's producer index {index} is not within" in told
        assert any("control ring" in line for line in loop.lines)
        # It is looked at no more: what makes sense again is not answered.
        bare.control.produce(4)
        sends(loop, bare, 5)
        assert bare.control.answered == 3
        assert end.state is XenbusState.CONNECTED


def test_a_control_ring_that_is_broken_from_the_first_ends_alone(loop: Bench) -> None:
    bare = Bare(loop.guest, BACK)
    bare.control.produce(500)
    with loop.backend() as end:
        assert end.wait([XenbusState.INIT_WAIT], 600)
        bare.publish(SPOT.front, bare.nodes())
        assert end.wait([XenbusState.CONNECTED], 600), end.error
        until(lambda: any("control ring: the peer's producer index 500" in line for line in loop.lines))
        sends(loop, bare, 1)


@pytest.mark.parametrize("node", [{"ctrl-ring-ref": 99999}, {"event-channel-ctrl": 99999}])
def test_a_control_ring_that_is_not_there_is_told(loop: Bench, node: dict[str, object]) -> None:
    bare = Bare(loop.guest, BACK)
    with loop.backend() as end:
        assert end.wait([XenbusState.INIT_WAIT], 600)
        bare.publish(SPOT.front, {**bare.nodes(), **node})
        assert end.wait([XenbusState.CLOSING], 600)
        assert "99999" in str(end.error)
        assert loop.machine.hypervisor.in_use(BACK) == InUse(0, 0, 0)


def test_lanes_are_given_back_that_no_queue_has_come_to_own(loop: Bench) -> None:
    bare = Bare(loop.guest, BACK)
    with loop.backend() as end:
        assert end.wait([XenbusState.INIT_WAIT], 600)
        bare.publish(SPOT.front, {**bare.nodes(), "tx-ring-ref": 99999})
        assert end.wait([XenbusState.CLOSING], 600)
        assert [lane.closed for lane in loop.there.lanes] == [True]


def test_what_stands_in_pages_counts_if_they_are_granted(loop: Bench) -> None:
    with joined(loop) as (bare, _):
        requests = [
            Request(1, CtrlType.SET_HASH_KEY, (bare.page(KEY), len(KEY), 0)),
            Request(2, CtrlType.SET_HASH_KEY, (0xFFFFFFFF, 3, 0)),
        ]
        assert [one.status for one in bare.asked(*requests)] == [CtrlStatus.SUCCESS, CtrlStatus.INVALID_PARAMETER]
        assert loop.device
        assert loop.device.wishes.steering.key.key == KEY
