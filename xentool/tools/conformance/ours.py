"""Our own drivers under test, in this process, on a loopback of their own."""

import gc
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import xentool
from pvdrivers.block.back.backend import Backend, Options
from pvdrivers.bus.end import End
from pvdrivers.bus.toolstack import Spot, part, parted, plug, remove
from pvdrivers.conformance.subject import Disk, Resources, Served
from pvdrivers.transport.loopback import Loopback, Machine, machine
from pvdrivers.xenbus import Role
from xentool.tools.conformance.media import FileMedium, WatchedMedium

#: Domains of the loopback: the backends', the frontends', and one that is neither.
BACK, FRONT, STRANGER = 0, 5, 6
#: Seconds that a device may take to close.
_PATIENCE = 60.0


class OurBench:
    """Drivers of ours that run in this process, in threads; see `pvdrivers.conformance.subject.Bench`."""

    def __init__(self, running: Machine, folder: Path, options: Options, stack: ExitStack) -> None:
        self._machine, self._folder, self._options = running, folder, options
        self._dom0 = stack.enter_context(Loopback(running.directory, BACK))
        self._numbers = count(51712)
        self._lines: list[str] = []
        self._ends: list[End] = []

    @contextmanager
    def served(self, disk: Disk) -> Iterator[Served]:
        """Plug in a disk for our backend."""
        number = next(self._numbers)
        spot = Spot("uvbd", "udisk", BACK, FRONT, number)
        store = self._dom0.store
        path = self._folder / f"disk-{number}"
        medium = WatchedMedium(disk) if disk.watched else FileMedium(path, disk)
        plug(store, spot, {"mode": "r" if disk.readonly else "w"}, {})
        device = Backend(self._dom0, spot, medium.opened, self._options)
        end = End(store, spot.back, spot.front, device, role=Role.BACK, log=self._lines.append)
        self._ends.append(end)
        end.start()
        try:
            with Loopback(self._machine.directory, FRONT) as transport:
                yield Served(spot, transport, medium, STRANGER)
        finally:
            part(store, spot)
            # As a toolstack does for a domain that is no more.
            store.remove(spot.front)
            parted(store, spot, _PATIENCE)
            end.stop()
            end.join()
            self._ends.remove(end)
            remove(store, spot)
            path.unlink(missing_ok=True)

    def resources(self) -> Resources:
        """Tell what is in use: as the machine counts it, and of this process."""
        gc.collect()
        used = [self._machine.hypervisor.in_use(domid) for domid in (BACK, FRONT)]
        return {
            "grants": sum(each.grants for each in used),
            "mappings": sum(each.mappings for each in used),
            "ports": sum(each.ports for each in used),
            "descriptors": len(list(Path("/proc/self/fd").iterdir())),
            "threads": threading.active_count(),
        }

    def ended(self) -> str | None:
        """Tell of a mistake that a driver had to catch, or a thread of one that is no more."""
        if wrong := [line for line in self._lines if "a mistake in this driver" in line]:
            self._lines.clear()
            return wrong[0]
        if any(not end.is_alive() for end in self._ends):
            return "a device's thread has ended"
        return None

    def effort(self) -> float:
        """Give the processor time of all but this thread."""
        return time.process_time() - time.thread_time()


class OurBackend:
    """Our block backend; see `pvdrivers.conformance.subject.Subject`."""

    name = "block-backend"
    version = xentool.__version__
    role = Role.BACK
    device = "block"
    kernel = False

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()

    @contextmanager
    def running(self) -> Iterator[OurBench]:
        """Have it run on a loopback of its own."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xentool-conformance-")))
            running = stack.enter_context(machine(folder, [BACK, FRONT, STRANGER]))
            yield OurBench(running, folder, self._options, stack)
