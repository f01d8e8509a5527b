"""The drivers that are judged on real Xen, and by which cases."""

from typing import NamedTuple

from pvdrivers.conformance import registry
from pvdrivers.conformance.case import Case
from pvdrivers.xenbus import Role
from xentool.lab import api


class Driver(NamedTuple):
    """A driver, and which cases it has: its kind's, of those that match."""

    device: str
    role: Role
    pattern: str
    guest: bool = False
    #: Whether its processor time is told as all of dom0's: nothing else may be judged meanwhile.
    alone: bool = False
    #: Whose lab has it.
    releases: tuple[str, ...] = tuple(api.RELEASES)

    @property
    def cases(self) -> list[Case]:
        """Its cases."""
        return registry.chosen(self.device, self.role, (self.pattern,))


#: Guests that may break, by how the page calls the frontend in each: its type.
GUESTS = ("pv", "pvh")
DRIVERS = {
    "blkback": Driver("block", Role.BACK, "BB[0-9]*"),
    "qdisk": Driver("block", Role.BACK, "BB[0-9]*"),
    "block-backend-xen": Driver("block", Role.BACK, "BB[0-9]*"),
    "block-frontend-xen": Driver("block", Role.FRONT, "BF[0-9]*"),
    "linux-block-frontend": Driver("block", Role.FRONT, "BF[0-9]*", guest=True),
    "netback": Driver("net", Role.BACK, "NB[0-9]*", alone=True),
    # QEMU has had it, by the ways that the kit knows, since 8.2.
    "qnic": Driver("net", Role.BACK, "NB[0-9]*", releases=("4.20",)),
    "net-backend-xen": Driver("net", Role.BACK, "NB[0-9]*"),
    "net-frontend-xen": Driver("net", Role.FRONT, "NF[0-9]*"),
    "linux-net-frontend": Driver("net", Role.FRONT, "NF[0-9]*", guest=True),
}
#: All, in the order of the page.
SUBJECTS = [
    f"{name}@{guest}" if guest else name
    for name, driver in DRIVERS.items()
    for guest in (GUESTS if driver.guest else ("",))
]


def driver_of(subject: str) -> Driver:
    """Give the driver that a subject is, wherever it runs."""
    return DRIVERS[subject.partition("@")[0]]


def guest_of(subject: str) -> str:
    """Give the guest that a subject runs in; empty for dom0."""
    return subject.partition("@")[2]
