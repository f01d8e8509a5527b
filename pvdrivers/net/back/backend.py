"""The backend of a vif, as the bus runs it: joins a frontend to a port, as many queues as it wants.

A backend that was killed is followed by another that goes on where its rings are: what it had not answered is done
again (`backqueue`). How frames are to be steered is kept beside them (`kept`). The list of multicast addresses is not:
a successor sends the frontend all of them, until it joins anew, which is more than it wants, and never less.

A port that is lost is opened anew as soon as it can be, and its queues go on likewise: a frontend that was served never
has to begin anew for it.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from pvdrivers.bus.device import NOTHING, Nodes, Plain
from pvdrivers.bus.journal import Journal
from pvdrivers.bus.nodes import Peer
from pvdrivers.bus.queued import Queued
from pvdrivers.bus.rings import Shared
from pvdrivers.bus.toolstack import Spot
from pvdrivers.errors import BadRing, DriverError, MachineError
from pvdrivers.net.back.backqueue import BackQueue
from pvdrivers.net.back.controlqueue import BackControl
from pvdrivers.net.back.credit import Credit
from pvdrivers.net.back.kept import SIZE, KeptSteering
from pvdrivers.net.back.spread import Spread, spread
from pvdrivers.net.back.stall import Clock, Stall
from pvdrivers.net.back.wishes import Wishes
from pvdrivers.net.nodes import (
    EVERYTHING,
    REQUEST_MULTICAST,
    Control,
    Front,
    Offer,
    carrier_nodes,
    offer_nodes,
    read_front,
    read_headroom,
    read_multicast,
)
from pvdrivers.net.ports.base import Lane, Port, PortLost
from pvdrivers.net.stats import Stats
from pvdrivers.net.vif import read_rate
from pvdrivers.net.watched import Watched
from pvdrivers.transport.base import Channel, Mapping, Transport
from pvdrivers.xenstore.client import Watch, XenStoreError
from pvdrivers.xenstore.client.client import join

#: Queues to offer, as many as Linux's backend with 8 processors.
MAX_QUEUES = 8
OFFER = Offer(EVERYTHING, split=True, multicast=True, control=True, headroom=True, max_queues=MAX_QUEUES)


@dataclass(eq=False)
class Backend(Plain):
    """One vif's backend.

    :param spot: where it is
    :param port: which stays the caller's, and is open as long as a frontend is there
    :param offered: what a frontend may choose from
    :param seen: by whom, at any time
    :param clock: tells seconds, by which a frontend stalls
    :param journal: where it is kept how frames are steered, so that another process can go on with it
    """

    transport: Transport
    spot: Spot
    port: Port
    offered: Offer = OFFER
    seen: Watched = field(default_factory=Watched)
    clock: Clock = time.monotonic
    journal: Journal | None = None

    def __post_init__(self) -> None:
        self._queues = Queued(Stats())
        self._control = Queued(Stats())
        self._running: list[BackQueue] = []
        self._lanes: list[Spread] = []
        #: What the frontend has asked for.
        self.wishes = Wishes(0)
        self._kept: KeptSteering | None = None
        self._watch: Watch | None = None
        self._carrier: bool | None = None
        # What the frontend has published; why its queues have ended, as one of them says; and what is told of that.
        self._joined: Front | None = None
        self._lost: PortLost | None = None
        self._told: MachineError | None = None

    @property
    def running(self) -> list[BackQueue]:
        """The queues that run, for who looks on from another thread."""
        return list(self._running)

    def offer(self) -> Nodes:
        """Say what a frontend may choose from. What the port cannot carry is finished before it gets there."""
        return offer_nodes(self.offered)

    def connect(self) -> Nodes:
        """Take the rings and channels that the frontend has published, and begin to serve them."""
        front = self._front()
        self._wish(front, resume=False)
        self.wishes.filtering = front.multicast
        if self.offered.multicast:
            self._watch = self.transport.store.watch(join(self.spot.front, REQUEST_MULTICAST))
        self._serve(front, resume=False)
        return {**self._link(), **self._queues.news()}

    def resume(self) -> bool:
        """Go on with the rings of a former life."""
        front = self._front()
        # Of its list of addresses nothing is left, and so all of them go on, whatever it asks for from now on: what it
        # adds to the list is not all that it wants.
        self._wish(front, resume=True)
        self._serve(front, resume=True)
        return True

    def _front(self) -> Front:
        return read_front(Peer(self.transport.store, self.spot.front), self.offered)

    def _wish(self, front: Front, *, resume: bool) -> None:
        memory = self._memory(self.journal, front, resume=resume) if self.journal and front.control else None
        self._kept = KeptSteering(memory) if memory else None
        self.wishes = Wishes(len(front.queues), self._kept)

    def _memory(self, journal: Journal, front: Front, *, resume: bool) -> memoryview:
        # A successor finds it the same unless the frontend has joined anew.
        identity = f"{front.control} {front.queues}"
        if resume:
            if memory := journal.find(0, identity, SIZE):
                return memory
            journal.leave()
        return journal.begin(0, identity, SIZE)

    def _serve(self, front: Front, *, resume: bool) -> None:
        self._joined = front
        try:
            try:
                self._join_port(front, resume=resume)
            except MachineError as error:
                # Who was served already waits, and is not closed.
                if not resume:
                    raise
                self._tell(error)
            if front.control:
                self._join_control(front.control, resume=resume)
        except DriverError:
            self._part()
            raise

    def _join_port(self, front: Front, *, resume: bool) -> None:
        lanes = self.port.open(len(front.queues), front.takes.abilities(front.headroom))
        self._lanes = spread(lanes, self.wishes)
        rate = read_rate(Peer(self.transport.store, self.spot.back))
        # Of all queues together.
        credit = Credit(rate.bytes, rate.microseconds / 1e6) if rate else None
        try:
            wanted = enumerate(zip(front.queues, self._lanes, strict=True))
            self._queues.begin(
                (self._join(front, number, shared, lane, credit, resume=resume) for number, (shared, lane) in wanted),
                self._ended,
            )
        except DriverError:
            self._part_from_port()
            raise

    def _ended(self, error: DriverError) -> None:
        # By a queue's own thread.
        if isinstance(error, PortLost):
            self._lost = error
        else:
            self.fault(error)

    def _join(
        self, front: Front, number: int, shared: Shared, lane: Lane, credit: Credit | None, *, resume: bool
    ) -> BackQueue:
        with self._taken(shared) as (rings, channels):
            queue = BackQueue(
                self.transport,
                self.spot.domid,
                rings,
                channels,
                lane,
                headroom=front.headroom,
                notifies=front.notifies,
                credit=credit,
                stall=Stall(notifies=front.notifies, clock=self.clock),
                multicast=self.wishes.multicast if self.offered.multicast else None,
                resume=resume,
                number=number,
                seen=self.seen,
            )
        self._running.append(queue)
        return queue

    def _join_control(self, control: Control, *, resume: bool) -> None:
        try:
            with self._taken(Shared(((control.gref,),), (control.port,))) as ((ring,), (channel,)):
                queue = BackControl(self.transport, self.spot.domid, ring, channel, self.wishes, resume=resume)
        except BadRing as error:
            # As one that breaks this ring later.
            self.fault(error)
        else:
            self._control.begin([queue], self.fault)

    @contextmanager
    def _taken(self, shared: Shared) -> Iterator[tuple[list[Mapping], list[Channel]]]:
        # Given back if the context is left by an error.
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
            yield rings, channels
            taken.pop_all()

    def reconfigure(self) -> Nodes:
        """Leave as many bytes free in each of the frontend's pages as it wants by now."""
        headroom = read_headroom(Peer(self.transport.store, self.spot.front))
        for queue in self._running:
            queue.headroom = headroom
        if self._joined:
            self._joined = self._joined._replace(headroom=headroom)
        return NOTHING

    def _part(self) -> None:
        if self._watch:
            self._watch.close()
        self._watch = None
        self._control.part()
        if self._kept:
            self._kept.close()
        self._kept = None
        self._joined = self._lost = self._told = None
        self._part_from_port()

    def _part_from_port(self) -> None:
        self._queues.part()
        self._running = []
        # Those that no queue has come to own, if not all could be had.
        for lane in self._lanes:
            lane.close()
        self.port.close()

    def _tell(self, error: MachineError) -> None:
        told = MachineError(f"{error}; it is tried again every second")
        if str(told) != str(self._told):
            self._told = told
            self.fault(told)

    def _look_after_port(self) -> None:
        lost, self._lost = self._lost, None
        if lost:
            self._part_from_port()
            self._tell(lost)
        elif self._told and not self._running and self._joined:
            try:
                self._join_port(self._joined, resume=True)
            except MachineError as error:
                self._tell(error)
            except DriverError as error:
                self.fault(error, fatal=True)
        elif self._told:
            # It has carried, or could have, for as long as from one look to the next.
            self.fault(self._told, over=True)
            self._told = None

    def close(self) -> Nodes:
        """Answer what was taken, and let go of rings, channels and the port."""
        self._part()
        if self.journal:
            self.journal.remove()
        return NOTHING

    def pause(self) -> None:
        """As `close`, and leave the journal for a successor; else it needs the rings alone."""
        self._part()
        if self.journal:
            self.journal.leave()

    def lost(self) -> DriverError | None:
        """Let go of all, if the machine is gone, and not XenStore alone."""
        if reason := self.transport.gone:
            self.close()
        return reason

    def tick(self) -> tuple[Nodes, bool]:
        """See what multicast the frontend wants by now; tell of the link, and of what was done.

        :raises BadNode: what it wants makes no sense, and stays as it was
        """
        # A XenStore that is gone is the end's matter.
        with suppress(XenStoreError):
            if self._watch and self._watch.drain():
                self.wishes.filtering = read_multicast(Peer(self.transport.store, self.spot.front))
        self._look_after_port()
        return {**self._link(), **self._queues.news()}, False

    def _link(self) -> Nodes:
        # As in Linux, a queue that is stalled, or has ended, takes the link of all down: there is one link only.
        up = not self._told and self.port.carrier and not any(queue.stalled or queue.error for queue in self._running)
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
