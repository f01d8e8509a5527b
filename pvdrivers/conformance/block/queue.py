"""One queue of the kit's frontend: its ring, its end of the channel, and what is due."""

from collections import Counter
from contextlib import suppress

from pvdrivers.abi.blkif import Blkif, BlkifRsp
from pvdrivers.conformance.block.messages import Answer, named
from pvdrivers.conformance.block.subject import Served
from pvdrivers.conformance.observation import Noticed, Observation, Seen
from pvdrivers.conformance.raw import RawRing
from pvdrivers.errors import MachineError
from pvdrivers.transport.base import Channel, Grant

_STATUSES = {
    int(BlkifRsp.OKAY): Observation.OKAY,
    int(BlkifRsp.ERROR): Observation.ERROR,
    int(BlkifRsp.EOPNOTSUPP): Observation.EOPNOTSUPP,
}


class AskingQueue:
    """One of a frontend's queues: its ring, and its end of the channel."""

    def __init__(self, served: Served, layout: Blkif, order: int) -> None:
        self.layout = layout
        self.grant: Grant = served.transport.grant(served.spot.back_domid, 1 << order)
        self.channel: Channel = served.transport.alloc_unbound(served.spot.back_domid)
        self.ring = RawRing(self.grant.memory, layout.ring)
        # What was asked, and is to be answered: ids and operations; None for whatever.
        self.due: Counter[tuple[int, int]] | None = Counter()

    def put(self, *messages: bytes, notify: bool | None = None) -> bool:
        """Put requests; tell whether the backend wanted to be notified.

        :param notify: None to notify it if it does
        """
        if self.due is not None:
            self.due.update(named(self.layout, message) for message in messages)
        self.ring.put(messages)
        wanted = self.ring.show()
        if notify or (notify is None and wanted):
            self.channel.notify()
        return wanted

    def take(self, number: int, seconds: float) -> list[Answer]:
        """Wait for answers, in whatever order they come.

        :raises Noticed: they do not come, name what nobody asked, or come without the notification that was asked for
        """
        answers: list[Answer] = []
        while len(answers) < number:
            answers += [self._answer(message) for message in self.ring.take(number - len(answers))]
            if len(answers) < number:
                self.ring.ask()
                # Seen now, it came before the backend saw that it was asked: without a notification, and rightly so.
                if not self.ring.waiting():
                    self._wait(seconds, number - len(answers))
                self.channel.unmask()
        return answers

    def take_any(self, number: int, seconds: float) -> list[Answer]:
        """As `take`, whatever the answers name: somebody changes requests while they are looked at."""
        self.due = None
        try:
            return self.take(number, seconds)
        finally:
            self.due = Counter()

    def _wait(self, seconds: float, number: int) -> None:
        if self.channel.wait(seconds):
            return
        if self.ring.waiting():
            raise Noticed(Observation.UNNOTIFIED, "answers lie in the ring, of which it did not notify")
        raise Noticed(Observation.SILENT, f"{number} requests are not answered within {seconds:g} s")

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
        self.ring.release()
        with suppress(MachineError):
            self.channel.close()
        self.grant.revoke()


def status(what: str, answer: Answer) -> Seen:
    """Tell what an answer's status is as an observation."""
    return Seen(what, _STATUSES.get(answer.status, Observation.ODD), f"status {answer.status}")
