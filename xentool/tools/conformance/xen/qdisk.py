"""QEMU's block backend, as a process of the kit's that is attached to dom0; the kit's frontends are in dom0, too.

Ref: QEMU hw/block/xen-block.c, hw/xen/xen-bus.c; xen/tools/hotplug/Linux/systemd/xen-qemu-dom0-disk-backend.service
"""

import itertools
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.block.subject import Disk
from pvdrivers.conformance.subject import Resources
from pvdrivers.errors import MachineError
from pvdrivers.xenbus import Role
from xentool.tools.conformance.media import FileMedium
from xentool.tools.conformance.spent import spent
from xentool.tools.conformance.xen.devices import Kind
from xentool.tools.conformance.xen.disks import DiskBench, bench
from xentool.tools.devices import vdev

#: QEMU looks for a disk's frontend where its own name says, and names it by its number.
_KIND = Kind("vbd", "qdisk", lambda n: 202 << 8 | n % 256)
#: Where distributions put the one that knows Xen.
_PROGRAMS = (
    "/usr/libexec/xen-qemu-system-i386",
    "/usr/lib/xen/bin/qemu-system-i386",
    "/usr/libexec/xen/bin/qemu-system-i386",
    "qemu-system-i386",
    "qemu-system-x86_64",
)
_WORDS = (
    *("-xen-domid", "0", "-xen-attach", "-name", "xentool-conformance", "-M", "xenpv", "-nographic", "-nodefaults"),
    *("-no-user-config", "-monitor", "none", "-serial", "none", "-parallel", "none"),
)
#: Linux's own frontends of disks.
_BLKFRONT = Path("/sys/bus/xen/drivers/vbd")
#: Seconds that it may take to end.
_PATIENCE = 15.0


def program() -> str | None:
    """Find a QEMU that may know Xen; None if there is none."""
    return next((found for each in _PROGRAMS if (found := shutil.which(each))), None)


def version() -> str:
    """Give QEMU's version, as its package is called where a distribution made it; empty if there is none."""
    if (found := program()) is None:
        return ""
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"version ([\d.]+)(?: \(Debian \d*:?([^)]+)\))?", said)
    return (match[2] or match[1]) if match else ""


def attached(argv: bytes) -> bool:
    """Tell of a process's command line whether it is a QEMU that serves dom0's disks."""
    words = argv.split(b"\0")
    return (b"-xen-domid", b"0") in itertools.pairwise(words)


class QdiskBench(DiskBench):
    """A QEMU, and disks for it."""

    process: "subprocess.Popen[bytes]"
    said: IO[bytes]

    @contextmanager
    def _file(self, path: Path, disk: Disk) -> Iterator[FileMedium]:
        try:
            yield FileMedium(path, disk)
        finally:
            path.unlink(missing_ok=True)

    def medium(self, path: Path, disk: Disk) -> AbstractContextManager[FileMedium]:
        """Have a file."""
        return self._file(path, disk)

    def nodes(self, spot: Spot, disk: Disk, target: Path) -> tuple[Nodes, Nodes]:
        """Give what libxl writes."""
        back: Nodes = {
            "params": f"aio:{target}",
            "type": "qdisk",
            "mode": "r" if disk.readonly else "w",
            "dev": vdev.name(spot.devid),
            "device-type": "disk",
            "discard-enable": 1,
            "direct-io-safe": 0,
        }
        return back, {"virtual-device": spot.devid, "device-type": "disk"}

    def resources(self) -> Resources:
        """Tell what is in use of pages and channels, and what files it has open."""
        with suppress(OSError):
            return {**super().resources(), "descriptors": len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))}
        return super().resources()

    def ended(self) -> str | None:
        """Tell how the process ended, if it has."""
        if (status := self.process.poll()) is None:
            return None
        self.said.seek(0)
        last = self.said.read().decode(errors="replace").strip().rpartition("\n")[2]
        return f"QEMU has ended with {status}" + (f": {last}" if last else "")

    def effort(self) -> float:
        """Give its processor time."""
        return spent(self.process.pid)


class Qdisk:
    """QEMU's block backend; see `pvdrivers.conformance.subject.Subject`."""

    name = "qdisk"
    role = Role.BACK
    device = "block"
    kernel = False

    def __init__(self) -> None:
        self.version = version()

    @contextmanager
    def running(self) -> Iterator[QdiskBench]:
        """Have it run, and devices for it."""
        if (found := program()) is None:
            raise MachineError("there is no QEMU that knows Xen (Debian's is in qemu-system-xen)")
        if _BLKFRONT.exists():
            raise MachineError("this dom0's kernel has a frontend of disks (xen-blkfront), which would take the kit's")
        if any(attached(argv) for argv in _command_lines()):
            raise MachineError("a QEMU serves dom0's disks already, and would take the kit's")
        with ExitStack() as stack:
            made = stack.enter_context(bench(QdiskBench, _KIND))
            made.said = stack.enter_context((made.folder / "qemu.log").open("w+b"))
            made.process = subprocess.Popen(
                [found, *_WORDS], stdin=subprocess.DEVNULL, stdout=made.said, stderr=made.said
            )
            stack.callback(_end, made.process)
            yield made


def _command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_bytes()


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
