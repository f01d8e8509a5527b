"""The frontend of a disk, as the bus runs it: chooses from what the backend offers, and joins a user to it.

When the backend is gone, its queues go with it; what was not answered is asked again of its successor.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from pvdrivers.abi.blkif import NATIVE, Blkif, VDisk
from pvdrivers.block.front.client import Client, Geometry
from pvdrivers.block.front.frontqueue import DATA_PAGES, FrontQueue
from pvdrivers.block.nodes import front_nodes, read_back, read_offer
from pvdrivers.bus import joining
from pvdrivers.bus.device import NOTHING, Nodes, Plain
from pvdrivers.bus.end import End
from pvdrivers.bus.nodes import Peer
from pvdrivers.bus.rings import Shared
from pvdrivers.errors import DriverError, MachineError
from pvdrivers.transport.base import Transport
from pvdrivers.xenbus import FRONT

#: Segments of an indirect request, at most; as Linux's blkfront.
INDIRECT_MAX = 32


@dataclass(frozen=True)
class Options:
    """What a frontend wants, as far as its backend has it."""

    max_order: int = 4
    max_queues: int = 1
    max_indirect: int = INDIRECT_MAX
    persistent: bool = True
    #: Of each queue (`FrontQueue`).
    data_pages: int = DATA_PAGES
    layout: Blkif = NATIVE


class User(Protocol):
    """Who uses queues: a `Client`, or a load."""

    #: Why it cannot go on with them.
    error: DriverError | None
    geometry: Geometry

    def resume(self, queues: Sequence[FrontQueue], geometry: Geometry | None = None) -> None:
        """Use queues, which belong to it from now on."""
        ...

    def suspend(self, gone: DriverError | None = None) -> None:
        """Give queues back, if there are any; where the machine is gone, wait for no others."""
        ...

    def fail(self, error: DriverError) -> None:
        """Wait for no others: there may be none."""
        ...


@dataclass(eq=False)
class Frontend(Plain):
    """One disk's frontend.

    :param there: the backend's directory
    :param domid: the backend's
    """

    transport: Transport
    there: str
    domid: int
    user: User
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        # Published, and not yet the user's.
        self._queues: list[FrontQueue] = []
        self._failed: DriverError | None = None

    @property
    def _peer(self) -> Peer:
        return Peer(self.transport.store, self.there)

    def publish(self) -> Nodes:
        """Make queues, as many and large as both ends can."""
        options, offer = self.options, read_offer(self._peer)
        indirect = min(self._peer.number("feature-max-indirect-segments", 0, 2**32 - 1, 0), options.max_indirect)
        for _ in range(min(offer.max_queues, options.max_queues)):
            try:
                queue = FrontQueue(
                    self.transport,
                    self.domid,
                    options.layout,
                    order=min(offer.max_order, options.max_order),
                    max_indirect=indirect,
                    persistent=options.persistent,
                    data_pages=options.data_pages,
                )
            except DriverError:
                self._drop()
                raise
            self._queues.append(queue)
        published = [Shared((tuple(queue.grefs),), (queue.port,)) for queue in self._queues]
        return front_nodes(published, persistent=options.persistent, layout=options.layout)

    def connect(self) -> Nodes:
        """Begin to use the disk."""
        queues, geometry = self._queues, self._geometry()
        self._queues, self._failed = [], None
        self.user.resume(queues, geometry)
        return NOTHING

    def _geometry(self) -> Geometry:
        back = read_back(self._peer)
        return Geometry(
            back.sectors,
            back.sector_size,
            readonly=bool(back.info & VDisk.READONLY) or self._peer.text("mode", "w") == "r",
            flush=back.flush,
            discard=back.discard,
            secure=back.secure,
            barrier=back.barrier,
        )

    def reread(self) -> Nodes:
        """Take note of the disk's size, which may be another now."""
        self.user.geometry = self._geometry()
        return NOTHING

    def tick(self) -> tuple[Nodes, bool]:
        """Part from a backend that broke the protocol."""
        if self.user.error and self.user.error is not self._failed:
            self._failed = self.user.error
            self.fault(self.user.error, fatal=True)
        return NOTHING, False

    def close(self) -> Nodes:
        """Take queues back: a backend that has not let go of them yet can do no harm, for they are used no more."""
        # Told at once: between two steps whoever asks would wait for a machine that may never come.
        self.user.suspend(self.transport.gone)
        self._drop()
        return NOTHING

    def lost(self) -> DriverError | None:
        """Let all that is asked fail, if the machine is gone, and not XenStore alone."""
        if reason := self.transport.gone:
            self.close()
        return reason

    def over(self) -> None:
        """Let all fail: there will be no successor."""
        self.user.fail(MachineError(f"the device at {self.there} is gone"))

    def _drop(self) -> None:
        queues, self._queues = self._queues, []
        for queue in queues:
            queue.close()


@contextmanager
def joined(transport: Transport, here: str, user: User, options: Options | None = None) -> Iterator[End]:
    """Join a user to the backend of a frontend's directory, as long as the context lasts.

    :raises MachineError: there is no such device, or its backend does not connect; the message tells why
    """

    def make(there: str, domid: int) -> Frontend:
        return Frontend(transport, there, domid, user, options or Options())

    with joining.joined(transport, here, make, FRONT) as end:
        yield end


@contextmanager
def disk(transport: Transport, here: str, options: Options | None = None) -> Iterator[Client]:
    """Use the disk of a frontend's directory, as long as the context lasts.

    :raises MachineError: there is no such device, or its backend does not connect
    """
    with Client([], Geometry(0)) as client, joined(transport, here, client, options):
        yield client
