"""Our own drivers under test, in this process, on a loopback of their own."""

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
from pvdrivers.transport.loopback import Loopback, Machine, machine
from pvdrivers.xenbus import Role, Table

#: Domains of the loopback: the backends', the frontends', and one that is neither.
BACK, FRONT, STRANGER = 0, 5, 6
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

    def __init__(self, running: Machine, folder: Path, domid: int, stack: ExitStack) -> None:
        self.machine, self.folder = running, folder
        self.toolstack = stack.enter_context(Loopback(running.directory, BACK))
        self.transport = stack.enter_context(Loopback(running.directory, domid))
        self._numbers = count(self.home.first)
        self._lines: list[str] = []
        self._ends: list[End] = []

    def spot(self) -> Spot:
        """Give a place for another device."""
        return Spot(self.home.front, self.home.back, BACK, FRONT, next(self._numbers))

    @contextmanager
    def plugged(
        self, spot: Spot, role: Role, table: Table, device: Device, nodes: Nodes, front: Nodes = NOTHING
    ) -> Iterator[End]:
        """Plug a device in, and run that end of it which is under test; it is gone at the end."""
        store = self.toolstack.store
        plug(store, spot, nodes, front)
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
        """Tell what is in use: as the machine counts it, and of this process."""
        gc.collect()
        used = [self.machine.hypervisor.in_use(domid) for domid in (BACK, FRONT)]
        return {
            "grants": sum(each.grants for each in used),
            "mappings": sum(each.mappings for each in used),
            "ports": sum(each.ports for each in used),
            "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        }

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
    """

    version = xentool.__version__
    kernel = False

    def __init__(
        self, name: str, device: str, role: Role, make: Callable[[Machine, Path, int, ExitStack], _Bench]
    ) -> None:
        self.name, self.device, self.role, self._make = name, device, role, make

    @contextmanager
    def running(self) -> Iterator[_Bench]:
        """Have it run on a loopback of its own."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xentool-conformance-")))
            running = stack.enter_context(machine(folder, [BACK, FRONT, STRANGER]))
            yield self._make(running, folder, BACK if self.role is Role.BACK else FRONT, stack)
