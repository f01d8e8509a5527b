"""One queue of the kit's frontend: its ring, its end of the channel, and what is due."""

from collections import Counter

from pvdrivers.abi.blkif import Blkif, BlkifRsp
from pvdrivers.conformance.block.messages import Answer, named
from pvdrivers.conformance.block.subject import Served
from pvdrivers.conformance.line import FrontLine, hang_up
from pvdrivers.conformance.observation import Noticed, Observation, Seen
from pvdrivers.conformance.raw import RawRing

_STATUSES = {
    int(BlkifRsp.OKAY): Observation.OKAY,
    int(BlkifRsp.ERROR): Observation.ERROR,
    int(BlkifRsp.EOPNOTSUPP): Observation.EOPNOTSUPP,
}


class AskingQueue(FrontLine):
    """One of a frontend's queues: its ring, and its end of the channel."""

    def __init__(self, served: Served, layout: Blkif, order: int) -> None:
        self.layout = layout
        grant = served.transport.grant(served.spot.back_domid, 1 << order)
        channel = served.transport.alloc_unbound(served.spot.back_domid)
        super().__init__(grant, channel, RawRing(grant.memory, layout.ring))
        # What was asked, and is to be answered: ids and operations; None for whatever.
        self.due: Counter[tuple[int, int]] | None = Counter()

    def put(self, *messages: bytes, notify: bool | None = None) -> bool:
        """Put requests; tell whether the backend wanted to be notified.

        :param notify: None to notify it if it does
        """
        if self.due is not None:
            self.due.update(named(self.layout, message) for message in messages)
        return super().put(*messages, notify=notify)

    def take(self, number: int, seconds: float) -> list[Answer]:
        """Wait for answers, in whatever order they come.

        :raises Noticed: they do not come, name what nobody asked, or come without the notification that was asked for
        """
        return [self._answer(message) for message in self.taken(number, seconds)]

    def take_any(self, number: int, seconds: float) -> list[Answer]:
        """As `take`, whatever the answers name: somebody changes requests while they are looked at."""
        self.due = None
        try:
            return self.take(number, seconds)
        finally:
            self.due = Counter()

    def _answer(self, message: bytes) -> Answer:
        answer = Answer(*self.layout.response.struct.unpack(message))
        if self.due is None:
            return answer
        named = answer.ident, answer.operation
        if not self.due[named]:
            asked = any(ident == answer.ident for ident, _ in self.due.elements())
            why = "another operation" if asked else "an id that nobody has asked, or no more"
            raise Noticed(Observation.MISNAMED, f"id {answer.ident:#x}, operation {answer.operation}: {why}")
        self.due[named] -= 1
        return answer

    def close(self) -> None:
        """Give all back."""
        super().close()
        hang_up(self.channel)


def status(what: str, answer: Answer) -> Seen:
    """Tell what an answer's status is as an observation."""
    return Seen(what, _STATUSES.get(answer.status, Observation.ODD), f"status {answer.status}")
