"""Frontends that publish what makes no sense."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

from pvdrivers.conformance import waits
from pvdrivers.conformance.block.front import BlockFront
from pvdrivers.conformance.block.front_rig import BlockFrontRig
from pvdrivers.conformance.case import Clause, Group
from pvdrivers.conformance.cases.asking import NOBODYS
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.observation import Sights
from pvdrivers.xenbus import Role

CASES = Group(Role.BACK, "block")


@CASES.case(
    "BB04",
    "nodes that make no sense: queues, orders, references, ports, protocols",
    O.REFUSED,
    O.WAITS,
    clause=Clause(
        "blkif.h",
        "which must be greater than zero, and no more than the value reported by the backend in "
        '"multi-queue-max-queues".',
        source="Linux drivers/block/xen-blkback/xenbus.c, connect_ring and read_per_ring_refs",
    ),
    why="What a guest writes into XenStore decides how much a backend allocates and what it maps.",
)
def bb04(rig: BlockFrontRig) -> Sights:
    """Publishes one wrong thing at a time, in nodes or a ring, each on a new device; all are waited for together."""
    with rig.plugged() as front:
        front.begin()
        most, order = front.offered("multi-queue-max-queues", 1), front.offered("max-ring-page-order")
    with ExitStack() as stack:
        published: dict[str, BlockFront] = {}
        for what, wrong in _wrong(most, order):
            published[what] = front = stack.enter_context(rig.plugged(pages=1))
            front.begin()
            nodes = front.nodes(queues=wrong.queues, order=wrong.order)
            front.queues[0].ring.words[0] = wrong.requests
            # The name of another node stands for what that holds.
            nodes |= {name: nodes.get(str(value), value) for name, value in wrong.nodes.items()}
            front.announce({name: value for name, value in nodes.items() if value is not None})
        waits.until(front.store, [], lambda: all(each.has_decided() for each in published.values()), rig.level.deadline)
        for what, front in published.items():
            yield front.became()._replace(what=what)


class Wrong(NamedTuple):
    """What is published instead of what is right; None for nothing.

    :param order: and ``queues``: of the rings that there are
    :param requests: that are said to be in the first of them
    """

    nodes: dict[str, object]
    queues: int = 1
    order: int = 0
    requests: int = 0


def _wrong(most: int, order: int) -> Iterator[tuple[str, Wrong]]:
    yield "no ring-ref", Wrong({"ring-ref": None})
    yield "no event-channel", Wrong({"event-channel": None})
    yield "ring-ref that is no number", Wrong({"ring-ref": "seven"})
    yield "ring-ref of 1000 digits", Wrong({"ring-ref": "9" * 1000})
    yield "ring-ref -1", Wrong({"ring-ref": "-1"})
    yield "ring-ref that nobody granted", Wrong({"ring-ref": NOBODYS})
    yield "event-channel that there is not", Wrong({"event-channel": 4095})
    yield "event-channel 2^32", Wrong({"event-channel": 2**32})
    yield "protocol that there is not", Wrong({"protocol": "vax-abi"})
    yield "33 requests in a ring of 32", Wrong({}, requests=33)
    yield f"order {order + 1}", Wrong({"ring-page-order": order + 1})
    yield "order 31", Wrong({"ring-page-order": 31})
    yield "order that is no number", Wrong({"ring-page-order": "large"})
    if order < 8:
        # With all that such a ring needs.
        yield f"a ring of order {order + 1}", Wrong({}, order=order + 1)
    if most > 1:
        yield "0 queues", Wrong({"multi-queue-num-queues": 0})
        yield f"{most + 1} queues", Wrong({"multi-queue-num-queues": most + 1})
        yield "2^32 - 1 queues", Wrong({"multi-queue-num-queues": 2**32 - 1})
        yield "a queue that is missing", Wrong({"queue-1/ring-ref": None, "queue-1/event-channel": None}, 2)
        yield "one page for two queues", Wrong({"queue-1/ring-ref": "queue-0/ring-ref"}, 2)
        yield "one port for two queues", Wrong({"queue-1/event-channel": "queue-0/event-channel"}, 2)
