"""The ring for control: what is asked there, and how it is answered."""

from pvdrivers.abi.netif import CTRL_RESPONSE, CTRL_RING
from pvdrivers.conformance.line import FrontLine, hang_up
from pvdrivers.conformance.net.messages import CtrlAnswer, ctrl_request
from pvdrivers.conformance.observation import Noticed, Observation
from pvdrivers.conformance.raw import RawRing
from pvdrivers.transport.base import Channel, Grant


class AskingLine(FrontLine):
    """Asks one thing at a time.

    :param page: for what is read from a page, read-only to the backend
    """

    def __init__(self, grant: Grant, channel: Channel, page: Grant) -> None:
        super().__init__(grant, channel, RawRing(grant.memory, CTRL_RING))
        self.page = page
        self._ident = 0xFFF0

    def ask(self, kind: int, *data: int, seconds: float) -> CtrlAnswer:
        """Ask something.

        :raises Noticed: it is not answered, or as what it is not
        """
        self._ident = (self._ident + 1) & 0xFFFF
        self.put(ctrl_request(self._ident, kind, *data))
        (message,) = self.taken(1, seconds)
        answer = CtrlAnswer(*CTRL_RESPONSE.struct.unpack(message))
        if (answer.ident, answer.type) != (self._ident, kind):
            raise Noticed(Observation.MISNAMED, f"request {self._ident} of type {kind} is answered as {answer}")
        if answer.status > 3:
            raise Noticed(Observation.ODD, f"a request of type {kind} is answered with status {answer.status}")
        return answer

    def ask_page(self, kind: int, content: bytes, *data: int, seconds: float) -> CtrlAnswer:
        """Ask something by a page that begins with some content."""
        self.page.memory[: len(content)] = content
        return self.ask(kind, self.page.grefs[0], *data, seconds=seconds)

    def close(self) -> None:
        """Give all back."""
        super().close()
        hang_up(self.channel)
        self.page.revoke()
