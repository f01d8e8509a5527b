"""The backend of a disk, as the bus runs it: what it offers, what it takes from its frontend, and its queues."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pvdrivers.abi.blkif import VDisk
from pvdrivers.abi.ring import ORDER_MAX
from pvdrivers.block.back.backqueue import BackQueue
from pvdrivers.block.back.stats import Stats
from pvdrivers.block.disks import Disk, Kind
from pvdrivers.block.nodes import Back, Front, Offer, Queue, back_nodes, offer_nodes, read_front
from pvdrivers.bus.device import NOTHING, Nodes, Plain
from pvdrivers.bus.journal import Journal
from pvdrivers.bus.nodes import Peer
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
        self._running: list[tuple[BackQueue, threading.Thread]] = []
        self._parting: list[tuple[BackQueue, threading.Thread]] = []
        # Of queues that have ended.
        self._before = Stats()
        self._told: dict[str, int] = {}
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
        self._serve_all(front, logs, resume=False)
        # Whoever wants to know what is done from now on finds where that begins.
        return {**back_nodes(self._back()), **self._news()}

    def resume(self) -> bool:
        """Go on with the rings of a former life, if it has left what was under way, and the disk as it was."""
        if not self.journal or self.disk.medium.kind is Kind.MEMORY:
            return False
        front = self._front()
        logs = [self._log(front, number, Journal.find) for number in range(len(front.queues))]
        if None in logs:
            self.journal.leave()
            return False
        self._serve_all(front, logs, resume=True)
        return True

    def _front(self) -> Front:
        return read_front(Peer(self.transport.store, self.spot.front), self._offer)

    def _log(
        self, front: Front, number: int, way: Callable[[Journal, int, str, int], memoryview | None]
    ) -> memoryview | None:
        if not self.journal:
            return None
        queue = front.queues[number]
        identity = f"{front.layout.protocol} {self.options.max_indirect} {queue.port} {' '.join(map(str, queue.grefs))}"
        return way(self.journal, number, identity, LoggedBack.log_size(front.layout.ring, len(queue.grefs)))

    def _serve_all(self, front: Front, logs: Sequence[memoryview | None], *, resume: bool) -> None:
        try:
            for wanted, log in zip(front.queues, logs, strict=True):
                self._running.append(self._join(front, wanted, log, resume=resume))
        except DriverError:
            self._part()
            raise
        for _, thread in self._running:
            thread.start()

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

    def _join(
        self, front: Front, wanted: Queue, log: memoryview | None, *, resume: bool
    ) -> tuple[BackQueue, threading.Thread]:
        ring = self.transport.map(self.spot.domid, wanted.grefs)
        channel: Channel | None = None
        try:
            channel = self.transport.bind_interdomain(self.spot.domid, wanted.port)
            queue = BackQueue(
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
        return queue, threading.Thread(target=self._serve, args=[queue], name="block queue", daemon=True)

    def _serve(self, queue: BackQueue) -> None:
        # A frontend that breaks its ring loses that ring; the others, and those of other frontends, go on.
        queue.run()
        if queue.error:
            self.fault(queue.error)

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

    def _part(self) -> None:
        self._parting, self._running = self._running, []
        for queue, _ in self._parting:
            queue.stop()
        while self._parting:
            queue, thread = self._parting[0]
            if thread.ident is None:
                queue.close()
            else:
                thread.join()
            self._parting = self._parting[1:]
            self._before += queue.stats
        disk, self._disk = self._disk, None
        if disk is not None:
            disk.close()

    def tick(self) -> tuple[Nodes, bool]:
        """Tell the frontend when the disk has another size, and everybody what was done."""
        if (trouble := self.disk.trouble) and trouble != self._trouble:
            self.fault(MachineError(trouble))
        self._trouble = trouble
        resized = self.disk.refresh()
        nodes: Nodes = {"sectors": self.disk.sectors} if resized else NOTHING
        return {**nodes, **self._news()}, resized

    def _news(self) -> Nodes:
        done = self.statistics()
        if done == self._told:
            return NOTHING
        # What has not changed is not written: whoever watches is told of each node.
        news = {name: number for name, number in done.items() if self._told.get(name) != number}
        self._told = done
        return {f"statistics/{name.replace('_', '-')}": number for name, number in news.items()}

    @property
    def queues(self) -> int:
        """How many run."""
        return len(self._running)

    @property
    def busy(self) -> int:
        """Requests that were taken and not answered."""
        return sum(queue.busy for queue, _ in (*self._running, *self._parting))

    def abandon(self) -> None:
        """Have what the disk does not come back with fail, if it can be had; from any thread."""
        if disk := self._disk:
            disk.abandon()

    def statistics(self) -> dict[str, int]:
        """Tell what was done since the device came to be."""
        return sum((queue.stats for queue, _ in (*self._running, *self._parting)), self._before).document()
