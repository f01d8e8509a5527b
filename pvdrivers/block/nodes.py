"""What the two ends of a disk write for each other, read with bounds, and written.

Law: what a peer has written is refused (`BadNode`) where no sense can be made of it, and cut down where it offers more
than there is use for. Nothing here maps, binds or opens anything.

Ref: xen/include/public/io/blkif.h, "Backend XenBus Nodes" and "Frontend XenBus Nodes"; where that differs from what
frontends write, Linux drivers/block/xen-blkback/xenbus.c (``connect_ring``)
"""

from collections.abc import Sequence
from typing import NamedTuple

from pvdrivers.abi.blkif import NATIVE, PROTOCOLS, SECTOR_SIZE, UNSAID, Blkif, VDisk
from pvdrivers.abi.ring import ORDER_MAX
from pvdrivers.bus.device import Nodes
from pvdrivers.bus.nodes import BadNode, Peer, shown
from pvdrivers.bus.rings import Names, Shared, read_shared, shared_nodes

#: Of a queue's nodes.
NAMES = Names(("ring-ref",))
_U32 = 2**32 - 1
#: 2**64 bytes.
_SECTORS_MAX = 2**55
_SECTOR_SIZE_MAX = 1 << 16


class Front(NamedTuple):
    """What a frontend wants."""

    layout: Blkif
    persistent: bool
    queues: tuple[Shared, ...]


class Offer(NamedTuple):
    """What a backend can do at most, as it says before its frontend decides."""

    max_order: int = 0
    max_queues: int = 1


class Back(NamedTuple):
    """What a backend does, and what for a disk it has."""

    #: Of 512 bytes.
    sectors: int
    sector_size: int = SECTOR_SIZE
    physical_sector_size: int = SECTOR_SIZE
    info: VDisk = VDisk(0)
    flush: bool = False
    barrier: bool = False
    discard: bool = False
    granularity: int = 0
    alignment: int = 0
    secure: bool = False
    persistent: bool = False
    max_indirect: int = 0


def read_front(peer: Peer, offered: Offer) -> Front:
    """Read what a frontend has published.

    :raises BadNode: it makes no sense, or is more than was offered
    """
    protocol = peer.text("protocol", UNSAID.protocol)
    if protocol not in PROTOCOLS:
        raise BadNode(f"protocol is {shown(protocol.encode())}, none of {', '.join(PROTOCOLS)}")
    order = peer.number("ring-page-order", 0, offered.max_order, 0)
    queues = read_shared(peer, NAMES, offered.max_queues, order)
    return Front(PROTOCOLS[protocol], peer.flag("feature-persistent"), queues)


def front_nodes(queues: Sequence[Shared], *, persistent: bool, layout: Blkif = NATIVE) -> Nodes:
    """Give what a frontend writes for its queues, all with rings of one size."""
    nodes: dict[str, str | int | None] = {"protocol": layout.protocol, "feature-persistent": int(persistent)}
    (ring,) = queues[0].rings
    # Some take an order of 0 for more than one page.
    nodes["ring-page-order"] = len(ring).bit_length() - 1 if len(ring) > 1 else None
    nodes["multi-queue-num-queues"] = len(queues) if len(queues) > 1 else None
    return {**nodes, **shared_nodes(queues, NAMES)}


def read_offer(peer: Peer) -> Offer:
    """Read what a backend offers before it is connected, cut down to what there is use for.

    :raises BadNode: it makes no sense
    """
    return Offer(
        min(peer.number("max-ring-page-order", 0, _U32, 0), ORDER_MAX),
        max(peer.number("multi-queue-max-queues", 0, _U32, 1), 1),
    )


def offer_nodes(offer: Offer, max_indirect: int) -> Nodes:
    """Give what a backend writes before its frontend decides."""
    return {
        "max-ring-page-order": offer.max_order,
        "multi-queue-max-queues": offer.max_queues,
        "feature-max-indirect-segments": max_indirect,
    }


def read_back(peer: Peer) -> Back:
    """Read what a connected backend says of its disk.

    :raises BadNode: it makes no sense
    """
    size = peer.number("sector-size", SECTOR_SIZE, _SECTOR_SIZE_MAX, SECTOR_SIZE)
    if size & (size - 1):
        raise BadNode(f"sector-size is {size}, no power of two")
    sectors = peer.number("sectors", 1, _SECTORS_MAX)
    if sectors % (size // SECTOR_SIZE):
        raise BadNode(f"sectors is {sectors}, and the disk's are of {size} bytes")
    discard = peer.flag("feature-discard")
    return Back(
        sectors,
        size,
        # A hint only.
        max(size, peer.number("physical-sector-size", 0, _U32, size)),
        VDisk(peer.number("info", 0, _U32, 0) & sum(VDisk)),
        peer.flag("feature-flush-cache"),
        peer.flag("feature-barrier"),
        discard,
        peer.number("discard-granularity", 0, _U32, size) if discard else 0,
        peer.number("discard-alignment", 0, _U32, 0) if discard else 0,
        discard and peer.flag("discard-secure"),
        peer.flag("feature-persistent"),
        peer.number("feature-max-indirect-segments", 0, _U32, 0),
    )


def back_nodes(back: Back) -> Nodes:
    """Give what a backend writes as it connects."""
    discard = {
        "discard-granularity": back.granularity,
        "discard-alignment": back.alignment,
        "discard-secure": int(back.secure),
    }
    return {
        "sectors": back.sectors,
        "sector-size": back.sector_size,
        "physical-sector-size": back.physical_sector_size,
        "info": back.info.value,
        "feature-flush-cache": int(back.flush),
        "feature-barrier": int(back.barrier),
        "feature-discard": int(back.discard),
        **(discard if back.discard else dict.fromkeys(discard)),
        "feature-persistent": int(back.persistent),
        "feature-max-indirect-segments": back.max_indirect,
    }
