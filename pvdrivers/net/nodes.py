"""What the two ends of a vif write for each other, read with bounds, and written; the toolstack's part is `vif`.

Law: what a peer has written is refused (`BadNode`) where no sense can be made of it, and cut down where it offers more
than there is use for, or what does not go together. Nothing here maps, binds or opens anything.

Ref: xen/include/public/io/netif.h; where that leaves open what is refused, Linux drivers/net/xen-netback/xenbus.c and
drivers/net/xen-netfront.c (``talk_to_netback``)
"""

from typing import NamedTuple

from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.abi.wire import ETHERNET_SIZE, TAG_SIZE
from pvdrivers.bus.device import Nodes
from pvdrivers.bus.nodes import BadNode, Peer
from pvdrivers.bus.rings import Names, Shared, read_shared, shared_nodes
from pvdrivers.net.frame import Abilities
from pvdrivers.net.packet.rx_back import longest

#: Of a queue's nodes.
NAMES = Names(("tx-ring-ref", "rx-ring-ref"), ("event-channel-tx", "event-channel-rx"))
#: Whether multicast frames are wanted for some addresses alone; a frontend may change it at any time.
REQUEST_MULTICAST = "request-multicast-control"
#: Bytes of a frame of the usual MTU with a VLAN's tag: what one slot holds whoever has posted it.
PLAIN_LONGEST = ETHERNET_SIZE + TAG_SIZE + 1500
#: Bytes that may be left free in each page for a frontend's XDP: a frame has to fit in the rest.
HEADROOM_MAX = PAGE_SIZE - PLAIN_LONGEST
_U32 = 2**32 - 1
_PORT_MAX = (1 << 17) - 1


class Takes(NamedTuple):
    """What an end can be told of frames, of which it says so itself.

    :param sg: frames in more than one slot
    :param gso_v4: frames of TCP over IPv4 that are to be cut
    :param checksum_v4: frames of IPv4 whose checksum is blank; likewise with 6
    """

    sg: bool = False
    gso_v4: bool = False
    gso_v6: bool = False
    checksum_v4: bool = True
    checksum_v6: bool = False

    def abilities(self, headroom: int = 0) -> Abilities:
        """Give what this means for frames.

        :param headroom: bytes left free before the data in each page
        """
        size = longest(headroom) if self.sg else PLAIN_LONGEST
        return Abilities(self.checksum_v4, self.checksum_v6, self.gso_v4, self.gso_v6, size)


#: All that there is.
EVERYTHING = Takes(True, True, True, True, True)


class Control(NamedTuple):
    """The ring for control, of one page, and its channel."""

    gref: int
    port: int


class Front(NamedTuple):
    """What a frontend wants.

    :param notifies: it tells when it has posted pages; without, its backend has to look now and then
    :param multicast: multicast frames only for addresses that it has asked for
    :param headroom: bytes that are to be left free before the data in each page
    """

    queues: tuple[Shared, ...]
    takes: Takes
    notifies: bool = True
    multicast: bool = False
    headroom: int = 0
    control: Control | None = None


class Offer(NamedTuple):
    """What a backend can do, as it says before its frontend decides.

    :param split: a channel for each ring of a queue
    :param multicast: a list of addresses that multicast frames are passed on for
    :param headroom: bytes left free before the data in each page, for XDP; Linux's alone
    """

    takes: Takes = Takes()
    split: bool = False
    multicast: bool = False
    control: bool = False
    headroom: bool = False
    max_queues: int = 1


def offer_nodes(offer: Offer) -> Nodes:
    """Give what a backend writes before its frontend decides. Pages are copied to, and never given away."""
    return {
        **_takes_nodes(offer.takes),
        "feature-rx-copy": 1,
        "feature-rx-flip": 0,
        "feature-split-event-channels": int(offer.split),
        "feature-multicast-control": int(offer.multicast),
        "feature-dynamic-multicast-control": int(offer.multicast),
        "feature-ctrl-ring": int(offer.control),
        "feature-xdp-headroom": int(offer.headroom),
        "multi-queue-max-queues": offer.max_queues,
    }


