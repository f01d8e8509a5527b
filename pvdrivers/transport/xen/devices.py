"""Opening Linux's devices."""

import os
from errno import EACCES, ENOENT, ENXIO, EPERM

from pvdrivers.errors import MachineError

_WHY = {
    ENOENT: "; this is no Xen domain, or its module (`modprobe xen-{name}`) is not loaded",
    ENXIO: "; this is no Xen domain",
    EACCES: "; only root may",
    EPERM: "; only root may",
}


def open_device(name: str) -> int:
    """Open ``/dev/xen/NAME``; reading from it does not wait.

    :raises MachineError: there is none, or no right to it
    """
    path = f"/dev/xen/{name}"
    try:
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        why = _WHY.get(error.errno or 0, "").format(name=name)
        raise MachineError(f"cannot open {path}: {error.strerror}{why}") from error
