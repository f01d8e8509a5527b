"""Our block backend in a process of its own, as a subject: what it does not survive is its own end, and not the kit's.

``python -m xentool.tools.conformance.process DIRECTORY`` is that process: it serves every disk of the loopback in
DIRECTORY whose nodes say which file it is, until its input ends.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

import xentool
from pvdrivers.block.back.backend import Backend
from pvdrivers.block.disks import Disk, open_disk
from pvdrivers.bus.backends import Backends
from pvdrivers.bus.nodes import Peer
from pvdrivers.bus.toolstack import Spot, part, parted, plug, remove
from pvdrivers.conformance.block import subject
from pvdrivers.conformance.block.subject import Served
from pvdrivers.conformance.subject import Resources
from pvdrivers.errors import MachineError
from pvdrivers.transport.loopback import Loopback, Machine, machine
from pvdrivers.xenbus import Role
from xentool.tools.conformance.media import FileMedium
from xentool.tools.conformance.ours import BACK, FRONT, STRANGER

#: What the directories of both ends are called.
_KIND, _FRONTEND = "udisk", "uvbd"
#: Seconds that a device may take to close.
_PATIENCE = 60.0


class ProcessBench:
    """The process, and disks for it; see `pvdrivers.conformance.block.subject.BackBench`."""

    def __init__(self, running: Machine, folder: Path, stack: ExitStack) -> None:
        self._machine, self._folder = running, folder
        self._toolstack = stack.enter_context(Loopback(running.directory, BACK))
        self._numbers = count(51712)
        argv = [sys.executable, "-m", __name__, str(running.directory)]
        self._process = stack.enter_context(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert self._process.stdout  # noqa: S101 - a pipe was asked for
        if self._process.stdout.readline() != b"serving\n":
            raise MachineError("the backend's process does not start")

    @contextmanager
    def served(self, disk: subject.Disk) -> Iterator[Served]:
        """Plug in a disk, in a file: nobody is told what another process does to it."""
        spot = Spot(_FRONTEND, _KIND, BACK, FRONT, next(self._numbers))
        store, path = self._toolstack.store, self._folder / f"disk-{spot.devid}"
        medium = FileMedium(path, disk)
        mode = "r" if disk.readonly else "w"
        plug(store, spot, {"mode": mode, "params": str(path), "sector-size": disk.sector_size}, {})
        try:
            with Loopback(self._machine.directory, FRONT) as transport:
                yield Served(spot, transport, medium, STRANGER, store)
        finally:
            part(store, spot)
            # As a toolstack does for a domain that is no more.
            store.remove(spot.front)
            parted(store, spot, _PATIENCE)
            remove(store, spot)
            path.unlink(missing_ok=True)

    def resources(self) -> Resources:
        """Tell what is in use: as the machine counts it, and of the process."""
        used = [self._machine.hypervisor.in_use(domid) for domid in (BACK, FRONT)]
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
        with suppress(OSError):
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0

    def kill(self) -> None:
        """Have it end without a word."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it, as a service is ended."""
        assert self._process.stdin  # noqa: S101 - a pipe was asked for
        self._process.stdin.close()


class OurProcess:
    """Our block backend as a process; see `pvdrivers.conformance.subject.Subject`."""

    name = "block-backend-process"
    version = xentool.__version__
    role = Role.BACK
    device = "block"
    kernel = False

    @contextmanager
    def running(self) -> Iterator[ProcessBench]:
        """Have it run on a loopback of its own."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xentool-conformance-")))
            running = stack.enter_context(machine(folder, [BACK, FRONT, STRANGER]))
            bench = ProcessBench(running, folder, stack)
            stack.callback(bench.close)
            yield bench


def main(directory: Path) -> None:
    """Serve until the input ends."""
    with Loopback(directory, BACK) as transport:

        def make(spot: Spot) -> Backend:
            own = Peer(transport.store, spot.back)

            def opened() -> Disk:
                size = own.number("sector-size", 512, 4096, 512)
                return open_disk(own.text("params"), readonly=own.text("mode") == "r", sector_size=size)

            return Backend(transport, spot, opened)

        backends = Backends(transport, _KIND, _FRONTEND, make)
        backends.start()
        sys.stdout.write("serving\n")
        sys.stdout.flush()
        sys.stdin.read()
        backends.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
