"""What a frontend of any device shares for its queues, as nodes tell it: pages of rings, and ports of channels.

Law: read with bounds; what makes no sense is refused. Nothing here maps or binds anything.

One queue stands in the frontend's directory itself, several in ``queue-0/``, ``queue-1/``, ...

Ref: xen/include/public/io/blkif.h, "Frontend XenBus Nodes"; xen/include/public/io/netif.h, "Multiple transmit and
receive queues"
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.nodes import BadNode, Peer

_U32 = 2**32 - 1
#: Ports of Xen's newer interface for event channels.
_PORT_MAX = (1 << 17) - 1
#: A channel for all rings of a queue.
_CHANNEL = "event-channel"


class Names(NamedTuple):
    """What a kind of device calls its queues' nodes.

    :param rings: one for each ring of a queue
    :param split: of channels, one for each ring; empty where a queue has one channel in any case
    """

    rings: tuple[str, ...]
    split: tuple[str, ...] = ()


class Shared(NamedTuple):
    """What a frontend shares for one queue.

    :param rings: the pages of each ring
    :param ports: for each ring, or one for all
    """

    rings: tuple[tuple[int, ...], ...]
    ports: tuple[int, ...]


def read_shared(peer: Peer, names: Names, max_queues: int, order: int = 0) -> tuple[Shared, ...]:
    """Read what a frontend shares.

    :param max_queues: as many were offered
    :param order: each ring has ``1 << order`` pages
    :raises BadNode: it makes no sense, or is more than was offered
    """
    count = peer.number("multi-queue-num-queues", 1, max_queues, 1)
    prefixes = [f"queue-{number}/" for number in range(count)] if count > 1 else [""]
    queues = tuple(_queue(peer, prefix, names, order) for prefix in prefixes)
    _distinct(" or ".join(names.rings), (gref for queue in queues for ring in queue.rings for gref in ring))
    _distinct(_CHANNEL, (port for queue in queues for port in queue.ports))
    return queues


def _queue(peer: Peer, prefix: str, names: Names, order: int) -> Shared:
    rings = tuple(_ring(peer, f"{prefix}{name}", order) for name in names.rings)
    # Both channels of their own, or one for both: half of them is none.
    split = names.split and all(peer.has(f"{prefix}{name}") for name in names.split)
    ports = tuple(peer.number(f"{prefix}{name}", 1, _PORT_MAX) for name in (names.split if split else [_CHANNEL]))
    return Shared(rings, ports)


def _ring(peer: Peer, name: str, order: int) -> tuple[int, ...]:
    # Some write an order of 0 with the name that goes with orders, others with the one that goes without.
    single = order == 0 and not peer.has(f"{name}0")
    return tuple(peer.number(each, 0, _U32) for each in ([name] if single else _pages(name, 1 << order)))


def _pages(name: str, number: int) -> list[str]:
    return [f"{name}{page}" for page in range(number)]


def _distinct(name: str, numbers: Iterable[int]) -> None:
    seen: set[int] = set()
    for number in numbers:
        if number in seen:
            raise BadNode(f"{name} {number} is there twice")
        seen.add(number)


def shared_nodes(queues: Sequence[Shared], names: Names) -> Nodes:
    """Give what a frontend writes of its queues, besides how many there are and how large their rings.

    What a former life may have left, and whoever reads would prefer, is taken away: the first of several pages, and
    channels of each ring's own; after something is written there, since XenStore removes nothing from what is none.
    """
    nodes: dict[str, int | None] = {}
    for number, queue in enumerate(queues):
        prefix = f"queue-{number}/" if len(queues) > 1 else ""
        for name, ring in zip(names.rings, queue.rings, strict=True):
            pages = _pages(name, len(ring)) if len(ring) > 1 else [name]
            nodes |= {f"{prefix}{page}": gref for page, gref in zip(pages, ring, strict=True)}
            if len(ring) == 1:
                nodes[f"{prefix}{name}0"] = None
        channels = names.split if len(queue.ports) > 1 else (_CHANNEL,)
        nodes |= {f"{prefix}{name}": port for name, port in zip(channels, queue.ports, strict=True)}
        nodes |= {f"{prefix}{name}": None for name in names.split if name not in channels}
    return nodes
