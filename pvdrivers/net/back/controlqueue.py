"""A backend's end of the control ring: answers what a frontend asks for, in order, and has its queues know.

Law: whatever is asked, it is answered, and changes what it names or nothing. A frontend that breaks this ring loses it
alone: its packets go on as they were steered then.

Ref: xen/include/public/io/netif.h, "Control ring"; Linux drivers/net/xen-netback/interface.c
(``xenvif_ctrl_irq_fn``) and netback.c (``xenvif_ctrl_action``)
"""

from contextlib import ExitStack

from pvdrivers.abi.netif import CTRL_REQUEST, CTRL_RING
from pvdrivers.errors import BadRing
from pvdrivers.net.back.wishes import Wishes
from pvdrivers.net.control.back import answer, needs
from pvdrivers.net.control.messages import Request
from pvdrivers.net.stats import Stats
from pvdrivers.ring import Back
from pvdrivers.ring.owned import own
from pvdrivers.ring.queue import ThreadedQueue
from pvdrivers.ring.waiting import Waiting
from pvdrivers.transport.base import Channel, Mapping, Piece, Transport


class BackControl(ThreadedQueue):
    """The ring and its thread's work. ``ring`` and ``channel`` belong to it from now on.

    :param ring: the frontend's page, mapped
    :param wishes: where what it asks for is told
    :param resume: a former life may have been killed before it notified
    :raises BadRing: the ring's indices are impossible; all is still the caller's
    """

    def __init__(
        self,
        transport: Transport,
        domid: int,
        ring: Mapping,
        channel: Channel,
        wishes: Wishes,
        *,
        resume: bool = False,
    ) -> None:
        self._transport, self._domid, self._wishes = transport, domid, wishes
        try:
            self._ring = Back(ring.memory, CTRL_RING)
        except BadRing as error:
            raise _named(error) from error
        self._stats = Stats()
        owned = ExitStack()
        for one, way in ((channel, "close"), (ring, "unmap"), (self._ring, "release")):
            own(owned, one, way)
        super().__init__(Waiting((self._ring, channel), counts=self._stats, owes=resume), owned)

    @property
    def stats(self) -> Stats:
        """What it took to answer."""
        return self._stats

    @property
    def busy(self) -> int:
        """Nothing is ever under way between two turns."""
        return 0

    def stop(self) -> None:
        """Let `run` come to its end, what lies in the ring answered; does not wait for it."""
        self._waiting.stop(drain=True)

    def run(self) -> None:
        """Answer, until `stop`, or the ring cannot be believed any more: see `error`. Gives everything back."""
        super().run()
        if isinstance(self.error, BadRing):
            self.error = _named(self.error)

    def _turn(self) -> bool:
        messages = self._waiting.take(self._ring.size)
        for at in range(0, len(messages), CTRL_REQUEST.size):
            self._waiting.send(self._answered(messages[at : at + CTRL_REQUEST.size]))
        return bool(messages)

    def _answered(self, message: bytes) -> bytes:
        request = Request.parse(message)
        before = self._wishes.steering
        piece = needs(request, before)
        copied = self._copied(piece.gref, piece.length) if piece else None
        steering, response = answer(request, before, copied)
        # Before it is answered: from then on the frontend may count on it, whoever serves it then.
        self._wishes.steer(steering)
        return response.pack()

    def _copied(self, gref: int, length: int) -> bytes | None:
        content = bytearray(length)
        statuses = self._transport.copy_from(self._domid, [Piece(gref, 0, 0, length)], memoryview(content))
        self._stats.grant_copies += 1
        self._stats.syscalls += 1
        return None if any(statuses) else bytes(content)


def _named(error: BadRing) -> BadRing:
    # A vif has many rings, and this one's end is not the device's.
    return BadRing(f"control ring: {error}")
