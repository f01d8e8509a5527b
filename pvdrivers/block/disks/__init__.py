"""Disks that a backend serves, by what a user calls them."""

import re
from pathlib import Path

from pvdrivers.abi.blkif import SECTOR_SIZE
from pvdrivers.block.disks.base import Disk, Kind, Medium
from pvdrivers.block.disks.file import File
from pvdrivers.block.disks.memory import Memory, Null
from pvdrivers.block.disks.uses import Use
from pvdrivers.block.errors import NoDisk

__all__ = ["Disk", "Kind", "Medium", "Use", "open_disk", "use_disk"]

_SIZE = re.compile(r"(\d+)([KMGT]?)i?B?", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_MADE: dict[str, type[Memory | Null]] = {"mem": Memory, "null": Null}
#: What "mem" and "null" alone mean.
_DEFAULT_SIZE = "1G"


def open_disk(spec: str, *, readonly: bool = False, sector_size: int | None = None) -> Disk:
    """Open a disk.

    :param spec: ``mem[:SIZE]``, ``null[:SIZE]``, ``qcow2:PATH`` or a path that ends so, ``raw:PATH`` or any other path.
        A file's content never tells its format: a guest could write another there.
    :param sector_size: 512 or 4096; by default the device's own, or 512
    :raises NoDisk: there is no such disk
    """
    if sector_size not in {None, SECTOR_SIZE, 4096}:
        raise NoDisk(f"sectors are of 512 or 4096 bytes, not {sector_size}")
    kind, rest = _parts(spec)
    if kind in _MADE:
        unit = sector_size or SECTOR_SIZE
        return _MADE[kind](_parse_size(rest, unit), readonly=readonly, sector_size=unit)
    if kind == "qcow2":
        from pvdrivers.block.disks.qcow2 import Qcow2  # noqa: PLC0415 - what runs its qemu-nbd takes long to load

        return Qcow2(Path(rest), readonly=readonly, sector_size=sector_size or SECTOR_SIZE)
    return File(Path(rest), readonly=readonly, sector_size=sector_size)


def use_disk(spec: str, *, readonly: bool = False, shared: bool = False) -> Use | None:
    """Keep others from a disk that is to be served, whoever opens it for that; None where nobody else can come.

    :param spec: as for `open_disk`
    :param shared: whatever others do with it
    :raises InUse: others use it in a way that does not go with this
    :raises NoDisk: it cannot be opened
    """
    kind, rest = _parts(spec)
    if kind in _MADE:
        return None
    return Use(Path(rest), readonly=readonly, shared=shared, qemu=kind == "qcow2")


def _parts(spec: str) -> tuple[str, str]:
    kind, colon, rest = spec.partition(":")
    if kind in _MADE:
        return kind, rest if colon else _DEFAULT_SIZE
    if kind in ("qcow2", "raw") and colon:
        return kind, rest
    return "qcow2" if spec.endswith(".qcow2") else "raw", spec


def _parse_size(text: str, unit: int) -> int:
    # Bytes, or with K, M, G or T: a sector at least, for only whole ones count.
    found = _SIZE.fullmatch(text)
    size = int(found[1]) * _UNITS[found[2].upper()] if found else 0
    if size < unit:
        raise NoDisk(f"a disk's size is bytes, or with K, M, G or T, and {unit} bytes at least: not {text!r}")
    return size
