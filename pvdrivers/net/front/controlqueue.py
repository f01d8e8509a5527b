"""A frontend's end of the control ring: asks step by step, and goes on once it is answered.

Law: a backend that refuses a step is asked for no more of that wish; one whose answer is none ends this ring, and its
queues go on.

Ref: xen/include/public/io/netif.h, "Control ring"
"""

from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack

from pvdrivers.abi.netif import CTRL_RING, CtrlStatus, CtrlType
from pvdrivers.bus.device import Fault
from pvdrivers.net.control.front import Step, check
from pvdrivers.net.control.messages import Request, Response
from pvdrivers.net.errors import Refused
from pvdrivers.net.stats import Stats
from pvdrivers.ring import Front
from pvdrivers.ring.owned import own
from pvdrivers.ring.queue import ThreadedQueue
from pvdrivers.ring.waiting import Waiting
from pvdrivers.transport.base import Transport


class FrontControl(ThreadedQueue):
    """The ring and its thread's work, with a page for what requests are about.

    :param domid: the backend's
    :param tell: is told what the backend refuses
    :raises MachineError: there is no page, or no channel
    """

    def __init__(self, transport: Transport, domid: int, tell: Fault) -> None:
        self._tell = tell
        self._stats = Stats()
        with ExitStack() as owned:
            ring = own(owned, transport.grant(domid), "revoke")
            self._page = own(owned, transport.grant(domid, writable=False), "revoke")
            self._channel = own(owned, transport.alloc_unbound(domid), "close")
            self._ring = own(owned, Front(ring.memory, CTRL_RING), "release")
            super().__init__(Waiting((self._ring, self._channel), counts=self._stats), owned.pop_all())
        #: What the backend is to be told: the ring's page.
        self.gref = ring.grefs[0]
        self._wishes: deque[Sequence[Step]] = deque()
        # Of the wish that is being asked for.
        self._left: deque[Step] = deque()
        self._asked: Request | None = None
        self._number = 0
        self._ending = False

    @property
    def port(self) -> int:
        """The channel, for the backend to bind."""
        return self._channel.port

    @property
    def stats(self) -> Stats:
        """What it took to ask."""
        return self._stats

    @property
    def busy(self) -> int:
        """Requests that the backend has not answered."""
        return int(self._asked is not None)

    def ask(self, steps: Sequence[Step]) -> None:
        """Ask for a wish, after those before; from any thread."""
        self._wishes.append(steps)
        self._waiting.wake()

    def stop(self) -> None:
        """Let `run` come to its end; does not wait for it, nor for answers: the backend may never give them."""
        self._ending = True
        self._waiting.stop(drain=False)

    def _turn(self) -> bool:
        response = self._waiting.take(self._ring.size)
        if response and self._asked:
            # The ring has no more answers than there were requests.
            self._answered(self._asked, Response.parse(response))
        return not self._ending and (self._ask() or bool(response))

    def _answered(self, request: Request, response: Response) -> None:
        self._asked = None
        status = check(request, response)
        if status is not CtrlStatus.SUCCESS:
            self._left.clear()
            self._tell(Refused(f"the backend refuses {CtrlType(request.type).name}: {status.name}"))

    def _ask(self) -> bool:
        # One after the other, since there is one page.
        if self._asked:
            return False
        if not self._left and self._wishes:
            self._left.extend(self._wishes.popleft())
        if not self._left:
            return False
        step = self._left.popleft()
        self._page.memory[: len(step.page)] = step.page
        self._number = (self._number + 1) & 0xFFFF
        self._asked = step.request(self._number, self._page.grefs[0])
        self._waiting.send(self._asked.pack())
        return True
