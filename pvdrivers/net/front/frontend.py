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
from pvdrivers.net.control.front import Step, Wish, spread, unspread
from pvdrivers.net.front.controlqueue import FrontControl
from pvdrivers.net.front.frontqueue import PAGES, FrontQueue
from pvdrivers.net.multicast import ADDRESSES_MAX
from pvdrivers.net.nodes import EVERYTHING, Control, Front, Takes, front_nodes, read_offer
from pvdrivers.net.ports.base import Port
from pvdrivers.net.stats import Stats
from pvdrivers.transport.base import Transport
from pvdrivers.xenbus import NET_FRONT


@dataclass(frozen=True)
class Options:
    """What a frontend wants, as far as its backend has it.

    :param pages: of each queue, for each direction
    :param steering: which packets are to come on which queue; None leaves it to the backend
    :param multicast: addresses that multicast frames are wanted for; None for all of them, as more than a backend's
        list holds are
    """

    takes: Takes = EVERYTHING
    split: bool = True
    max_queues: int = 1
    pages: int = PAGES
    steering: Wish | None = None
    multicast: tuple[bytes, ...] | None = None


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
        self._queues, self._asking = Queued(Stats()), Queued(Stats())
        self._control: FrontControl | None = None
        # The backend is asked once it has queues.
        self._wish, self._asked = self.options.steering, False
        # The queue by which the list of addresses is changed, if there is one.
        self._listening: FrontQueue | None = None
        self._addresses = list(self.options.multicast or ())

    def publish(self) -> Nodes:
        """Make queues, as many as both ends can, and begin to use them: the backend hears of them by then."""
        options, offer = self.options, read_offer(Peer(self.transport.store, self.there))
        reader = offer.takes.abilities()
        count = min(offer.max_queues, options.max_queues)
        lanes = self.port.open(count, reader._replace(longest=min(reader.longest, MAX_TX_SIZE)))
        made: list[FrontQueue] = []
        try:
            for lane in lanes:
                split = options.split and offer.split
                made.append(FrontQueue(self.transport, self.domid, lane, split=split, pages=options.pages))
            if options.steering and offer.control:
                self._control = FrontControl(self.transport, self.domid, self.fault)
        except DriverError:
            for queue in made:
                queue.close()
            self.port.close()
            raise
        filtered = offer.multicast and options.multicast is not None and len(self._addresses) <= ADDRESSES_MAX
        if filtered:
            self._listening = made[0]
            for address in self._addresses:
                self._listening.listen(address)
        self._queues.begin(made, self._failed)
        control = None
        if self._control:
            self._asking.begin([self._control], self.fault)
            control = Control(self._control.gref, self._control.port)
        queues = tuple(Shared(queue.grefs, queue.ports) for queue in made)
        return front_nodes(Front(queues, options.takes, multicast=filtered, control=control))

    def reread(self) -> Nodes:
        """Ask for what is wanted, now that the backend is connected: before, it has no queues to steer packets to."""
        if self._control and not self._asked:
            self._asked = True
            self._control.ask(_steps(self._wish))
        return NOTHING

    def steer(self, wish: Wish | None) -> None:
        """Have packets steered otherwise; nothing happens if there is no control ring.

        :param wish: None to leave it to the backend
        """
        self._wish = wish
        if self._control and self._asked:
            self._control.ask(_steps(wish))

    def listen(self, address: bytes, *, wanted: bool = True) -> None:
        """Have the backend pass on multicast frames for an address as well, or no longer.

        :param address: of six bytes
        """
        if wanted:
            self._addresses.append(address)
        elif address in self._addresses:
            self._addresses.remove(address)
        if self._listening:
            self._listening.listen(address, wanted=wanted)

    def _failed(self, error: DriverError, *, fatal: bool = True) -> None:
        # A backend that breaks the protocol is parted from.
        self.fault(error, fatal=fatal)

    def close(self) -> Nodes:
        """Take queues back: a backend that has not let go of them yet can do no harm, for they are used no more."""
        self._asking.part()
        self._control, self._asked, self._listening = None, False, None
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


def _steps(wish: Wish | None) -> list[Step]:
    return spread(*wish) if wish else unspread()


@contextmanager
def joined(transport: Transport, here: str, port: Port, options: Options | None = None) -> Iterator[End]:
    """Join a port to the backend of a frontend's directory, as long as the context lasts.

    :raises MachineError: there is no such device, or its backend does not connect; the message tells why
    """

    def make(there: str, domid: int) -> Frontend:
        return Frontend(transport, there, domid, port, options or Options())

    with joining.joined(transport, here, make, NET_FRONT) as end:
        yield end
