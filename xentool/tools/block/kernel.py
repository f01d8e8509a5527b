"""A disk that the kernel's own backend in this dom0 serves to a frontend of ours, here or in a guest."""

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pvdrivers.block.disks import Use
from pvdrivers.bus import toolstack
from pvdrivers.bus.toolstack import Spot
from pvdrivers.transport.base import Transport
from xentool.errors import XentoolError
from xentool.tools.block.disks import USER
from xentool.tools.devices import vdev

_NAME = "xvdz"
_PATIENCE = 10.0


@contextmanager
def served(transport: Transport, path: str, domid: int | None = None) -> Iterator[Spot]:
    """Let the kernel serve a file or block device as long as the context lasts; give where it is.

    :param domid: the frontend's domain; None for this one
    :raises XentoolError: there is no such file, or one is served so already
    """
    with _block_device(Path(path)) as device:
        number = device.stat().st_rdev
        front = transport.domid if domid is None else domid
        spot = Spot(USER, "vbd", transport.domid, front, vdev.number(_NAME))
        back = {
            "params": str(device),
            "type": "phy",
            "mode": "w",
            "dev": _NAME,
            # In hexadecimal.
            "physical-device": f"{os.major(number):x}:{os.minor(number):x}",
            "physical-device-path": str(device),
            "hotplug-status": "connected",
        }
        if not toolstack.plug(transport.store, spot, back, {"virtual-device": spot.devid, "device-type": "disk"}):
            raise XentoolError(f"{spot.front} is there already: another `xentool block bench --blkback` runs, or died")
        try:
            yield spot
        finally:
            toolstack.part(transport.store, spot)
            toolstack.parted(transport.store, spot, _PATIENCE)
            toolstack.remove(transport.store, spot)


@contextmanager
def _block_device(path: Path) -> Iterator[Path]:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise XentoolError(f"cannot open {path}: {error.strerror}") from error
    if stat.S_ISBLK(mode):
        yield path
        return
    with closing(Use(path)), _loop(path) as device:
        yield device


@contextmanager
def _loop(path: Path) -> Iterator[Path]:
    made = subprocess.run(["losetup", "--find", "--show", str(path)], capture_output=True, text=True, check=False)
    if made.returncode:
        raise XentoolError(f"no loop device for {path}: {made.stderr.strip()}")
    device = Path(made.stdout.strip())
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", str(device)], check=False)
