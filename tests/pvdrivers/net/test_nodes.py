"""What the ends of a vif write for each other: read back, cut down, or refused."""

from itertools import product

import pytest

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.nodes import BadNode
from pvdrivers.bus.rings import Shared
from pvdrivers.net.frame import Abilities
from pvdrivers.net.nodes import (
    EVERYTHING,
    Control,
    Front,
    Offer,
    Takes,
    carrier_nodes,
    front_nodes,
    offer_nodes,
    read_carrier,
    read_front,
    read_headroom,
    read_multicast,
    read_offer,
)
from tests.pvdrivers.bus.directory import peer

ONE = Shared(((8,), (9,)), (5,))
QUEUES = (Shared(((10,), (11,)), (6, 7)), Shared(((12,), (13,)), (8, 9)))
OFFER = Offer(EVERYTHING, split=True, multicast=True, control=True, headroom=True, max_queues=4)
FULL = Front(QUEUES, EVERYTHING, True, True, 256, Control(14, 20))


def refusal_of(front: Nodes, offer: Offer = OFFER) -> str:
    with pytest.raises(BadNode) as raised:
        read_front(peer(front), offer)
    assert str(raised.value).isprintable()
    return str(raised.value)


@pytest.mark.parametrize("front", [Front((ONE,), Takes()), Front((ONE,), EVERYTHING, notifies=False), FULL])
def test_a_frontends_nodes_come_back(front: Front) -> None:
    assert read_front(peer(front_nodes(front)), OFFER) == front


@pytest.mark.parametrize("offer", [Offer(), OFFER, Offer(Takes(sg=True, gso_v4=True)), Offer(max_queues=8)])
def test_a_backends_offer_comes_back(offer: Offer) -> None:
    assert read_offer(peer(offer_nodes(offer))) == offer


def test_a_frontends_nodes_are_those_that_linux_writes() -> None:
    assert front_nodes(Front((Shared(((8,), (9,)), (5, 6)),), EVERYTHING)) == {
        "multi-queue-num-queues": None,
        "tx-ring-ref": 8,
        "rx-ring-ref": 9,
        # Of a former life's, if it had any.
        "tx-ring-ref0": None,
        "rx-ring-ref0": None,
        "event-channel-tx": 5,
        "event-channel-rx": 6,
        "request-rx-copy": 1,
        "feature-rx-notify": 1,
        "feature-sg": 1,
        "feature-gso-tcpv4": 1,
        "feature-gso-tcpv6": 1,
        "feature-no-csum-offload": 0,
        "feature-ipv6-csum-offload": 1,
        "request-multicast-control": 0,
        "xdp-headroom": None,
        "ctrl-ring-ref": None,
        "event-channel-ctrl": None,
    }
    several = front_nodes(FULL)
    assert several["multi-queue-num-queues"] == 2
    assert several["queue-1/tx-ring-ref"] == 12
    assert several["queue-1/event-channel-rx"] == 9
    assert "tx-ring-ref" not in several
    assert (several["xdp-headroom"], several["ctrl-ring-ref"], several["event-channel-ctrl"]) == (256, 14, 20)


def test_a_backends_nodes_are_those_that_linux_writes() -> None:
    assert offer_nodes(OFFER) == {
        "feature-sg": 1,
        "feature-gso-tcpv4": 1,
        "feature-gso-tcpv6": 1,
        "feature-no-csum-offload": 0,
        "feature-ipv6-csum-offload": 1,
        "feature-rx-copy": 1,
        "feature-rx-flip": 0,
        "feature-split-event-channels": 1,
        "feature-multicast-control": 1,
        "feature-dynamic-multicast-control": 1,
        "feature-ctrl-ring": 1,
        "feature-xdp-headroom": 1,
        "multi-queue-max-queues": 4,
    }


def test_what_a_simple_frontend_leaves_out_it_cannot() -> None:
    simple = {"tx-ring-ref": 8, "rx-ring-ref": 9, "event-channel": 5, "request-rx-copy": 1}
    assert read_front(peer(simple), OFFER) == Front((ONE,), Takes(), notifies=False)


def test_what_a_simple_backend_leaves_out_it_does_not_offer() -> None:
    assert read_offer(peer({"feature-rx-copy": 1})) == Offer()


def test_what_was_not_offered_is_not_taken_up() -> None:
    front = read_front(peer(front_nodes(FULL)), Offer(max_queues=2))
    assert (front.multicast, front.headroom, front.control) == (False, 0, None)
    # Nor judged.
    assert read_front(peer({**front_nodes(FULL), "xdp-headroom": "x"}), Offer(max_queues=2)).headroom == 0


@pytest.mark.parametrize(("sg", "gso", "checksum"), list(product([0, 1], repeat=3)))
def test_frames_are_cut_where_they_come_in_more_slots_and_without_a_checksum(sg: int, gso: int, checksum: int) -> None:
    nodes = {
        **front_nodes(Front((ONE,), Takes())),
        "feature-sg": sg,
        "feature-gso-tcpv4": gso,
        "feature-gso-tcpv6": gso,
        "feature-no-csum-offload": 1 - checksum,
        "feature-ipv6-csum-offload": checksum,
    }
    cut = bool(sg and gso and checksum)
    assert read_front(peer(nodes), OFFER).takes == Takes(bool(sg), cut, cut, bool(checksum), bool(checksum))
    assert read_offer(peer({"feature-rx-copy": 1, **nodes})).takes == Takes(
        bool(sg), cut, cut, bool(checksum), bool(checksum)
    )


