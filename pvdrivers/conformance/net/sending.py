"""The ring of what a frontend sends: slots as the kit likes, and what they are answered with."""

from collections import Counter
from collections.abc import Sequence

from pvdrivers.abi.netif import TX_RESPONSE, TX_RING, NetifRsp
from pvdrivers.conformance.line import FrontLine
from pvdrivers.conformance.net.messages import TxAnswer
from pvdrivers.conformance.observation import Noticed, Observation
from pvdrivers.conformance.raw import RawRing
from pvdrivers.transport.base import Channel, Grant

_STATUSES = frozenset(int(each) for each in NetifRsp)


class SendingLine(FrontLine):
    """Puts what is to be sent."""

    def __init__(self, grant: Grant, channel: Channel) -> None:
        super().__init__(grant, channel, RawRing(grant.memory, TX_RING))
        # Ids of slots that are to be answered, and how many extras are, without one.
        self._due: Counter[int] = Counter()
        self._extras = 0

    def send(self, messages: Sequence[bytes], idents: Sequence[int], *, notify: bool | None = None) -> bool:
        """Put slots; tell whether the backend wanted to be notified.

        :param idents: of those that are no extras
        """
        self._due.update(idents)
        self._extras += len(messages) - len(idents)
        return self.put(*messages, notify=notify)

    def answers(self, number: int, seconds: float) -> list[TxAnswer]:
        """Wait for answers to slots, and to as many extras as there are among them.

        :raises Noticed: they do not come, or answer what nobody has sent
        """
        return [self._answer(message) for message in self.taken(number, seconds)]

    @property
    def due(self) -> int:
        """How many slots are not answered yet."""
        return self._due.total() + self._extras

    def _answer(self, message: bytes) -> TxAnswer:
        answer = TxAnswer(*TX_RESPONSE.struct.unpack(message))
        if answer.status not in _STATUSES:
            raise Noticed(Observation.ODD, f"slot {answer.ident} is answered with status {answer.status}")
        # What answers an extra has no id: what lay there may look like one.
        if answer.status == NetifRsp.NULL:
            if not self._extras:
                raise Noticed(Observation.ODD, f"slot {answer.ident} is no extra, and answered as one")
            self._extras -= 1
        elif self._due[answer.ident]:
            self._due[answer.ident] -= 1
        else:
            raise Noticed(
                Observation.MISNAMED, f"id {answer.ident} with status {answer.status}, that nobody has sent, or no more"
            )
        return answer
