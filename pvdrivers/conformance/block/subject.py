"""What a disk's driver under test is to the kit: disks that it serves or uses, and what they lie on.

Law: these are protocols, as `pvdrivers.conformance.subject` has them.
"""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from pvdrivers.abi.blkif import SECTOR_SIZE, BlkifOp
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance.subject import Bench
from pvdrivers.transport.base import Transport
from pvdrivers.xenstore.client import Client

#: Of the disk that most cases want.
SECTORS = 2048


@dataclass(frozen=True)
class Disk:
    """A disk that a case wants served; its content is `content`.

    :param watched: whether the case wants to see what becomes of the medium (`Medium.between`), where that can be
    """

    sectors: int = SECTORS
    sector_size: int = SECTOR_SIZE
    readonly: bool = False
    watched: bool = False


def content(sector: int, count: int) -> bytes:
    """Give what a case's disk holds: each sector says which one it is."""
    return b"".join((0x5EC7_0000_0000 + each).to_bytes(8, "little") * 64 for each in range(sector, sector + count))


class Medium(Protocol):
    """What a disk under test lies on, seen past its driver."""

    def peek(self, sector: int, count: int) -> bytes:
        """Give what sectors hold."""
        ...

    def resize(self, sectors: int) -> None:
        """Make the medium larger or smaller; its driver may learn of it or not."""
        ...

    @property
    def between(self) -> "Hook | None":
        """A way to be called between a request's check and its end; None where there is none."""
        ...


class Hook(Protocol):
    """Calls back as the medium is used, in the driver's thread: what it has checked is checked, and not answered."""

    def __call__(self, call: Callable[[str, int], object]) -> None:
        """From now on tell this what is done, before it is: ``read``, ``write``, ``flush``, ``discard``; and where."""
        ...


@dataclass(frozen=True)
class Served:
    """A device whose backend is under test; the frontend's half is the kit's.

    :param transport: of the frontend's domain, for this device alone: its end is the frontend's death
    :param stranger: a domain that is neither end's
    :param toolstack: XenStore as the backend's domain sees it
    """

    spot: Spot
    transport: Transport
    medium: Medium
    stranger: int
    toolstack: Client


class NotSupported(Exception):
    """The frontend says that its backend does not do that."""


class DiskUser(Protocol):
    """Who uses a disk through the frontend under test."""

    def start(self, operation: BlkifOp, offset: int = 0, length: int = 0, data: bytes = b"") -> "Future[bytes]":
        """Begin an operation, of bytes; what is read is its result.

        It fails with `NotSupported`, or any other exception that says what happened.
        """
        ...

    @property
    def sectors(self) -> int:
        """The disk's size, as its user sees it."""
        ...


@dataclass(frozen=True)
class Used:
    """A device whose frontend is under test; the backend's half is the kit's.

    :param transport: of the backend's domain, for this device alone: its end is the backend's death
    """

    spot: Spot
    transport: Transport
    user: DiskUser


class BackBench(Bench, Protocol):
    """A backend of disks under test."""

    def served(self, disk: Disk) -> AbstractContextManager[Served]:
        """Plug in a disk; it is gone at the end."""
        ...


class FrontBench(Bench, Protocol):
    """A frontend of disks under test."""

    def used(self) -> AbstractContextManager[Used]:
        """Plug in a disk without a backend; it is gone at the end."""
        ...
