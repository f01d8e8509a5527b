"""What a user says of a disk to be served: ``FILE,vdev=xvdb,mode=r``."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pvdrivers.bus.device import Nodes
from xentool.errors import XentoolError
from xentool.tools.devices import vdev

#: Directory of frontends that are programs: those under "vbd" a guest's kernel takes.
USER = "uvbd"

_KEYS = ("vdev", "mode", "domain", "sector-size", "front")
#: For people.
FORM = "FILE[,vdev=xvdb][,mode=r|w|w!][,domain=NAME][,sector-size=4096][,front=user]"
# Whether it is read-only, and shared whatever others do with it: the mark is Xen's.
_MODES = {
    "r": (True, False),
    "ro": (True, False),
    "w": (False, False),
    "rw": (False, False),
    "w!": (False, True),
}


@dataclass(frozen=True)
class Wanted:
    """A disk for a domain.

    :param spec: what `pvdrivers.block.disks.open_disk` opens
    :param domain: as the user calls it; None for the command's own
    :param vdev: as the guest will call it; None for the next that is free
    :param user: whether a program in the guest is to use it, and not its kernel
    :param shared: whether it is served even if another domain or program writes to it
    """

    spec: str
    domain: str | None = None
    vdev: str | None = None
    readonly: bool = False
    sector_size: int | None = None
    user: bool = False
    shared: bool = False


def parse(text: str) -> Wanted:
    """Read a disk's description.

    :raises XentoolError: it is none; the message says what one is
    """
    spec, *words = text.split(",")
    pairs = dict(word.partition("=")[::2] for word in words)
    if not spec or set(pairs) - set(_KEYS):
        wrong = ", ".join(sorted(set(pairs) - set(_KEYS))) or "no disk"
        raise XentoolError(f"{text!r}: {wrong}; a disk is {FORM}")
    mode, size = pairs.get("mode", "w"), pairs.get("sector-size", "")
    if mode not in _MODES:
        raise XentoolError(f"{text!r}: a mode is r or w, not {mode!r}; w! shares what others write to")
    if size not in {"", "512", "4096"}:
        raise XentoolError(f"{text!r}: sectors are of 512 or 4096 bytes")
    if (front := pairs.get("front", "kernel")) not in {"kernel", "user"}:
        raise XentoolError(f"{text!r}: a front is kernel or user, not {front!r}")
    if (name := pairs.get("vdev")) is not None:
        vdev.number(name)
    readonly, shared = _MODES[mode]
    return Wanted(spec, pairs.get("domain"), name, readonly, int(size) if size else None, front == "user", shared)


def numbers(disks: Sequence[Wanted], taken: Collection[int]) -> list[int]:
    """Give each disk's number: its own, or the next that is free from xvda on.

    :raises XentoolError: one is there twice
    """
    used = set(taken)
    for disk in disks:
        if disk.vdev is not None:
            number = vdev.number(disk.vdev)
            if number in used:
                raise XentoolError(f"{disk.vdev} is taken already")
            used.add(number)
    free = (number for index in range(1 << 12) if (number := vdev.number_of(index)) not in used)
    return [vdev.number(disk.vdev) if disk.vdev is not None else next(free) for disk in disks]


def back_nodes(disk: Wanted, devid: int) -> Nodes:
    """Give what a toolstack writes for the backend.

    Ref: tools/libs/light/libxl_disk.c (``device_disk_add``)
    """
    return {
        "params": disk.spec,
        "mode": "r" if disk.readonly else "w",
        "dev": vdev.name(devid),
        "removable": 0,
        "bootable": 1,
        "device-type": "disk",
        **({"request-sector-size": disk.sector_size} if disk.sector_size else {}),
    }


def front_nodes(devid: int) -> Nodes:
    """Give what a toolstack writes for the frontend."""
    return {"virtual-device": devid, "device-type": "disk", "trusted": 1}
