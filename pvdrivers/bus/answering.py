"""A queue for backends that answer each message at once: all that is left to them is what an answer is.

Law: what a message means is not known here. A ring whose indices are impossible ends the queue, and nothing else does
that a frontend writes.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from pvdrivers.abi.ring import RingType
from pvdrivers.bus.queued import Sums
from pvdrivers.bus.rings import Shared
from pvdrivers.errors import DriverError
from pvdrivers.ring import Back
from pvdrivers.ring.owned import own
from pvdrivers.ring.queue import ThreadedQueue
from pvdrivers.ring.waiting import Waiting
from pvdrivers.transport.base import Channel, Mapping, Transport

#: Messages that are taken at once: few enough that the frontend has answers to look at while the next are done.
_BATCH = 8


@dataclass(slots=True)
class Answers(Sums):
    """What such a queue has done."""

    requests: int = 0
    notifications_sent: int = 0
    notifications_received: int = 0
    #: For notifications and waits.
    syscalls: int = 0


class Answering(ThreadedQueue):
    """A queue, for `queued.Queued` to run. Its ``ring`` and ``channel`` belong to it from now on.

    :param ring: the frontend's ring pages, mapped
    :param kind: what the ring carries
    :param answer: gives the response to a request, each of as many bytes as ``kind`` says. The request is a copy, which
        the frontend cannot change any more. What it raises ends the queue
    :raises BadRing: its indices are impossible; ring and channel are still the caller's
    """

    def __init__(self, ring: Mapping, channel: Channel, kind: RingType, answer: Callable[[bytes], bytes]) -> None:
        back = Back(ring.memory, kind)
        self._size, self._answer = kind.request.size, answer
        self.stats = Answers()
        owned = ExitStack()
        for one, way in ((channel, "close"), (ring, "unmap"), (back, "release")):
            own(owned, one, way)
        super().__init__(Waiting((back, channel), counts=self.stats), owned)

    @classmethod
    def joined(
        cls, transport: Transport, domid: int, shared: Shared, kind: RingType, answer: Callable[[bytes], bytes]
    ) -> Self:
        """Make the queue of what a frontend shares for one: its ring mapped, its channel bound.

        :param shared: with one ring and one channel
        :raises NotGranted: the ring was not granted
        :raises NotOffered: there is no such channel
        :raises BadRing: the ring's indices are impossible
        """
        (grefs,), (port,) = shared
        ring = transport.map(domid, grefs)
        channel: Channel | None = None
        try:
            channel = transport.bind_interdomain(domid, port)
            return cls(ring, channel, kind, answer)
        except DriverError:
            if channel:
                channel.close()
            ring.unmap()
            raise

    @property
    def busy(self) -> int:
        """Requests that were taken and not answered: none, outside of the queue's own thread."""
        return 0

    def stop(self) -> None:
        """Let `run` come to its end, with all that lies in the ring answered; does not wait for it."""
        self._waiting.stop(drain=True)

    def _turn(self) -> bool:
        messages = self._waiting.take(_BATCH)
        for at in range(0, len(messages), self._size):
            self.stats.requests += 1
            self._waiting.send(self._answer(messages[at : at + self._size]))
        return bool(messages)
