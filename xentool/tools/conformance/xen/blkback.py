"""Linux's block backend in this dom0, on loop devices over files of the kit's; the kit's frontends are in dom0, too."""

import os
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.block.subject import Disk
from pvdrivers.xenbus import Role
from xentool.tools.conformance.media import FileMedium
from xentool.tools.conformance.spent import spent_by
from xentool.tools.conformance.xen.bench import bench
from xentool.tools.conformance.xen.devices import Kind
from xentool.tools.conformance.xen.disks import DiskBench
from xentool.tools.conformance.xen.klog import KernelLog, kernel_version
from xentool.tools.conformance.xen.loops import looped, sweep

#: No kernel looks for frontends of this kind. It learns of a device's end some time after its nodes went: numbers are
#: used again as late as can be.
_KIND = Kind("uvbd", "vbd", lambda n: 202 << 8 | n % 256)


class BlkbackBench(DiskBench):
    """The kernel's backend, and disks for it."""

    log: KernelLog

    def medium(self, path: Path, disk: Disk) -> AbstractContextManager[FileMedium]:
        """Have a loop device over a file."""
        return looped(path, disk)

    def nodes(self, spot: Spot, disk: Disk, target: Path) -> tuple[Nodes, Nodes]:
        """Give what a toolstack and its hotplug script write."""
        number = target.stat().st_rdev
        back: Nodes = {
            "params": str(target),
            "type": "phy",
            "mode": "r" if disk.readonly else "w",
            # Its threads are called by it.
            "dev": f"kit{spot.devid}",
            # In hexadecimal.
            "physical-device": f"{os.major(number):x}:{os.minor(number):x}",
            "physical-device-path": str(target),
            "hotplug-status": "connected",
        }
        return back, {"virtual-device": spot.devid, "device-type": "disk"}

    def ended(self) -> str | None:
        """Tell what the kernel complained of."""
        return self.log.complaint()

    def effort(self) -> float:
        """Give the processor time of the backend's threads, which are called by domain and disk."""
        return spent_by("0.kit")


class Blkback:
    """Linux's block backend; see `pvdrivers.conformance.subject.Subject`."""

    name = "blkback"
    version = kernel_version(platform.version(), platform.release())
    role = Role.BACK
    device = "block"
    kernel = True

    @contextmanager
    def running(self) -> Iterator[BlkbackBench]:
        """Have devices for it, which are gone at the end."""
        sweep()
        with ExitStack() as stack:
            made = stack.enter_context(bench(BlkbackBench, _KIND))
            made.log = stack.enter_context(KernelLog())
            yield made
