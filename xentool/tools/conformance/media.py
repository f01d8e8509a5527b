"""Disks for our own backend under test, seen past it: a file, or memory of which the kit is told what is done to it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pvdrivers.abi.blkif import SECTOR_SIZE
from pvdrivers.block.disks import Disk, open_disk
from pvdrivers.block.disks.base import Medium as Way
from pvdrivers.block.disks.memory import Memory
from pvdrivers.conformance.block import subject
from pvdrivers.conformance.block.subject import content


class FileMedium:
    """A disk in a file.

    :param path: to be made
    :ivar target: what a driver is to serve
    """

    between: subject.Hook | None = None

    def __init__(self, path: Path, wanted: subject.Disk) -> None:
        self._path, self._wanted = path, wanted
        self.target = path
        path.write_bytes(content(0, wanted.sectors))

    def peek(self, sector: int, count: int) -> bytes:
        """Give what sectors hold."""
        with self._path.open("rb") as file:
            file.seek(sector * SECTOR_SIZE)
            return file.read(count * SECTOR_SIZE)

    def resize(self, sectors: int) -> None:
        """Make the file longer, with content, or shorter."""
        with self._path.open("r+b") as file:
            size = file.seek(0, 2)
            file.truncate(sectors * SECTOR_SIZE)
            if sectors * SECTOR_SIZE > size:
                file.seek(size)
                file.write(content(size // SECTOR_SIZE, sectors - size // SECTOR_SIZE))

    def opened(self) -> Disk:
        """Open it for a driver."""
        return open_disk(str(self._path), readonly=self._wanted.readonly, sector_size=self._wanted.sector_size)


class Watched(Memory):
    """A disk in memory that tells what is done to it, before it is: nothing compiled goes at it by itself."""

    #: So that what is to be in order is so by its driver's doing.
    parallel = 4

    def __init__(self, wanted: subject.Disk) -> None:
        super().__init__(wanted.sectors * SECTOR_SIZE, readonly=wanted.readonly, sector_size=wanted.sector_size)
        self.medium = Way()
        self.told: Callable[[str, int], object] = lambda _operation, _sector: None
        self._memory[:] = content(0, wanted.sectors)

    def read(self, sector: int, buffers: Sequence[memoryview]) -> None:
        """Tell it, and read."""
        self.told("read", sector)
        super().read(sector, buffers)

    def write(self, sector: int, buffers: Sequence[memoryview]) -> None:
        """Tell it, and write."""
        self.told("write", sector)
        super().write(sector, buffers)

    def flush(self) -> None:
        """Tell it."""
        self.told("flush", 0)

    def discard(self, sector: int, count: int, *, secure: bool = False) -> None:
        """Tell it, and discard."""
        self.told("discard", sector)
        super().discard(sector, count, secure=secure)

    def peek(self, sector: int, count: int) -> bytes:
        """Give what sectors hold."""
        return bytes(self._memory[sector * SECTOR_SIZE : (sector + count) * SECTOR_SIZE])

    def close(self) -> None:
        """Stay: the kit looks at it when its driver is done."""


class WatchedMedium:
    """A `Watched` as the kit sees it."""

    def __init__(self, wanted: subject.Disk) -> None:
        self._disk = Watched(wanted)

    def peek(self, sector: int, count: int) -> bytes:
        """Give what sectors hold."""
        return self._disk.peek(sector, count)

    def resize(self, sectors: int) -> None:
        """Stay as it is: memory does not grow."""

    def between(self, call: Callable[[str, int], object]) -> None:
        """Tell this what is done from now on."""
        self._disk.told = call

    def opened(self) -> Disk:
        """Give it to a driver."""
        return self._disk
