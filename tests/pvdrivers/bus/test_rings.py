"""What a frontend shares, of any device: read as written, and refused where it makes no sense."""

import pytest

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.nodes import BadNode
from pvdrivers.bus.rings import Names, Shared, read_shared, shared_nodes
from tests.pvdrivers.bus.directory import peer

ONE_RING = Names(("ring-ref",))
TWO_RINGS = Names(("tx-ring-ref", "rx-ring-ref"), ("event-channel-tx", "event-channel-rx"))


def written(queues: list[Shared], names: Names) -> Nodes:
    count = {"multi-queue-num-queues": len(queues)} if len(queues) > 1 else {}
    return {**count, **shared_nodes(queues, names)}


def there(queues: list[Shared], names: Names) -> Nodes:
    """Give the nodes that are there once these are written."""
    return {name: value for name, value in shared_nodes(queues, names).items() if value is not None}


@pytest.mark.parametrize(
    ("names", "queues", "order"),
    [
        (ONE_RING, [Shared(((8,),), (3,))], 0),
        (ONE_RING, [Shared(((8, 9, 10, 11),), (3,)), Shared(((12, 13, 14, 15),), (4,))], 2),
        (TWO_RINGS, [Shared(((8,), (9,)), (3,))], 0),
        (TWO_RINGS, [Shared(((8,), (9,)), (3, 4)), Shared(((10,), (11,)), (5, 6))], 0),
    ],
)
def test_what_is_written_is_read(names: Names, queues: list[Shared], order: int) -> None:
    assert read_shared(peer(written(queues, names)), names, 2, order) == tuple(queues)


def test_the_nodes_are_those_of_the_headers() -> None:
    assert there([Shared(((8,), (9,)), (3, 4))], TWO_RINGS) == {
        "tx-ring-ref": 8,
        "rx-ring-ref": 9,
        "event-channel-tx": 3,
        "event-channel-rx": 4,
    }
    assert there([Shared(((8, 9),), (3,)), Shared(((10, 11),), (4,))], ONE_RING) == {
        "queue-0/ring-ref0": 8,
        "queue-0/ring-ref1": 9,
        "queue-0/event-channel": 3,
        "queue-1/ring-ref0": 10,
        "queue-1/ring-ref1": 11,
        "queue-1/event-channel": 4,
    }


@pytest.mark.parametrize(
    ("names", "former", "now", "order"),
    [
        (TWO_RINGS, Shared(((8,), (9,)), (3, 4)), Shared(((10,), (11,)), (5,)), 0),
        (TWO_RINGS, Shared(((8,), (9,)), (3,)), Shared(((10,), (11,)), (5, 6)), 0),
        (ONE_RING, Shared(((8, 9),), (3,)), Shared(((10,),), (5,)), 0),
        (ONE_RING, Shared(((8,),), (3,)), Shared(((10, 11),), (5,)), 1),
    ],
)
def test_what_a_former_life_has_left_is_not_read(names: Names, former: Shared, now: Shared, order: int) -> None:
    nodes = {**written([former], names), **written([now], names)}
    assert read_shared(peer(nodes), names, 1, order) == (now,)


NET = {"tx-ring-ref": 8, "rx-ring-ref": 9, "event-channel": 3}


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"tx-ring-ref": None}, "tx-ring-ref is missing"),
        ({"rx-ring-ref": 8}, "tx-ring-ref or rx-ring-ref 8 is there twice"),
        ({"rx-ring-ref": 2**32}, "rx-ring-ref is 4294967296, not 0 to 4294967295"),
        ({"event-channel": None, "event-channel-tx": 3}, "event-channel is missing"),
        ({"event-channel-tx": 3, "event-channel-rx": 3}, "event-channel 3 is there twice"),
        ({"event-channel": 0}, "event-channel is 0, not 1 to 131071"),
        ({"multi-queue-num-queues": 0}, "multi-queue-num-queues is 0, not 1 to 4"),
        ({"multi-queue-num-queues": 5}, "multi-queue-num-queues is 5, not 1 to 4"),
        ({"multi-queue-num-queues": 2}, "queue-0/tx-ring-ref is missing"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, object], wrong: str) -> None:
    nodes = {name: value for name, value in {**NET, **changes}.items() if value is not None}
    with pytest.raises(BadNode) as error:
        read_shared(peer(nodes), TWO_RINGS, 4)
    assert str(error.value) == wrong
