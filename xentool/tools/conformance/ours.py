"""Our own drivers under test, in this process."""

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import xentool
from pvdrivers.bus.device import NOTHING, Device, Nodes
from pvdrivers.bus.end import End
from pvdrivers.bus.toolstack import Spot, part, parted, plug, remove
from pvdrivers.conformance.subject import Resources
from pvdrivers.xenbus import Role, Table
from xentool.tools.conformance.worlds import Where, World, on_loopback

#: As `pvdrivers.errors.mistake` says it.
_MISTAKE = "a mistake in this driver"

_Bench = TypeVar("_Bench", bound="OurBench")


class Home(NamedTuple):
    """What the directories of a kind of devices are called, and the first one's number."""

    front: str
    back: str
    first: int = 0


class OurBench:
    """Drivers of ours that run in this process, in threads; see `pvdrivers.conformance.subject.Bench`.

    :param domid: of the driver under test
    """

    home: Home
    #: Seconds that a device may take to close.
    patience = 60.0

    def __init__(self, world: World, folder: Path, domid: int, stack: ExitStack) -> None:
        self.world, self.folder = world, folder
        self.toolstack = stack.enter_context(world.join(world.back))
        self.transport = stack.enter_context(world.join(domid))
        self._numbers = count(self.home.first)
        self._lines: list[str] = []
        self._ends: list[End] = []

    def spot(self) -> Spot:
        """Give a place for another device."""
        while True:
            spot = Spot(self.home.front, self.home.back, self.world.back, self.world.front, next(self._numbers))
            # Others have devices too.
            if not self.toolstack.store.exists(spot.front):
                return spot

    @contextmanager
    def plugged(
        self, spot: Spot, role: Role, table: Table, device: Device, nodes: Nodes, front: Nodes = NOTHING
    ) -> Iterator[End]:
        """Plug a device in, and run that end of it which is under test; it is gone at the end."""
        store = self.toolstack.store
        plug(store, spot, {**nodes, **self.world.mark}, {**front, **self.world.mark})
        here, there = (spot.back, spot.front) if role is Role.BACK else (spot.front, spot.back)
        end = End(self.transport.store, here, there, device, role=role, table=table, log=self._lines.append)
        self._ends.append(end)
        end.start()
        try:
            yield end
        finally:
            end.leave() if role is Role.FRONT else part(store, spot)
            # As a toolstack does for a domain that is no more.
            store.remove(there)
            if role is Role.BACK:
                parted(store, spot, self.patience)
            else:
                end.join(self.patience)
            end.stop()
            end.join(self.patience)
            if end.is_alive():
                self._lines.append(f"{_MISTAKE}: it does not end")
            self._ends.remove(end)
            remove(store, spot)

    def resources(self) -> Resources:
        """Tell what is in use: as the world counts it, and of this process."""
        gc.collect()
        return {**self.world.in_use(), "descriptors": len(list(Path("/proc/self/fd").iterdir()))}

    def ended(self) -> str | None:
        """Tell of a mistake that a driver had to catch, or a thread of one that is no more."""
        if wrong := [line for line in self._lines if _MISTAKE in line]:
            self._lines.clear()
            return wrong[0]
        if any(not end.is_alive() for end in self._ends):
            return "a device's thread has ended"
        return None

    def effort(self) -> float:
        """Give the processor time of all but this thread."""
        return time.process_time() - time.thread_time()


class Ours(Generic[_Bench]):
    """A driver of ours; see `pvdrivers.conformance.subject.Subject`.

    :param make: makes its bench
    :param where: has a world for it
    """

    version = xentool.__version__
    kernel = False

    def __init__(
        self,
        name: str,
        device: str,
        role: Role,
        make: Callable[[World, Path, int, ExitStack], _Bench],
        where: Where = on_loopback,
    ) -> None:
        self.name, self.device, self.role, self._make, self._where = name, device, role, make, where

    @contextmanager
    def running(self) -> Iterator[_Bench]:
        """Have it run in a world of its own."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xentool-conformance-")))
            world = stack.enter_context(self._where())
            yield self._make(world, folder, world.back if self.role is Role.BACK else world.front, stack)
