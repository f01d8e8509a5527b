"""Which drivers can be judged here, by the names that the command line knows."""

from collections.abc import Callable, Mapping

from pvdrivers.conformance.subject import Subject
from xentool.errors import XentoolError
from xentool.tools.conformance import disk_process, our_disks, our_vifs, vif_process
from xentool.tools.conformance.xen.subjects import ON_XEN

#: What each is, for people, and how it is had.
SUBJECTS: Mapping[str, tuple[str, Callable[[], Subject]]] = {
    "block-backend": ("our disks' backend, on a loopback", our_disks.block_backend),
    "block-backend-process": ("the same as a process of its own", disk_process.block_backend_process),
    "block-frontend": ("our disks' frontend, on a loopback", our_disks.block_frontend),
    "net-backend": ("our vifs' backend, on a loopback", our_vifs.net_backend),
    "net-backend-process": ("the same as a process of its own", vif_process.net_backend_process),
    **ON_XEN,
}


def subject(name: str) -> Subject:
    """Give a subject by its name.

    :raises XentoolError: there is none of that name
    """
    if name not in SUBJECTS:
        raise XentoolError(f"{name!r} is no driver that can be tested; there are {', '.join(SUBJECTS)}")
    return SUBJECTS[name][1]()
