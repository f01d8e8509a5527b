"""Frontends that write nonsense to XenStore, or too much, or states in no order: they are told what is wrong, or served
as if nothing had been; they cost nobody else anything, and nothing is kept of them.
"""

import time
from functools import partial
from typing import NamedTuple

import pytest

from pvdrivers.abi.netif import NetifRsp, TxFlag
from pvdrivers.abi.xenbus import XenbusState
from tests.pvdrivers.bus.joined import until
from tests.pvdrivers.net.bare import Bare
from tests.pvdrivers.net.hostile.vifs import BACK, Vif, Yard, accounts
from tests.pvdrivers.net.lanes import STUCK
from tests.pvdrivers.net.messages import answers


class Nonsense(NamedTuple):
    """Nodes instead of what makes sense (None: left out), and what is said of them."""

    nodes: dict[str, object]
    said: str


NONSENSE = [
    # What each node may hold is tested where it is read; these are of all the ways to find nonsense.
    Nonsense({"request-rx-copy": None}, "request-rx-copy is missing or 0"),
    Nonsense({"multi-queue-num-queues": 0}, "multi-queue-num-queues is 0, not 1 to 8"),
    Nonsense({"multi-queue-num-queues": 2}, "queue-0/tx-ring-ref is missing"),
    Nonsense({"multi-queue-num-queues": "1" * 1500}, "multi-queue-num-queues is '1111"),
    Nonsense({"tx-ring-ref": 2**32 - 1}, "domain 5 has not granted"),
    Nonsense({"rx-ring-ref": "0x20"}, "rx-ring-ref is '0x20', no number"),
    Nonsense({"event-channel-rx": None}, "event-channel is missing"),
    Nonsense({"event-channel-tx": 131071}, "port 131071"),
    Nonsense({"ctrl-ring-ref": 2**32 - 1}, "domain 5 has not granted"),
    Nonsense({"event-channel-ctrl": 131071}, "port 131071"),
    Nonsense({"xdp-headroom": 2579}, "xdp-headroom is 2579, not 0 to 2578"),
]


def write(vif: Vif, name: str, value: object) -> None:
    vif.guest.store.write(f"{vif.spot.front}/{name}", str(value).encode())


def refuses(vif: Vif, nodes: dict[str, object], said: str) -> None:
    for name, value in {**nodes, "state": 4}.items():
        if value is not None:
            write(vif, name, value)
    assert vif.end.wait([XenbusState.CLOSING], STUCK)
    assert said in vif.error()
    assert [line for line in vif.lines if said in line]
    assert vif.error().isprintable()


def leaves_free(vif: Vif) -> bool:
    return [queue.headroom for queue in vif.device._running] == [vif.headroom]


def reconnects(vif: Vif) -> None:
    """Hold that a frontend which begins anew, and makes sense, is served."""
    vif.bare.close()
    vif.bare = Bare(vif.guest, BACK)
    vif.seen = 0
    for state in (XenbusState.CLOSED, XenbusState.INITIALISING):
        write(vif, "state", int(state))
        assert vif.end.wait([XenbusState.CLOSED, XenbusState.INIT_WAIT], STUCK)
    assert vif.end.wait([XenbusState.INIT_WAIT], STUCK)
    for name, value in vif.bare.nodes().items():
        if value is not None:
            write(vif, name, value)
    write(vif, "state", 4)
    assert vif.end.wait([XenbusState.CONNECTED], STUCK), vif.end.error
    vif.proves()


@pytest.mark.parametrize("wrong", NONSENSE, ids=lambda wrong: wrong.said.partition(" is ")[0])
def test_nonsense_is_told_and_what_makes_sense_afterwards_is_served(wrong: Nonsense, made: Yard) -> None:
    assert made.sibling
    before = accounts(made.machine)
    with made.plugged() as vif:
        ours = accounts(made.machine).domains[0]
        refuses(vif, {**vif.bare.nodes(), **wrong.nodes}, wrong.said)
        assert accounts(made.machine).domains[0] == ours
        made.sibling.proves()
        for name in wrong.nodes:
            if vif.guest.store.exists(f"{vif.spot.front}/{name}"):
                vif.guest.store.remove(f"{vif.spot.front}/{name}")
        reconnects(vif)
    assert accounts(made.machine) == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tx-ring-ref", "rx-ring-ref"),
        ("event-channel-tx", "event-channel-rx"),
        ("rx-ring-ref", "ctrl-ring-ref"),
        ("event-channel-rx", "event-channel-ctrl"),
    ],
)
def test_what_is_named_twice_is_not_used_twice(one: str, other: str, made: Yard) -> None:
    assert made.sibling
    before = accounts(made.machine)
    with made.plugged() as vif:
        nodes = vif.bare.nodes()
        refuses(vif, {**nodes, other: nodes[one]}, str(nodes[one]))
        made.sibling.proves()
        reconnects(vif)
    assert accounts(made.machine) == before


