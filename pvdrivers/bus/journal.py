"""What a killed backend's successor needs and no ring tells: of a disk's queue, which requests were not answered, say.

A frontend such as Linux's gives its disk up when the backend closes, and only stalls when that says nothing; so a
successor goes on with the same rings. Files live on a file system that outlives the process, not the machine (/run).

A file is locked by whoever serves its queue, so that there are never two.
"""

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.bus.toolstack import Spot
from pvdrivers.errors import MachineError

_MAGIC = b"xentool block journal 1\n"


class Journal:
    """The files of one device.

    :param directory: where the files of all are
    """

    def __init__(self, directory: Path, spot: Spot) -> None:
        self._directory = directory
        self._name = f"{spot.backend}-{spot.domid}-{spot.devid}"
        self._open: list[int] = []

    def begin(self, queue: int, identity: str, size: int) -> memoryview:
        """Make a queue's log, zero at first.

        :param identity: what a successor must find the same: grefs, port, protocol
        :raises MachineError: it cannot be made, or another process serves this queue
        """
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = self._locked(queue, os.O_CREAT)
            os.ftruncate(fd, 0)
            os.ftruncate(fd, PAGE_SIZE + size)
            memory = mmap.mmap(fd, PAGE_SIZE + size)
        except OSError as error:
            raise MachineError(f"no journal in {self._directory}: {error.strerror}") from error
        memory[: PAGE_SIZE // 2] = _head(identity).ljust(PAGE_SIZE // 2, b"\0")
        return memoryview(memory)[PAGE_SIZE:]

    def find(self, queue: int, identity: str, size: int) -> memoryview | None:
        """Give the log that a former life has left for the same queue; None if there is none.

        :raises MachineError: another process serves this queue
        """
        try:
            fd = self._locked(queue, 0)
            if os.fstat(fd).st_size != PAGE_SIZE + size:
                return None
            memory = mmap.mmap(fd, PAGE_SIZE + size)
        except OSError:
            return None
        if memory[: PAGE_SIZE // 2].rstrip(b"\0") != _head(identity).rstrip(b"\0"):
            return None
        return memoryview(memory)[PAGE_SIZE:]

    def hold(self) -> None:
        """Lock the device, of which nothing is kept: its rings tell a successor all.

        :raises MachineError: it cannot be, or another process serves it
        """
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._locked(0, os.O_CREAT)
        except OSError as error:
            raise MachineError(f"no lock in {self._directory}: {error.strerror}") from error

    def _locked(self, queue: int, flags: int) -> int:
        path = self._directory / f"{self._name}-{queue}"
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise MachineError(f"another process serves this device ({path})") from error
        self._open.append(fd)
        return fd

    def in_use(self) -> bool:
        """Tell whether another process serves this device."""
        try:
            for path in self._files():
                self._locked(int(path.name.rpartition("-")[2]), 0)
        except MachineError:
            return True
        except OSError:
            return False
        finally:
            self.leave()
        return False

    def leave(self) -> None:
        """Unlock the files, for a successor to find them."""
        while self._open:
            os.close(self._open.pop())

    def remove(self) -> None:
        """Remove the files: no successor has anything to go on with."""
        for path in list(self._files()):
            with suppress(OSError):
                path.unlink()
        self.leave()

    def _files(self) -> Iterator[Path]:
        return self._directory.glob(f"{self._name}-*")


def _head(identity: str) -> bytes:
    return (_MAGIC + identity.encode())[: PAGE_SIZE // 2]
