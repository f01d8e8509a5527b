"""Drivers that can be judged on the Xen that this runs on, in its dom0, by the names that the command line knows."""

from collections.abc import Callable, Mapping

from pvdrivers.conformance.subject import Subject
from pvdrivers.net.front.frontend import Options
from xentool.tools.conformance import our_disks, our_vifs
from xentool.tools.conformance.xen.blkback import Blkback
from xentool.tools.conformance.xen.guest_disks import blkfront
from xentool.tools.conformance.xen.guest_vifs import netfront
from xentool.tools.conformance.xen.netback import Netback
from xentool.tools.conformance.xen.qdisk import Qdisk
from xentool.tools.conformance.xen.qnic import Qnic
from xentool.tools.conformance.xen.world import on_xen

#: Of a case's vif and its sibling: Linux's gntalloc grants 1024 pages at a time, unless it is told otherwise.
_FEW = Options(pages=128)

#: What each is, for people, and how it is had.
ON_XEN: Mapping[str, tuple[str, Callable[[], Subject]]] = {
    "blkback": ("Linux's backend of disks, in this dom0", Blkback),
    "netback": ("Linux's backend of vifs, in this dom0", Netback),
    "qdisk": ("QEMU's backend of disks, as a process in this dom0", Qdisk),
    "qnic": ("QEMU's backend of vifs, as a process in this dom0; of QEMU 8.2 and later", Qnic),
    "block-backend-xen": (
        "our disks' backend, on the Xen that this runs on",
        lambda: our_disks.block_backend(name="block-backend-xen", where=on_xen),
    ),
    "block-frontend-xen": (
        "our disks' frontend, on the Xen that this runs on",
        lambda: our_disks.block_frontend(name="block-frontend-xen", where=on_xen),
    ),
    "net-backend-xen": (
        "our vifs' backend, on the Xen that this runs on",
        lambda: our_vifs.net_backend(name="net-backend-xen", where=on_xen),
    ),
    "net-frontend-xen": (
        "our vifs' frontend, on the Xen that this runs on",
        lambda: our_vifs.net_frontend(_FEW, name="net-frontend-xen", where=on_xen),
    ),
}

#: Likewise those in guests, had by the guest's name.
IN_GUESTS: Mapping[str, tuple[str, Callable[[str], Subject]]] = {
    "linux-block-frontend": ("Linux's frontend of disks, in a guest that may break", blkfront),
    "linux-net-frontend": ("Linux's frontend of vifs, in a guest that may break and has Python", netfront),
}
