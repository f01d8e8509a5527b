"""Who looks on as a vif's packets go by, and what is shown of each.

Law: whoever watches is never waited for, and changes nothing: no answer, no order. A queue asks before each batch
whether it is watched, and goes the readable way then: a compiled one has no packets that it could show.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from pvdrivers.abi.netif import RX_REQUEST, TX_REQUEST
from pvdrivers.net.frame import Frame
from pvdrivers.net.packet.rx_back import Laid
from pvdrivers.net.packet.tx_back import LONGEST, Taken


class Seen(NamedTuple):
    """A packet as it lay in its ring.

    :param sent: by the frontend; else it is for it
    :param requests: its slots, extras and all; of a packet for the frontend, the pages that its data went to
    :param answers: to all of its slots; none where the ring ends with this packet
    :param data: the frame, valid as long as the call that shows it; what of it could not be copied is zero
    """

    sent: bool
    requests: bytes
    answers: bytes
    data: bytes | memoryview


class Watcher(Protocol):
    """Who watches."""

    def saw(self, queue: int, packets: Iterable[Seen]) -> None:
        """Look at packets of a queue, in the order of its ring; called by the queue's thread. Raises nothing."""
        ...


class Watched:
    """A vif that can be watched.

    Its queues look here before each batch; anybody may change it at any time.
    """

    by: Watcher | None = None


def sent(taken: Taken, messages: bytes, arena: memoryview, answers: Sequence[bytes]) -> Iterator[Seen]:
    """Show packets that a frontend has sent, and the beginning of the one that ends its ring.

    :param messages: what ``taken`` was parsed from
    :param arena: the packets' bytes, one after the other
    :param answers: to each of them
    """
    at = place = 0
    for packet, answer in zip(taken.packets, answers, strict=True):
        end = at + packet.messages * TX_REQUEST.size
        yield Seen(True, messages[at:end], answer, arena[place : place + packet.size])
        at, place = end, place + packet.size
    if taken.fatal:
        yield Seen(True, messages[at : at + (LONGEST + 1) * TX_REQUEST.size], b"", b"")


def received(laid: Sequence[tuple[Frame, Laid]], answers: Sequence[bytes]) -> Iterator[Seen]:
    """Show frames that a frontend was given.

    :param answers: the responses that tell of each
    """
    for (frame, one), answer in zip(laid, answers, strict=True):
        requests = b"".join(RX_REQUEST.struct.pack(slot.id, 0, slot.gref) for slot in one.pieces)
        yield Seen(False, requests, answer, frame.data)
