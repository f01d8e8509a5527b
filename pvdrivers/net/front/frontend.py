"""The frontend of a vif, as the bus runs it: chooses from what the backend offers, and joins a port to it.

When the backend is gone, its queues go with it, and new ones are made for its successor; what was under way is lost, as
on any wire.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pvdrivers.abi.netif import MAX_TX_SIZE
from pvdrivers.bus import joining
from pvdrivers.bus.device import NOTHING, Nodes, Plain
from pvdrivers.bus.end import End
from pvdrivers.bus.nodes import Peer
from pvdrivers.bus.queued import Queued
from pvdrivers.bus.rings import Shared
from pvdrivers.errors import DriverError
from pvdrivers.net.front.frontqueue import PAGES, FrontQueue
from pvdrivers.net.nodes import EVERYTHING, Front, Takes, front_nodes, read_offer
from pvdrivers.net.ports.base import Port
from pvdrivers.net.stats import Stats
from pvdrivers.transport.base import Transport
from pvdrivers.xenbus import NET_FRONT


@dataclass(frozen=True)
class Options:
    """What a frontend wants, as far as its backend has it.

    :param pages: of each queue, for each direction
    """

    takes: Takes = EVERYTHING
    split: bool = True
    max_queues: int = 1
    pages: int = PAGES


@dataclass(eq=False)
class Frontend(Plain):
    """One vif's frontend.

    :param there: the backend's directory
    :param domid: the backend's
    :param port: which stays the caller's, and is open as long as a backend is there
    """

    transport: Transport
    there: str
    domid: int
    port: Port
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        self._queues = Queued(Stats())

    def publish(self) -> Nodes:
        """Make queues, as many as both ends can, and begin to use them: the backend hears of them by then."""
        options, offer = self.options, read_offer(Peer(self.transport.store, self.there))
        reader = offer.takes.abilities()
        count = min(offer.max_queues, options.max_queues)
        lanes = self.port.open(count, reader._replace(longest=min(reader.longest, MAX_TX_SIZE)))
        made = []
        try:
            for lane in lanes:
                split = options.split and offer.split
                made.append(FrontQueue(self.transport, self.domid, lane, split=split, pages=options.pages))
        except DriverError:
            for queue in made:
                queue.close()
            self.port.close()
            raise
        self._queues.begin(made, self._failed)
        return front_nodes(Front(tuple(Shared(queue.grefs, queue.ports) for queue in made), options.takes))

    def _failed(self, error: DriverError, *, fatal: bool = True) -> None:
        # A backend that breaks the protocol is parted from.
        self.fault(error, fatal=fatal)

    def close(self) -> Nodes:
        """Take queues back: a backend that has not let go of them yet can do no harm, for they are used no more."""
        self._queues.part()
        self.port.close()
        return NOTHING

    def lost(self) -> DriverError | None:
        """Let go of all, if the machine is gone, and not XenStore alone."""
        if reason := self.transport.gone:
            self.close()
        return reason

    @property
    def queues(self) -> int:
        """How many run."""
        return len(self._queues)

    def statistics(self) -> dict[str, int]:
        """Tell what was done since the device came to be."""
        return self._queues.statistics()


@contextmanager
def joined(transport: Transport, here: str, port: Port, options: Options | None = None) -> Iterator[End]:
    """Join a port to the backend of a frontend's directory, as long as the context lasts.

    :raises MachineError: there is no such device, or its backend does not connect; the message tells why
    """

    def make(there: str, domid: int) -> Frontend:
        return Frontend(transport, there, domid, port, options or Options())

    with joining.joined(transport, here, make, NET_FRONT) as end:
        yield end