@pytest.mark.parametrize(
    ("takes", "headroom", "abilities"),
    [
        (Takes(), 0, Abilities(True, False, False, False, 1518)),
        (Takes(), 2578, Abilities(True, False, False, False, 1518)),
        (Takes(checksum_v4=False), 0, Abilities(False, False, False, False, 1518)),
        (Takes(sg=True), 0, Abilities(True, False, False, False, 18 * 4096)),
        (EVERYTHING, 0, Abilities(True, True, True, True, 18 * 4096)),
        (EVERYTHING, 256, Abilities(True, True, True, True, 18 * 3840)),
        (Takes(sg=True, gso_v6=True, checksum_v6=True), 0, Abilities(True, True, False, True, 18 * 4096)),
    ],
)
def test_what_an_end_takes_is_what_frames_may_be(takes: Takes, headroom: int, abilities: Abilities) -> None:
    assert takes.abilities(headroom) == abilities


FLAT = front_nodes(Front((ONE,), EVERYTHING))
SEVERAL = front_nodes(FULL)
WRONG: list[tuple[Nodes, str]] = [
    ({**FLAT, "request-rx-copy": 0}, "request-rx-copy is missing or 0"),
    ({**FLAT, "request-rx-copy": None}, "request-rx-copy is missing or 0"),
    ({**FLAT, "request-rx-copy": "yes"}, "request-rx-copy is 'yes', no number"),
    ({**FLAT, "multi-queue-num-queues": 0}, "multi-queue-num-queues is 0, not 1 to 4"),
    ({**FLAT, "multi-queue-num-queues": 5}, "multi-queue-num-queues is 5, not 1 to 4"),
    ({**FLAT, "multi-queue-num-queues": -1}, "multi-queue-num-queues is '-1', no number"),
    ({**FLAT, "tx-ring-ref": None}, "tx-ring-ref is missing"),
    ({**FLAT, "rx-ring-ref": None}, "rx-ring-ref is missing"),
    ({**FLAT, "rx-ring-ref": 2**32}, "rx-ring-ref is 4294967296"),
    ({**FLAT, "rx-ring-ref": 8}, "tx-ring-ref or rx-ring-ref 8 is there twice"),
    ({**FLAT, "event-channel": None}, "event-channel is missing"),
    ({**FLAT, "event-channel": None, "event-channel-tx": 5}, "event-channel is missing"),
    ({**FLAT, "event-channel-tx": 5, "event-channel-rx": 5}, "event-channel 5 is there twice"),
    ({**FLAT, "event-channel-tx": 0, "event-channel-rx": 5}, "event-channel-tx is 0, not 1 to"),
    ({**FLAT, "feature-sg": ""}, "feature-sg is '', no number"),
    ({**FLAT, "feature-gso-tcpv6": "x" * 99}, "feature-gso-tcpv6 is 'xxxxxxxx"),
    ({**SEVERAL, "multi-queue-num-queues": 3}, "queue-2/tx-ring-ref is missing"),
    ({**SEVERAL, "queue-1/rx-ring-ref": None}, "queue-1/rx-ring-ref is missing"),
    ({**SEVERAL, "queue-1/tx-ring-ref": 11}, "11 is there twice"),
    ({**SEVERAL, "queue-1/event-channel-tx": 7}, "event-channel 7 is there twice"),
    ({**SEVERAL, "event-channel-ctrl": None}, "event-channel-ctrl is missing"),
    ({**SEVERAL, "event-channel-ctrl": 9}, "event-channel-ctrl 9 is a queue's as well"),
    ({**SEVERAL, "ctrl-ring-ref": 13}, "ctrl-ring-ref 13 is a queue's as well"),
    ({**SEVERAL, "ctrl-ring-ref": "\n"}, "ctrl-ring-ref is '"),
    ({**SEVERAL, "xdp-headroom": 2579}, "xdp-headroom is 2579, not 0 to 2578"),
    ({**SEVERAL, "xdp-headroom": 0xFFFF}, "xdp-headroom is 65535"),
]


@pytest.mark.parametrize(("nodes", "said"), WRONG)
def test_frontends_that_make_no_sense_are_refused(nodes: Nodes, said: str) -> None:
    assert said in refusal_of(nodes)


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ({}, "feature-rx-copy is missing or 0"),
        ({"feature-rx-copy": 0, "feature-rx-flip": 1}, "feature-rx-copy is missing or 0"),
        ({"feature-rx-copy": 1, "feature-sg": "on"}, "feature-sg is 'on', no number"),
        ({"feature-rx-copy": 1, "multi-queue-max-queues": 2**32}, "multi-queue-max-queues is 4294967296"),
    ],
)
def test_backends_that_make_no_sense_are_refused(nodes: Nodes, said: str) -> None:
    with pytest.raises(BadNode) as raised:
        read_offer(peer(nodes))
    assert said in str(raised.value)


@pytest.mark.parametrize(("number", "queues"), [(0, 1), (1, 1), (8, 8), (2**32 - 1, 2**32 - 1)])
def test_a_backend_has_one_queue_at_least(number: int, queues: int) -> None:
    assert read_offer(peer({"feature-rx-copy": 1, "multi-queue-max-queues": number})).max_queues == queues


def test_what_changes_while_connected_is_read_by_itself() -> None:
    assert [read_multicast(peer(nodes)) for nodes in ({}, {"request-multicast-control": 1})] == [False, True]
    assert [read_headroom(peer(nodes)) for nodes in ({}, {"xdp-headroom": 256})] == [0, 256]


def test_a_link_is_up_unless_its_backend_says_no() -> None:
    assert read_carrier(peer({}))
    assert read_carrier(peer(carrier_nodes(up=True)))
    assert not read_carrier(peer(carrier_nodes(up=False)))
    with pytest.raises(BadNode, match="carrier is 'up', no number"):
        read_carrier(peer({"carrier": "up"}))
