"""The backend of a vif, as the bus runs it: joins a frontend to a port, as many queues as it wants.

A backend that was killed is followed by another that goes on where its rings are: what it had not answered is done
again (`backqueue`).
"""

from contextlib import ExitStack
from dataclasses import dataclass, field

from pvdrivers.bus.device import NOTHING, Nodes, Plain
from pvdrivers.bus.nodes import Peer
from pvdrivers.bus.queued import Queued
from pvdrivers.bus.rings import Shared
from pvdrivers.bus.toolstack import Spot
from pvdrivers.errors import DriverError
from pvdrivers.net.back.backqueue import BackQueue
from pvdrivers.net.back.credit import Credit
from pvdrivers.net.nodes import EVERYTHING, Front, Offer, carrier_nodes, offer_nodes, read_front, read_headroom
from pvdrivers.net.ports.base import Lane, Port
from pvdrivers.net.stats import Stats
from pvdrivers.net.vif import read_rate
from pvdrivers.net.watched import Watched
from pvdrivers.transport.base import Transport

#: Queues to offer, as many as Linux's backend with 8 processors.
MAX_QUEUES = 8
OFFER = Offer(EVERYTHING, split=True, headroom=True, max_queues=MAX_QUEUES)


@dataclass(eq=False)
class Backend(Plain):
    """One vif's backend.

    :param spot: where it is
    :param port: which stays the caller's, and is open as long as a frontend is there
    :param offered: what a frontend may choose from
    :param seen: by whom, at any time
    """

    transport: Transport
    spot: Spot
    port: Port
    offered: Offer = OFFER
    seen: Watched = field(default_factory=Watched)

    def __post_init__(self) -> None:
        self._queues = Queued(Stats())
        self._running: list[BackQueue] = []
        self._carrier: bool | None = None

    def offer(self) -> Nodes:
        """Say what a frontend may choose from. What the port cannot carry is finished before it gets there."""
        return offer_nodes(self.offered)

    def connect(self) -> Nodes:
        """Take the rings and channels that the frontend has published, and begin to serve them."""
        self._serve(self._front(), resume=False)
        return {**self._link(), **self._queues.news()}

    def resume(self) -> bool:
        """Go on with the rings of a former life."""
        self._serve(self._front(), resume=True)
        return True

    def _front(self) -> Front:
        return read_front(Peer(self.transport.store, self.spot.front), self.offered)

    def _serve(self, front: Front, *, resume: bool) -> None:
        lanes = self.port.open(len(front.queues), front.takes.abilities(front.headroom))
        rate = read_rate(Peer(self.transport.store, self.spot.back))
        # Of all queues together.
        credit = Credit(rate.bytes, rate.microseconds / 1e6) if rate else None
        try:
            wanted = enumerate(zip(front.queues, lanes, strict=True))
            self._queues.begin(
                (self._join(front, number, shared, lane, credit, resume=resume) for number, (shared, lane) in wanted),
                self.fault,
            )
        except DriverError:
            self._part()
            raise

    def _join(
        self, front: Front, number: int, shared: Shared, lane: Lane, credit: Credit | None, *, resume: bool
    ) -> BackQueue:
        domid = self.spot.domid
        with ExitStack() as taken:
            rings = []
            for grefs in shared.rings:
                rings.append(self.transport.map(domid, grefs))
                taken.callback(rings[-1].unmap)
            channels = []
            for port in shared.ports:
                channels.append(self.transport.bind_interdomain(domid, port))
                taken.callback(channels[-1].close)
            queue = BackQueue(
                self.transport,
                domid,
                rings,
                channels,
                lane,
                headroom=front.headroom,
                notifies=front.notifies,
                credit=credit,
                resume=resume,
                number=number,
                seen=self.seen,
            )
            taken.pop_all()
        self._running.append(queue)
        return queue

    def reconfigure(self) -> Nodes:
        """Leave as many bytes free in each of the frontend's pages as it wants by now."""
        headroom = read_headroom(Peer(self.transport.store, self.spot.front))
        for queue in self._running:
            queue.headroom = headroom
        return NOTHING

    def _part(self) -> None:
        self._queues.part()
        self._running = []
        self.port.close()

    def close(self) -> Nodes:
        """Answer what was taken, and let go of rings, channels and the port."""
        self._part()
        return NOTHING

    def pause(self) -> None:
        """As `close`: what a successor needs stands in the rings."""
        self._part()

    def lost(self) -> DriverError | None:
        """Let go of all, if the machine is gone, and not XenStore alone."""
        if reason := self.transport.gone:
            self.close()
        return reason

    def tick(self) -> tuple[Nodes, bool]:
        """Tell of the link, and of what was done."""
        return {**self._link(), **self._queues.news()}, False

    def _link(self) -> Nodes:
        up = self.port.carrier
        if up == self._carrier:
            return NOTHING
        self._carrier = up
        return carrier_nodes(up=up)

    @property
    def queues(self) -> int:
        """How many run."""
        return len(self._queues)

    @property
    def busy(self) -> int:
        """Packets that were taken and not answered."""
        return self._queues.busy

    def statistics(self) -> dict[str, int]:
        """Tell what was done since the device came to be."""
        return self._queues.statistics()
