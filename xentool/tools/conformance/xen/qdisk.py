"""QEMU's block backend; the kit's frontends are in dom0, too.

Ref: QEMU hw/block/xen-block.c
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.block.subject import Disk
from pvdrivers.conformance.subject import Resources
from pvdrivers.xenbus import Role
from xentool.tools.conformance.media import FileMedium
from xentool.tools.conformance.xen import qemu
from xentool.tools.conformance.xen.bench import bench
from xentool.tools.conformance.xen.devices import Kind
from xentool.tools.conformance.xen.disks import DiskBench
from xentool.tools.devices import vdev

#: QEMU looks for a disk's frontend where its own name says, and names it by its number.
_KIND = Kind("vbd", "qdisk", lambda n: 202 << 8 | n % 256)


class QdiskBench(DiskBench):
    """A QEMU, and disks for it."""

    qemu: qemu.Qemu

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
        return {**super().resources(), **self.qemu.descriptors()}

    def ended(self) -> str | None:
        """Tell how the process ended, if it has."""
        return self.qemu.ended()

    def effort(self) -> float:
        """Give its processor time."""
        return self.qemu.effort()


class Qdisk:
    """QEMU's block backend; see `pvdrivers.conformance.subject.Subject`."""

    name = "qdisk"
    role = Role.BACK
    device = "block"
    kernel = False

    def __init__(self) -> None:
        self.version = qemu.version()

    @contextmanager
    def running(self) -> Iterator[QdiskBench]:
        """Have it run, and devices for it."""
        with ExitStack() as stack:
            made = stack.enter_context(bench(QdiskBench, _KIND))
            made.qemu = stack.enter_context(qemu.running(made.folder, "vbd"))
            yield made
