"""What the ends of a disk write for each other: read back, cut down, or refused."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvdrivers.abi.blkif import ARM, X86_32, X86_64, VDisk
from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.block.nodes import (
    Back,
    Offer,
    back_nodes,
    front_nodes,
    offer_nodes,
    read_back,
    read_front,
    read_offer,
)
from pvdrivers.bus.device import Nodes
from pvdrivers.bus.end import error_path, put
from pvdrivers.bus.nodes import BadNode, Peer
from pvdrivers.bus.rings import Shared
from pvdrivers.transport.loopback.hypervisor import InUse
from pvdrivers.xenstore.client import Client
from tests.pvdrivers.block.pair import BACK, SPOT, Bench, bench
from tests.pvdrivers.bus.joined import Frontish, until

OFFER = Offer(max_order=4, max_queues=4)
ONE: Nodes = {"ring-ref": 8, "event-channel": 5, "protocol": "x86_64-abi"}
TWO: Nodes = {
    "multi-queue-num-queues": 2,
    **{f"queue-{number}/{name}": 8 + number for number in range(2) for name in ("ring-ref", "event-channel")},
}


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    place: Path = tmp_path_factory.mktemp("loop")
    with bench(place) as made:
        yield made


@pytest.fixture
def store(loop: Bench) -> Iterator[Client]:
    store = loop.dom0.store
    store.mkdir("/test")
    yield store
    store.remove("/test")


def written(store: Client, nodes: Nodes) -> Peer:
    put(store, "/test", nodes)
    return Peer(store, "/test")


@pytest.mark.parametrize("layout", [X86_32, X86_64, ARM], ids=lambda layout: layout.protocol)
@pytest.mark.parametrize("pages", [1, 2, 16])
@pytest.mark.parametrize("count", [1, 4])
def test_a_frontends_nodes_come_back(store: Client, layout: object, pages: int, count: int) -> None:
    assert layout in (X86_32, X86_64, ARM)
    queues = [Shared((tuple(range(at, at + pages)),), (at + 1,)) for at in range(10, 10 + count * 100, 100)]
    nodes = front_nodes(queues, persistent=True, layout=layout)
    front = read_front(written(store, nodes), OFFER)
    assert front == (layout, True, tuple(queues))


def test_a_protocol_unsaid_is_that_of_32_bits(store: Client) -> None:
    front = read_front(written(store, {**ONE, "protocol": None}), OFFER)
    assert front.layout is X86_32
    assert not front.persistent


def test_an_order_of_zero_is_written_in_two_ways(store: Client) -> None:
    peer = written(store, {"ring-page-order": 0, "ring-ref0": 7, "event-channel": 5})
    assert read_front(peer, OFFER).queues == (Shared(((7,),), (5,)),)
    put(store, "/test", {"ring-ref0": None, "ring-ref": 9})
    assert read_front(peer, OFFER).queues == (Shared(((9,),), (5,)),)


def test_one_queue_is_flat_also_when_it_is_counted(store: Client) -> None:
    assert len(read_front(written(store, {**ONE, "multi-queue-num-queues": 1}), OFFER).queues) == 1


WRONG: list[tuple[Nodes, str]] = [
    ({"ring-ref": None}, "ring-ref is missing"),
    ({"event-channel": None}, "event-channel is missing"),
    ({"event-channel": 0}, "event-channel is 0, not 1 to"),
    ({"event-channel": -1}, "event-channel is '-1', no number"),
    ({"event-channel": 2**32}, "event-channel is 4294967296, not"),
    ({"ring-ref": 2**32}, "ring-ref is 4294967296, not"),
    ({"ring-ref": "x" * 1000}, "ring-ref is 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'..., no number"),
    ({"ring-ref": ""}, "ring-ref is '', no number"),
    ({"ring-ref": "9" * 30}, "no number"),
    ({"protocol": "vax-abi"}, "protocol is 'vax-abi', none of x86_32-abi, x86_64-abi, arm-abi"),
    ({"protocol": "\x1b[2J"}, "no text"),
    ({"ring-page-order": 5}, "ring-page-order is 5, not 0 to 4"),
    ({"ring-page-order": 31}, "ring-page-order is 31"),
    ({"ring-page-order": 1}, "ring-ref0 is missing"),
    ({"ring-page-order": 1, "ring-ref0": 8, "ring-ref1": 8}, "ring-ref 8 is there twice"),
    ({"multi-queue-num-queues": 0}, "multi-queue-num-queues is 0, not 1 to 4"),
    ({"multi-queue-num-queues": 5}, "multi-queue-num-queues is 5"),
    ({"feature-persistent": "yes"}, "feature-persistent is 'yes', no number"),
    ({**TWO, "queue-1/ring-ref": None}, "queue-1/ring-ref is missing"),
    ({**TWO, "multi-queue-num-queues": 3}, "queue-2/ring-ref is missing"),
    ({**TWO, "queue-1/ring-ref": 8}, "ring-ref 8 is there twice"),
    ({**TWO, "queue-1/event-channel": 8}, "event-channel 8 is there twice"),
]


@pytest.mark.parametrize(("nodes", "said"), WRONG)
def test_frontends_that_make_no_sense_are_refused(store: Client, nodes: Nodes, said: str) -> None:
    put(store, "/test", {**ONE, "queue-1": None})
    with pytest.raises(BadNode) as raised:
        read_front(written(store, {name: value for name, value in nodes.items() if value is not None or name in ONE}
                           if "queue-1/ring-ref" not in nodes else _without(nodes)), OFFER)  # fmt: skip
    assert said in str(raised.value)
    assert str(raised.value).isprintable()


def _without(nodes: Nodes) -> Nodes:
    return {name: value for name, value in nodes.items() if value is not None}


def test_a_disks_nodes_come_back(store: Client) -> None:
    back = Back(
        8192, 4096, 4096, VDisk.READONLY, flush=True, barrier=True, discard=True, granularity=4096, alignment=512,
        secure=True, persistent=True, max_indirect=256,
    )  # fmt: skip
    peer = written(store, back_nodes(back))
    assert read_back(peer) == back
    none = Back(8)
    put(store, "/test", back_nodes(none))
    assert read_back(peer) == none
    assert not peer.has("discard-granularity")


def test_offers_are_cut_down(store: Client) -> None:
    peer = written(store, offer_nodes(Offer(4, 8), 256))
    assert read_offer(peer) == (4, 8)
    put(store, "/test", {"max-ring-page-order": 31, "multi-queue-max-queues": 2**32 - 1})
    assert read_offer(peer) == (4, 2**32 - 1)
    put(store, "/test", {"max-ring-page-order": None, "multi-queue-max-queues": 0})
    assert read_offer(peer) == (0, 1)


@pytest.mark.parametrize(
    "nodes",
    [
        {"sectors": 0},
        {"sectors": 2**64},
        {"sectors": None},
        {"sector-size": 0},
        {"sector-size": 513},
        {"sector-size": 2**32},
        {"sector-size": 4096, "sectors": 9},
        {"feature-max-indirect-segments": -1},
    ],
)
def test_backends_that_make_no_sense_are_refused(store: Client, nodes: Nodes) -> None:
    with pytest.raises(BadNode):
        read_back(written(store, {**back_nodes(Back(8192)), **nodes}))


def test_a_backend_lives_through_all_that_frontends_write(loop: Bench) -> None:
    front = Frontish(loop.guest, SPOT)
    with loop.backend() as served:
        threads = set(threading.enumerate())
        for nodes, said in WRONG:
            front.write("state", S.INITIALISING.value)
            assert served.wait([S.INIT_WAIT], 600)
            for name in loop.guest.store.directory(SPOT.front):
                if name not in {"backend", "backend-id", "state"}:
                    loop.guest.store.remove(f"{SPOT.front}/{name}")
            put(loop.guest.store, SPOT.front, _without({**ONE, **nodes}))
            front.write("state", S.INITIALISED.value)
            assert served.wait([S.CLOSING], 600), nodes
            if None not in nodes.values():
                until(lambda said=said: said in loop.dom0.store.read(f"{error_path(SPOT.back)}/error").decode())  # type: ignore[misc] # a lambda's default
            front.write("state", S.CLOSED.value)
            assert served.wait([S.CLOSED], 600)
        assert set(threading.enumerate()) <= threads
        assert loop.machine.hypervisor.in_use(BACK) == InUse(0, 0, 0)
        # And serves whoever makes sense.
        for name in loop.guest.store.directory(SPOT.front):
            if name not in {"backend", "backend-id", "state"}:
                loop.guest.store.remove(f"{SPOT.front}/{name}")
        front.write("state", S.INITIALISING.value)
        with loop.disk() as disk:
            assert disk.read(0, 512) == bytes(512)
        assert not loop.dom0.store.exists(error_path(SPOT.back))
