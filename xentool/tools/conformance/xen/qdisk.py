"""QEMU's block backend; the kit's frontends are in dom0, too.

Ref: QEMU hw/block/xen-block.c
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.block.subject import Disk
from pvdrivers.xenbus import Role
from xentool.tools.conformance.xen import qemu
from xentool.tools.conformance.xen.bench import bench
from xentool.tools.conformance.xen.devices import Kind
from xentool.tools.conformance.xen.disks import DiskBench
from xentool.tools.devices import vdev

#: QEMU looks for a disk's frontend where its own name says, and names it by its number.
_KIND = Kind("vbd", "qdisk", lambda n: 202 << 8 | n % 256)


class QdiskBench(qemu.QemuBench, DiskBench):
    """A QEMU, and disks for it."""

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
