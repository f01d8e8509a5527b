"""Raw files and block devices, through the page cache: what was written is durable once it was flushed."""

import ctypes
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from errno import EIO, EOPNOTSUPP
from fcntl import ioctl
from pathlib import Path
from struct import pack, unpack

from pvdrivers.abi.blkif import SECTOR_SIZE
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.disks.base import Kind, Medium
from pvdrivers.block.errors import NoDisk

# linux/fs.h, linux/falloc.h
_BLKSSZGET = 0x1268
_BLKDISCARD = 0x1277
_BLKSECDISCARD = 0x127D
_FALLOC_FL_KEEP_SIZE = 1
_FALLOC_FL_PUNCH_HOLE = 2
#: Buffers of one preadv: IOV_MAX.
_BUFFERS_MAX = 1024

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate64.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong]


class File:
    """A file, or a block device.

    :raises NoDisk: it cannot be opened, or is neither
    """

    flushes = True
    parallel = 8
    trouble: str | None = None

    def __init__(self, path: Path, *, readonly: bool = False, sector_size: int | None = None) -> None:
        self.readonly = readonly
        try:
            self._fd = os.open(path, (os.O_RDONLY if readonly else os.O_RDWR) | os.O_CLOEXEC)
        except OSError as error:
            raise NoDisk(f"cannot open {path}: {error.strerror}") from error
        status = os.fstat(self._fd)
        self._device = stat.S_ISBLK(status.st_mode)
        if not self._device and not stat.S_ISREG(status.st_mode):
            os.close(self._fd)
            raise NoDisk(f"{path} is neither a file nor a block device")
        self.sector_size = sector_size or self._own_sector_size()
        self.granularity = self.sector_size if self._device else PAGE_SIZE
        self.discards = not readonly
        self.secure = self._device and not readonly and self._erases(status.st_rdev)
        self.sectors = 0
        try:
            self.refresh()
        except OSError as error:
            # Files of /proc are regular ones, and have no end to look for.
            os.close(self._fd)
            raise NoDisk(f"{path} has no size: {error.strerror}") from error
        self.medium = Medium(Kind.FILE, fd=self._fd)

    def _own_sector_size(self) -> int:
        if not self._device:
            return SECTOR_SIZE
        (size,) = unpack("i", ioctl(self._fd, _BLKSSZGET, bytes(4)))
        return int(size)

    def _erases(self, device: int) -> bool:
        # Linux tells it nowhere but here, and only some kernels do.
        path = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/queue/secure_erase_max_bytes")
        with suppress(OSError, ValueError):
            return int(path.read_text()) > 0
        return False

    def read(self, sector: int, buffers: Sequence[memoryview]) -> None:
        """Fill buffers."""
        at = sector * SECTOR_SIZE
        for some, size in _portions(buffers):
            if os.preadv(self._fd, some, at) != size:
                raise OSError(EIO, "the file has become shorter")
            at += size

    def write(self, sector: int, buffers: Sequence[memoryview]) -> None:
        """Write buffers."""
        at = sector * SECTOR_SIZE
        for some, size in _portions(buffers):
            if os.pwritev(self._fd, some, at) != size:
                raise OSError(EIO, "not all of it was written")
            at += size

    def flush(self) -> None:
        """Make durable what was written."""
        os.fdatasync(self._fd)

    def discard(self, sector: int, count: int, *, secure: bool = False) -> None:
        """Punch a hole into a file, or tell a device; what cannot be done so may be left undone."""
        start, length = sector * SECTOR_SIZE, count * SECTOR_SIZE
        if self._device:
            ioctl(self._fd, _BLKSECDISCARD if secure else _BLKDISCARD, pack("QQ", start, length))
        elif _libc.fallocate64(self._fd, _FALLOC_FL_PUNCH_HOLE | _FALLOC_FL_KEEP_SIZE, start, length):
            error = ctypes.get_errno()
            if error == EOPNOTSUPP:
                self.discards = False
            raise OSError(error, os.strerror(error))

    def refresh(self) -> bool:
        """Look how large it is now: whole sectors count."""
        unit = self.sector_size
        sectors = os.lseek(self._fd, 0, os.SEEK_END) // unit * (unit // SECTOR_SIZE)
        changed, self.sectors = sectors != self.sectors, sectors
        return changed

    def abandon(self) -> None:
        """Do nothing: the kernel takes no call back."""

    def close(self) -> None:
        """Close it, what was written being durable then."""
        if not self.readonly:
            with suppress(OSError):
                os.fdatasync(self._fd)
        os.close(self._fd)


def _portions(buffers: Sequence[memoryview]) -> list[tuple[Sequence[memoryview], int]]:
    some = [buffers[at : at + _BUFFERS_MAX] for at in range(0, len(buffers), _BUFFERS_MAX)]
    return [(each, sum(map(len, each))) for each in some]
