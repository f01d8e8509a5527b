"""A driver of ours in a process of its own, as a subject: what it does not survive is its own end, and not the kit's.

``python -m MODULE DIRECTORY`` is that process: it serves every device of the loopback in DIRECTORY, until its input
ends (`served_until_told`).
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Generic, TypeVar

import xentool
from pvdrivers.bus.backends import Backends
from pvdrivers.bus.device import NOTHING, Device, Nodes
from pvdrivers.bus.toolstack import Spot, part, parted, plug, remove
from pvdrivers.conformance.subject import Resources
from pvdrivers.errors import MachineError
from pvdrivers.transport.base import Transport
from pvdrivers.transport.loopback import Loopback, Machine, machine
from pvdrivers.xenbus import Role, Table
from xentool.tools.conformance.ours import Home
from xentool.tools.conformance.spent import spent
from xentool.tools.conformance.worlds import OnLoopback

BACK, FRONT = OnLoopback.back, OnLoopback.front
#: Seconds that a device may take to close.
_PATIENCE = 60.0

_Bench = TypeVar("_Bench", bound="ProcessBench")


class ProcessBench:
    """The process, and devices for it; see `pvdrivers.conformance.subject.Bench`.

    :cvar module: what the process runs
    """

    home: Home
    module: str

    def __init__(self, running: Machine, folder: Path, stack: ExitStack) -> None:
        self.machine, self.folder = running, folder
        self.toolstack = stack.enter_context(Loopback(running.directory, BACK))
        self._numbers = count(self.home.first)
        argv = [sys.executable, "-m", self.module, str(running.directory)]
        self._process = stack.enter_context(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert self._process.stdout  # noqa: S101 - a pipe was asked for
        if self._process.stdout.readline() != b"serving\n":
            raise MachineError("the backend's process does not start")

    def spot(self) -> Spot:
        """Give a place for another device."""
        return Spot(self.home.front, self.home.back, BACK, FRONT, next(self._numbers))

    @contextmanager
    def plugged(self, spot: Spot, nodes: Nodes, front: Nodes = NOTHING) -> Iterator[Loopback]:
        """Plug a device in, and have its frontend's domain; it is gone at the end."""
        store = self.toolstack.store
        plug(store, spot, nodes, front)
        try:
            with Loopback(self.machine.directory, FRONT) as transport:
                yield transport
        finally:
            part(store, spot)
            # As a toolstack does for a domain that is no more.
            store.remove(spot.front)
            parted(store, spot, _PATIENCE)
            remove(store, spot)

    def resources(self) -> Resources:
        """Tell what is in use: as the machine counts it, and of the process."""
        used = [self.machine.hypervisor.in_use(domid) for domid in (BACK, FRONT)]
        with suppress(OSError):
            return {
                "grants": sum(each.grants for each in used),
                "mappings": sum(each.mappings for each in used),
                "ports": sum(each.ports for each in used),
                "descriptors": len(list(Path(f"/proc/{self._process.pid}/fd").iterdir())),
            }
        return {"grants": 0, "mappings": 0, "ports": 0, "descriptors": 0}

    def ended(self) -> str | None:
        """Tell how the process ended, if it has."""
        status = self._process.poll()
        return None if status is None else f"its process has ended with {status}"

    def effort(self) -> float:
        """Give its processor time."""
        return spent(self._process.pid)

    def kill(self) -> None:
        """Have it end without a word."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it, as a service is ended."""
        assert self._process.stdin  # noqa: S101 - a pipe was asked for
        self._process.stdin.close()


class OurProcess(Generic[_Bench]):
    """A backend of ours as a process; see `pvdrivers.conformance.subject.Subject`.

    :param make: makes its bench
    """

    version = xentool.__version__
    role = Role.BACK
    kernel = False

    def __init__(self, name: str, device: str, make: Callable[[Machine, Path, ExitStack], _Bench]) -> None:
        self.name, self.device, self._make = name, device, make

    @contextmanager
    def running(self) -> Iterator[_Bench]:
        """Have it run on a loopback of its own."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xentool-conformance-")))
            running = stack.enter_context(machine(folder, [BACK, FRONT, OnLoopback.stranger]))
            bench = self._make(running, folder, stack)
            stack.callback(bench.close)
            yield bench


def served_until_told(directory: Path, home: Home, table: Table, make: Callable[[Transport, Spot], Device]) -> None:
    """Serve devices until the input ends: what the process does.

    :param make: makes the driver of a device
    """
    with Loopback(directory, BACK) as transport:
        backends = Backends(transport, home.back, home.front, lambda spot: make(transport, spot), table=table)
        backends.start()
        sys.stdout.write("serving\n")
        sys.stdout.flush()
        sys.stdin.read()
        backends.stop()
