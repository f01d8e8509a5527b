"""Which drivers can be judged here, by the names that the command line knows."""

from collections.abc import Callable, Mapping

from pvdrivers.conformance.subject import Subject
from xentool.errors import XentoolError
from xentool.tools.conformance import disk_process, our_disks, our_vifs, vif_process
from xentool.tools.conformance.xen.like import like
from xentool.tools.conformance.xen.subjects import IN_GUESTS, ON_XEN

#: What each is, for people, and how it is had.
SUBJECTS: Mapping[str, tuple[str, Callable[[], Subject]]] = {
    "block-backend": ("our disks' backend, on a loopback", our_disks.block_backend),
    "block-backend-process": ("the same as a process of its own", disk_process.block_backend_process),
    "block-frontend": ("our disks' frontend, on a loopback", our_disks.block_frontend),
    "net-backend": ("our vifs' backend, on a loopback", our_vifs.net_backend),
    "net-backend-process": ("the same as a process of its own", vif_process.net_backend_process),
    "net-frontend": ("our vifs' frontend, on a loopback", our_vifs.net_frontend),
    **ON_XEN,
}
#: How whatever serves a device is called.
PATH = "/local/domain/0/backend/KIND/DOMID/DEVID"


def subject(name: str) -> Subject:
    """Give a subject by its name.

    :raises XentoolError: there is none of that name, or it cannot be had
    """
    if name.startswith("/"):
        return like(name)
    driver, at, domain = name.partition("@")
    if at and domain and driver in IN_GUESTS:
        return IN_GUESTS[driver][1](domain)
    if name not in SUBJECTS:
        known = ", ".join([*SUBJECTS, *(f"{each}@DOMAIN" for each in IN_GUESTS), PATH])
        raise XentoolError(f"{name!r} is no driver that can be tested; there are {known}")
    return SUBJECTS[name][1]()


def listed() -> dict[str, str]:
    """Give all names, and what each is."""
    guests = {f"{name}@DOMAIN": what for name, (what, _) in IN_GUESTS.items()}
    found = {name: what for name, (what, _) in SUBJECTS.items()} | guests
    return found | {PATH: "whatever serves the device of a backend's directory in XenStore: it is given more"}
