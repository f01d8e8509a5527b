"""The backend of a disk, as the bus runs it: what it offers, what it takes from its frontend, and its queues."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pvdrivers.abi.blkif import VDisk
from pvdrivers.abi.ring import ORDER_MAX
from pvdrivers.block.back.backqueue import BackQueue
from pvdrivers.block.back.stats import Stats
from pvdrivers.block.disks import Disk, Kind
from pvdrivers.block.nodes import Back, Front, Offer, back_nodes, offer_nodes, read_front
from pvdrivers.bus.device import NOTHING, Nodes, Plain
from pvdrivers.bus.journal import Journal
from pvdrivers.bus.nodes import Peer
from pvdrivers.bus.queued import Queued
from pvdrivers.bus.rings import Shared
from pvdrivers.bus.toolstack import Spot
from pvdrivers.errors import DriverError, MachineError
from pvdrivers.ring import LoggedBack
from pvdrivers.transport.base import Channel, Transport


@dataclass(frozen=True)
class Options:
    """What a backend offers at most, and how it works."""

    max_order: int = ORDER_MAX
    max_queues: int = 4
    #: Segments of an indirect request; 0 for none.
    max_indirect: int = 256
    persistent: bool = True
    grants: Literal["copy", "map"] = "copy"


@dataclass(eq=False)
class Backend(Plain):
    """One disk's backend.

    :param spot: where it is
    :param opener: opens the disk, whenever a frontend is there
    :param journal: where what is under way is kept, so that another process can go on with it
    """

    transport: Transport
    spot: Spot
    opener: Callable[[], Disk]
    options: Options = field(default_factory=Options)
    journal: Journal | None = None

    def __post_init__(self) -> None:
        self._disk: Disk | None = None
        self._queues = Queued(Stats())
        self._trouble: str | None = None

    @property
    def disk(self) -> Disk:
        """The disk, opened by now.

        :raises MachineError: it cannot be
        """
        if self._disk is None:
            self._disk = self.opener()
        return self._disk

    def offer(self) -> Nodes:
        """Open the disk, and say what a frontend may choose from."""
        self.disk.refresh()
        return offer_nodes(self._offer, self.options.max_indirect)

    @property
    def _offer(self) -> Offer:
        return Offer(self.options.max_order, self.options.max_queues)

    def connect(self) -> Nodes:
        """Take the rings and channels that the frontend has published, and begin to serve them."""
        front = self._front()
        self.disk.refresh()
        logs = [self._log(front, number, Journal.begin) for number in range(len(front.queues))]
        self._serve(front, logs, resume=False)
        # Whoever wants to know what is done from now on finds where that begins.
        return {**back_nodes(self._back()), **self._queues.news()}

    def resume(self) -> bool:
        """Go on with the rings of a former life, if it has left what was under way, and the disk as it was."""
        if not self.journal or self.disk.medium.kind is Kind.MEMORY:
            return False
        front = self._front()
        logs = [self._log(front, number, Journal.find) for number in range(len(front.queues))]
        if None in logs:
            self.journal.leave()
            return False
        self._serve(front, logs, resume=True)
        return True

    def _front(self) -> Front:
        return read_front(Peer(self.transport.store, self.spot.front), self._offer)

    def _log(
        self, front: Front, number: int, way: Callable[[Journal, int, str, int], memoryview | None]
    ) -> memoryview | None:
        if not self.journal:
            return None
        (grefs,), (port,) = front.queues[number]
        identity = f"{front.layout.protocol} {self.options.max_indirect} {port} {' '.join(map(str, grefs))}"
        return way(self.journal, number, identity, LoggedBack.log_size(front.layout.ring, len(grefs)))

    def _serve(self, front: Front, logs: Sequence[memoryview | None], *, resume: bool) -> None:
        wanted = zip(front.queues, logs, strict=True)
        try:
            self._queues.begin((self._join(front, shared, log, resume=resume) for shared, log in wanted), self.fault)
        except DriverError:
            self._part()
            raise

    def _part(self) -> None:
        self._queues.part()
        disk, self._disk = self._disk, None
        if disk is not None:
            disk.close()

    def _back(self) -> Back:
        disk = self.disk
        return Back(
            disk.sectors,
            disk.sector_size,
            max(disk.sector_size, disk.granularity),
            VDisk.READONLY if disk.readonly else VDisk(0),
            flush=disk.flushes,
            barrier=disk.flushes,
            discard=disk.discards,
            granularity=disk.granularity,
            secure=disk.secure,
            persistent=self.options.persistent,
            max_indirect=self.options.max_indirect,
        )

    def _join(self, front: Front, shared: Shared, log: memoryview | None, *, resume: bool) -> BackQueue:
        (grefs,), (port,) = shared
        ring = self.transport.map(self.spot.domid, grefs)
        channel: Channel | None = None
        try:
            channel = self.transport.bind_interdomain(self.spot.domid, port)
            return BackQueue(
                self.transport,
                self.spot.domid,
                ring,
                channel,
                front.layout,
                self.disk,
                persistent=front.persistent and self.options.persistent,
                max_indirect=self.options.max_indirect,
                grants=self.options.grants,
                log=log,
                resume=resume,
            )
        except DriverError:
            if channel:
                channel.close()
            ring.unmap()
            raise

    def close(self) -> Nodes:
        """Answer what was taken, and let go of rings, channels and the disk."""
        self._part()
        if self.journal:
            self.journal.remove()
        return NOTHING

    def pause(self) -> None:
        """As `close`, and leave the journal for a successor."""
        self._part()
        if self.journal:
            self.journal.leave()

    def lost(self) -> DriverError | None:
        """Let go of all, if the machine is gone, and not XenStore alone."""
        if reason := self.transport.gone:
            self.close()
        return reason

    def tick(self) -> tuple[Nodes, bool]:
        """Tell the frontend when the disk has another size, and everybody what was done."""
        if (trouble := self.disk.trouble) and trouble != self._trouble:
            self.fault(MachineError(trouble))
        self._trouble = trouble
        resized = self.disk.refresh()
        nodes: Nodes = {"sectors": self.disk.sectors} if resized else NOTHING
        return {**nodes, **self._queues.news()}, resized

    @property
    def queues(self) -> int:
        """How many run."""
        return len(self._queues)

    @property
    def running(self) -> list[BackQueue]:
        """The queues that run, for who looks on from another thread."""
        return [queue for queue in self._queues.running if isinstance(queue, BackQueue)]

    @property
    def busy(self) -> int:
        """Requests that were taken and not answered."""
        return self._queues.busy

    def abandon(self) -> None:
        """Have what the disk does not come back with fail, if it can be had; from any thread."""
        if disk := self._disk:
            disk.abandon()

    def statistics(self) -> dict[str, int]:
        """Tell what was done since the device came to be."""
        return self._queues.statistics()
