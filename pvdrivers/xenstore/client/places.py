"""Where a machine's XenStore is.

Ref: tools/include/xen-tools/xenstore-common.h; tools/libs/store/xs.c, xs_open()
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from pvdrivers.xenstore.client.errors import NoStore

_RUNDIRS = ("/run/xenstored", "/var/run/xenstored")
_DEVICES = ("/dev/xen/xenbus", "/proc/xen/xenbus")


def find(environ: Mapping[str, str] = os.environ) -> Path:
    """Give the socket that ``$XENSTORED_PATH`` or ``$XENSTORED_RUNDIR`` names, else xenstored's, else the device.

    :raises NoStore: there is none
    """
    if path := environ.get("XENSTORED_PATH"):
        return Path(path)
    if directory := environ.get("XENSTORED_RUNDIR"):
        return Path(directory, "socket")
    for candidate in (*(Path(directory, "socket") for directory in _RUNDIRS), *map(Path, _DEVICES)):
        if candidate.exists():
            return candidate
    raise NoStore("this machine has no XenStore; $XENSTORED_PATH names one's socket, `xentool store serve` is one")


def is_device(path: Path) -> bool:
    """Tell whether this is Linux's device and not a socket.

    :raises NoStore: it is neither
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise NoStore(f"cannot connect to XenStore at {path}: {error.strerror}") from error
    if not (stat.S_ISSOCK(mode) or stat.S_ISCHR(mode) or stat.S_ISREG(mode)):  # /proc/xen/xenbus is regular
        raise NoStore(f"cannot connect to XenStore at {path}: neither a socket nor a device")
    return not stat.S_ISSOCK(mode)
