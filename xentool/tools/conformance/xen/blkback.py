"""Linux's block backend in this dom0, on loop devices over files of the kit's; the kit's frontends are in dom0, too."""

import os
import platform
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.block.subject import Disk, Served
from pvdrivers.conformance.subject import Resources
from pvdrivers.transport.xen import Xen
from pvdrivers.xenbus import Role
from xentool.hosts.local import LocalHost
from xentool.tools.conformance.xen.devices import Devices, Kind, sweep
from xentool.tools.conformance.xen.held import held
from xentool.tools.conformance.xen.klog import KernelLog
from xentool.tools.conformance.xen.loops import LoopMedium, looped

#: A domain that is neither end's: nobody can be it.
STRANGER = 0x7FEF
#: No kernel looks for frontends of this kind.
USER = "uvbd"
#: The kernel learns of a device's end some time after its nodes went: numbers are used again as late as can be.
XVDS = Kind(USER, "vbd", lambda n: 202 << 8 | n % 256)


def kernel_version(version: str, release: str) -> str:
    """Give a kernel's version, as its package is called where Debian made it."""
    found = re.search(r"Debian (\d\S*)", version)
    return found[1] if found else release


class BlkbackBench:
    """The kernel's backend, and disks for it; see `pvdrivers.conformance.block.subject.BackBench`."""

    def __init__(self, devices: Devices, folder: Path, log: KernelLog) -> None:
        self._devices, self._folder, self._log = devices, folder, log
        self._host = LocalHost()

    @contextmanager
    def served(self, disk: Disk) -> Iterator[Served]:
        """Plug in a disk for the kernel's backend."""
        with ExitStack() as stack:
            media: list[LoopMedium] = []

            def nodes(spot: Spot) -> tuple[Nodes, Nodes]:
                media.append(stack.enter_context(looped(self._folder / f"disk-{spot.devid}", disk)))
                return _nodes(spot, disk, media[-1])

            spot = stack.enter_context(self._devices.plugged(nodes))
            with Xen() as transport:
                yield Served(spot, transport, media[-1], STRANGER, transport.store)

    def resources(self) -> Resources:
        """Tell what is in use between dom0 and itself: all of it is the kit's and its driver's."""
        return held(self._host, [0], [0])

    def ended(self) -> str | None:
        """Tell what the kernel complained of."""
        return self._log.complaint()

    def effort(self) -> float:
        """Give the processor time of the backend's threads, which are called by domain and disk."""
        ticks = 0
        for folder in Path("/proc").iterdir():
            with suppress(OSError):
                name, _, rest = (folder / "stat").read_text().rpartition(")") if folder.name.isdigit() else ("", "", "")
                if name.partition("(")[2].startswith("0.kit"):
                    fields = rest.split()
                    ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def _nodes(spot: Spot, disk: Disk, medium: LoopMedium) -> tuple[Nodes, Nodes]:
    number = medium.device.stat().st_rdev
    back: Nodes = {
        "params": str(medium.device),
        "type": "phy",
        "mode": "r" if disk.readonly else "w",
        "dev": f"kit{spot.devid}",
        # In hexadecimal.
        "physical-device": f"{os.major(number):x}:{os.minor(number):x}",
        "physical-device-path": str(medium.device),
        "hotplug-status": "connected",
    }
    return back, {"virtual-device": spot.devid, "device-type": "disk"}


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
        with ExitStack() as stack:
            transport = stack.enter_context(Xen())
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xentool-conformance-")))
            devices = Devices(transport.store, XVDS, transport.domid)
            stack.callback(sweep, transport.store)
            sweep(transport.store)
            yield BlkbackBench(devices, folder, stack.enter_context(KernelLog()))
