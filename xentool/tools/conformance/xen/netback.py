"""Linux's network backend in this dom0; the kit's frontends are in dom0, too, and so is what lies behind its vifs.

That is the backend's own interface, on no bridge, which nobody but the kit sends by.
"""

import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from pvdrivers.bus.device import Nodes
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.net.subject import ServedVif, Vif
from pvdrivers.transport.xen import Xen
from pvdrivers.xenbus import Role
from xentool.tools.conformance.our_vifs import nodes
from xentool.tools.conformance.spent import busy
from xentool.tools.conformance.xen import relayed
from xentool.tools.conformance.xen.bench import BackendBench, bench
from xentool.tools.conformance.xen.devices import Kind
from xentool.tools.conformance.xen.klog import KernelLog, kernel_version
from xentool.tools.conformance.xen.world import STRANGER

#: No kernel looks for frontends of this kind. An interface is called by its number, and may be there when its nodes are
#: gone: numbers are used again as late as can be.
_KIND = Kind("uvif", "vif", lambda n: n % 1000)


def cut_off(folder: Path) -> bool:
    """Tell whether it has given a vif up: that has no carrier then, and looks in XenStore as before.

    Ref: Linux drivers/net/xen-netback/netback.c, xenvif_fatal_tx_err

    :param folder: the driver's ``net`` in sysfs
    """
    with suppress(OSError):
        return any(path.read_text() == "0\n" for path in folder.glob("*/carrier"))
    return False


class NetbackBench(BackendBench):
    """The kernel's backend, and vifs for it; see `pvdrivers.conformance.net.subject.VifBackBench`."""

    log: KernelLog

    @contextmanager
    def served(self, vif: Vif) -> Iterator[ServedVif]:
        """Plug in a vif."""
        store = self.devices.store

        def wanted(spot: Spot) -> tuple[Nodes, Nodes]:
            back, front = nodes(spot, vif)
            # A script's name is asked for, and what one says that ran.
            done: Nodes = {} if vif.scripted else {"hotplug-status": "connected"}
            return {**back, "script": "", **done}, front

        with ExitStack() as stack:
            spot = stack.enter_context(self.devices.plugged(wanted))
            folder = f"/sys/bus/xen-backend/devices/vif-{spot.domid}-{spot.devid}/net"
            far = stack.enter_context(relayed.here(folder))

            def hotplug(status: str) -> None:
                store.write(f"{spot.back}/hotplug-status", status.encode())

            transport = stack.enter_context(Xen())
            yield ServedVif(spot, transport, far, STRANGER, store, hotplug, partial(cut_off, Path(folder)))

    def ended(self) -> str | None:
        """Tell what the kernel complained of."""
        return self.log.complaint()

    def effort(self) -> float:
        """Give the processor time of this dom0 but for the kit's: some of the backend's is in interrupts, of nobody."""
        return busy() - time.process_time()


class Netback:
    """Linux's network backend; see `pvdrivers.conformance.subject.Subject`."""

    name = "netback"
    version = kernel_version(platform.version(), platform.release())
    role = Role.BACK
    device = "net"
    kernel = True

    @contextmanager
    def running(self) -> Iterator[NetbackBench]:
        """Have devices for it, which are gone at the end."""
        with ExitStack() as stack:
            made = stack.enter_context(bench(NetbackBench, _KIND))
            made.log = stack.enter_context(KernelLog())
            yield made
