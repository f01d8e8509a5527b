"""Drivers that can be judged on the Xen that this runs on, in its dom0, by the names that the command line knows."""

from collections.abc import Callable, Mapping

from pvdrivers.conformance.subject import Subject
from xentool.tools.conformance.xen.blkback import Blkback

#: What each is, for people, and how it is had.
ON_XEN: Mapping[str, tuple[str, Callable[[], Subject]]] = {
    "blkback": ("Linux's backend of disks, in this dom0", Blkback),
}