def test_what_another_vif_has_is_nobody_elses(made: Yard) -> None:
    # Both are this guest's own pages and ports: a page may be mapped again, which is its own affair; a bound port not.
    assert made.sibling
    with made.plugged() as vif:
        theirs = made.sibling.bare.nodes()
        refuses(vif, {**vif.bare.nodes(), "event-channel-tx": theirs["event-channel-tx"]}, "port")
        made.sibling.proves()


def test_states_written_again_and_again_cost_a_look_each_at_most(made: Yard) -> None:
    with made.case() as vif:
        for _ in range(500):
            write(vif, "state", 4)
        write(vif, "request-multicast-control", 0)
        vif.proves()
        assert vif.end.state is XenbusState.CONNECTED
        assert vif.lines == []


def test_a_wish_that_is_no_number_is_told_and_changes_nothing(made: Yard) -> None:
    with made.case() as vif:
        write(vif, "request-multicast-control", "x" * 2000)
        assert "request-multicast-control is 'xxx" in vif.error()
        assert not vif.device.wishes.filtering
        vif.proves()


@pytest.mark.parametrize("states", [(1,), (3,), (4, 5), (5, 6), (6,), (2, 8), (5, 1, 6, 1)])
def test_states_in_no_order_end_where_a_frontend_can_begin(states: tuple[int, ...], made: Yard) -> None:
    assert made.sibling
    before = accounts(made.machine)
    with made.vif() as vif:
        vif.proves()
        for state in states:
            write(vif, "state", state)
        write(vif, "state", 5)
        assert vif.end.wait([XenbusState.CLOSING, XenbusState.CLOSED], STUCK)
        reconnects(vif)
        made.sibling.proves()
    assert accounts(made.machine) == before


def test_a_frontend_closes_with_packets_under_way(readable: bool, made: Yard) -> None:
    assert made.sibling
    before = accounts(made.machine)
    with made.vif(readable=readable) as vif:
        for _ in range(5):
            vif.bare.tx.put(vif.slot(0, 0, 60) * 200 + vif.slot(1, TxFlag.MORE_DATA, 60))
            write(vif, "state", 5)
            assert vif.end.wait([XenbusState.CLOSING], STUCK)
            # All that was whole is answered by then, and went out; the beginning of a packet is nobody's.
            assert answers(vif.bare.tx.ring.take()) == [(0, NetifRsp.OKAY)] * 200
            assert vif.port.lanes[0].count == vif.seen + 200
            reconnects(vif)
        made.sibling.proves()
    assert accounts(made.machine) == before


def test_a_frontend_changes_its_headroom_a_hundred_times(made: Yard) -> None:
    with made.case() as vif:
        for number in range(100):
            vif.headroom = 256 * (number % 2)
            write(vif, "xdp-headroom", vif.headroom)
            write(vif, "state", 7)
            until(partial(leaves_free, vif))
            assert vif.end.wait([XenbusState.RECONFIGURED], STUCK)
            write(vif, "state", 4)
            vif.proves()
        # What leaves no room for a frame is refused, and it may begin anew.
        write(vif, "xdp-headroom", 4000)
        write(vif, "state", 7)
        assert "xdp-headroom is 4000" in vif.error()


def test_events_without_packets_are_heard_less_and_less(made: Yard) -> None:
    with made.case() as vif:
        before = vif.device.statistics()["notifications_received"]
        began = time.monotonic()
        for _ in range(100_000):
            vif.bare.tx.channel.notify()
        vif.proves()
        heard = vif.device.statistics()["notifications_received"] - before
        # From the ninth on each costs a millisecond more than the last, up to a tenth of a second.
        assert heard <= 60 + 10 * (time.monotonic() - began)
        until(lambda: vif.device.busy == 0)