def read_offer(peer: Peer) -> Offer:
    """Read what a backend offers, cut down to what goes together.

    :raises BadNode: it makes no sense, or the backend does not copy to pages
    """
    if not peer.flag("feature-rx-copy"):
        raise BadNode("feature-rx-copy is missing or 0, and no page is given away here")
    return Offer(
        _read_takes(peer),
        peer.flag("feature-split-event-channels"),
        peer.flag("feature-multicast-control"),
        peer.flag("feature-ctrl-ring"),
        peer.flag("feature-xdp-headroom"),
        max(peer.number("multi-queue-max-queues", 0, _U32, 1), 1),
    )


def front_nodes(front: Front) -> Nodes:
    """Give what a frontend writes for its queues, in one transaction with its state."""
    return {
        "multi-queue-num-queues": len(front.queues) if len(front.queues) > 1 else None,
        **shared_nodes(front.queues, NAMES),
        "request-rx-copy": 1,
        "feature-rx-notify": int(front.notifies),
        **_takes_nodes(front.takes),
        REQUEST_MULTICAST: int(front.multicast),
        "xdp-headroom": front.headroom or None,
        "ctrl-ring-ref": front.control.gref if front.control else None,
        "event-channel-ctrl": front.control.port if front.control else None,
    }


def read_front(peer: Peer, offered: Offer) -> Front:
    """Read what a frontend has published.

    :raises BadNode: it makes no sense, or is more than was offered
    """
    if not peer.flag("request-rx-copy"):
        # Linux's backend copies nevertheless.
        raise BadNode("request-rx-copy is missing or 0, and no page is given away here")
    queues = read_shared(peer, NAMES, offered.max_queues)
    control = _control(peer, queues) if offered.control and peer.has("ctrl-ring-ref") else None
    return Front(
        queues,
        _read_takes(peer),
        peer.flag("feature-rx-notify"),
        offered.multicast and read_multicast(peer),
        read_headroom(peer) if offered.headroom else 0,
        control,
    )


def read_multicast(peer: Peer) -> bool:
    """Tell whether a frontend wants multicast frames for the addresses alone that it has asked for; it may change that.

    :raises BadNode: what it says is no number
    """
    return peer.flag(REQUEST_MULTICAST)


def read_headroom(peer: Peer) -> int:
    """Give how many bytes a frontend wants to have free in each page; it changes that by way of a state of its own.

    :raises BadNode: no frame would fit in the rest. Linux takes more, and then fails to copy anything.
    """
    return peer.number("xdp-headroom", 0, HEADROOM_MAX, 0)


def _control(peer: Peer, queues: tuple[Shared, ...]) -> Control:
    control = Control(peer.number("ctrl-ring-ref", 0, _U32), peer.number("event-channel-ctrl", 1, _PORT_MAX))
    for queue in queues:
        if (control.gref,) in queue.rings:
            raise BadNode(f"ctrl-ring-ref {control.gref} is a queue's as well")
        if control.port in queue.ports:
            raise BadNode(f"event-channel-ctrl {control.port} is a queue's as well")
    return control


def _takes_nodes(takes: Takes) -> Nodes:
    return {
        "feature-sg": int(takes.sg),
        "feature-gso-tcpv4": int(takes.gso_v4),
        "feature-gso-tcpv6": int(takes.gso_v6),
        "feature-no-csum-offload": int(not takes.checksum_v4),
        "feature-ipv6-csum-offload": int(takes.checksum_v6),
    }


def _read_takes(peer: Peer) -> Takes:
    # A frame that is to be cut is longer than a slot, and its checksum is blank: Linux's stack asks for both as well.
    sg = peer.flag("feature-sg")
    v4, v6 = not peer.flag("feature-no-csum-offload"), peer.flag("feature-ipv6-csum-offload")
    gso_v4, gso_v6 = peer.flag("feature-gso-tcpv4"), peer.flag("feature-gso-tcpv6")
    return Takes(sg, sg and v4 and gso_v4, sg and v6 and gso_v6, v4, v6)


def carrier_nodes(*, up: bool) -> Nodes:
    """Give what a backend writes of its link."""
    return {"carrier": int(up)}


def read_carrier(peer: Peer) -> bool:
    """Tell whether a backend has a link; one that does not say has.

    :raises BadNode: what it says is no number
    """
    return not peer.has("carrier") or peer.flag("carrier")
