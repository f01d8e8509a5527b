"""Frontends that publish what makes no sense."""

from pvdrivers.conformance.block.front_rig import BlockFrontRig
from pvdrivers.conformance.case import Clause, Group
from pvdrivers.conformance.cases.asking import NOBODYS
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.observation import Seen, Sights
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
    """Publishes one wrong thing at a time, each on a new device."""
    with rig.plugged() as front:
        front.begin()
        most, order = front.offered("multi-queue-max-queues", 1), front.offered("max-ring-page-order")
    one: list[tuple[str, dict[str, object]]] = [
        ("no ring-ref", {"ring-ref": None}),
        ("no event-channel", {"event-channel": None}),
        ("ring-ref that is no number", {"ring-ref": "seven"}),
        ("ring-ref of 1000 digits", {"ring-ref": "9" * 1000}),
        ("ring-ref -1", {"ring-ref": "-1"}),
        ("ring-ref that nobody granted", {"ring-ref": NOBODYS}),
        ("event-channel that there is not", {"event-channel": 4095}),
        ("event-channel 2^32", {"event-channel": 2**32}),
        ("protocol that there is not", {"protocol": "vax-abi"}),
        (f"order {order + 1}", {"ring-page-order": order + 1}),
        ("order 31", {"ring-page-order": 31}),
        ("order that is no number", {"ring-page-order": "large"}),
    ]
    if most > 1:
        one += [
            ("0 queues", {"multi-queue-num-queues": 0}),
            (f"{most + 1} queues", {"multi-queue-num-queues": most + 1}),
            ("2^32 - 1 queues", {"multi-queue-num-queues": 2**32 - 1}),
        ]
    for what, wrong in one:
        yield _published(rig, what, 1, wrong)
    if order < 8:
        # With all that such a ring needs.
        yield _published(rig, f"a ring of order {order + 1}", 1, {}, order=order + 1)
    two: list[tuple[str, dict[str, object]]] = [
        ("a queue that is missing", {"queue-1/ring-ref": None, "queue-1/event-channel": None}),
        ("one page for two queues", {"queue-1/ring-ref": "queue-0/ring-ref"}),
        ("one port for two queues", {"queue-1/event-channel": "queue-0/event-channel"}),
    ]
    for what, wrong in two if most > 1 else []:
        yield _published(rig, what, 2, wrong)


def _published(rig: BlockFrontRig, what: str, queues: int, wrong: dict[str, object], order: int = 0) -> Seen:
    with rig.plugged() as front:
        front.begin()
        nodes = front.nodes(queues=queues, order=order)
        # The name of another node stands for what that holds.
        nodes |= {name: nodes.get(str(value), value) for name, value in wrong.items()}
        seen = front.publish({name: value for name, value in nodes.items() if value is not None})
        return seen._replace(what=what)
