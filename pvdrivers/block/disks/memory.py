"""Disks without a file: memory that is gone with its process, and nothing at all."""

import mmap
from collections.abc import Sequence

from pvdrivers.abi.blkif import SECTOR_SIZE
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.disks.base import Kind, Medium
from pvdrivers.block.errors import NoDisk


class Memory:
    """Zeros at first.

    :param size: bytes, of which whole sectors count
    """

    flushes = True
    discards = True
    secure = True
    trouble: str | None = None
    granularity = PAGE_SIZE
    parallel = 0

    def __init__(self, size: int, *, readonly: bool = False, sector_size: int = SECTOR_SIZE) -> None:
        self.sector_size = sector_size
        self.readonly = readonly
        self.sectors = size // sector_size * (sector_size // SECTOR_SIZE)
        try:
            self._pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except (OSError, OverflowError, ValueError) as error:
            raise NoDisk(f"no memory for a disk of {size} bytes") from error
        self._memory = memoryview(self._pages)
        self.medium = Medium(Kind.MEMORY, self._memory)

    def read(self, sector: int, buffers: Sequence[memoryview]) -> None:
        """Fill buffers."""
        at = sector * SECTOR_SIZE
        for buffer in buffers:
            buffer[:] = self._memory[at : at + len(buffer)]
            at += len(buffer)

    def write(self, sector: int, buffers: Sequence[memoryview]) -> None:
        """Write buffers."""
        at = sector * SECTOR_SIZE
        for buffer in buffers:
            self._memory[at : at + len(buffer)] = buffer
            at += len(buffer)

    def flush(self) -> None:
        """Do nothing: what is written is as durable as it will ever be."""

    def discard(self, sector: int, count: int, *, secure: bool = False) -> None:  # noqa: ARG002 - all of it is secure
        """Give pages back to the machine; they are zeros from now on, as is what was discarded around them."""
        start, end = sector * SECTOR_SIZE, (sector + count) * SECTOR_SIZE
        first, last = -(-start // PAGE_SIZE) * PAGE_SIZE, end // PAGE_SIZE * PAGE_SIZE
        if first < last:
            self._pages.madvise(mmap.MADV_DONTNEED, first, last - first)
        else:
            first = last = end
        for begin, until in ((start, first), (last, end)):
            self._memory[begin:until] = bytes(until - begin)

    def refresh(self) -> bool:
        """Memory does not grow."""
        return False

    def abandon(self) -> None:
        """Do nothing: nothing waits."""

    def close(self) -> None:
        """Give the memory back."""
        self.medium = Medium()
        self._memory.release()
        self._pages.close()


class Null:
    """Reads as zeros, and takes whatever is written: what a disk costs without a disk."""

    flushes = True
    discards = True
    secure = True
    trouble: str | None = None
    granularity = PAGE_SIZE
    parallel = 0
    medium = Medium(Kind.NULL)

    def __init__(self, size: int, *, readonly: bool = False, sector_size: int = SECTOR_SIZE) -> None:
        self.sector_size = sector_size
        self.readonly = readonly
        self.sectors = size // sector_size * (sector_size // SECTOR_SIZE)

    def read(self, sector: int, buffers: Sequence[memoryview]) -> None:  # noqa: ARG002 - it is the same everywhere
        """Fill buffers with zeros."""
        for buffer in buffers:
            buffer[:] = bytes(len(buffer))

    def write(self, sector: int, buffers: Sequence[memoryview]) -> None:
        """Forget it."""

    def flush(self) -> None:
        """Do nothing."""

    def discard(self, sector: int, count: int, *, secure: bool = False) -> None:
        """Do nothing."""

    def refresh(self) -> bool:
        """Nothing does not grow."""
        return False

    def abandon(self) -> None:
        """Do nothing: nothing waits."""

    def close(self) -> None:
        """Do nothing."""
