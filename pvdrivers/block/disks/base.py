"""What a disk is to a backend, and to those who make one.

Law: what a disk is asked for lies within it and is aligned: `request.parse` sees to that. What its file or server then
says is an OSError, and becomes an error response.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol


class Kind(IntEnum):
    """What compiled code can go at itself."""

    NONE = 0
    NULL = 1
    MEMORY = 2
    FILE = 3


class Medium(NamedTuple):
    """How compiled code gets at a disk without asking it."""

    kind: Kind = Kind.NONE
    memory: memoryview | None = None
    fd: int = -1


class Disk(Protocol):
    """A disk. Sectors are of 512 bytes, whatever ``sector_size`` says.

    Several threads use it at once. Methods raise OSError.
    """

    #: How large it is, as far as known; `refresh` looks again.
    sectors: int
    #: Bytes, 512 or 4096, that all is aligned to.
    sector_size: int
    readonly: bool
    #: Whether `flush` makes a difference, or can be done at all.
    flushes: bool
    discards: bool
    #: Whether what is discarded so cannot be had back.
    secure: bool
    #: Bytes that are discarded as one.
    granularity: int
    #: Threads that are worth having, since requests wait; 0 if none does.
    parallel: int
    medium: Medium
    #: Why no request can succeed any more.
    trouble: str | None

    def read(self, sector: int, buffers: Sequence[memoryview]) -> None:
        """Fill buffers, one after the other."""
        ...

    def write(self, sector: int, buffers: Sequence[memoryview]) -> None:
        """Write buffers, one after the other."""
        ...

    def flush(self) -> None:
        """Make durable all that was written and has returned by now."""
        ...

    def discard(self, sector: int, count: int, *, secure: bool = False) -> None:
        """Forget sectors; what is read there afterwards is old, or zero."""
        ...

    def refresh(self) -> bool:
        """Look how large it is now; tell whether that has changed."""
        ...

    def abandon(self) -> None:
        """Let what is under way fail, as far as that can be; from any thread."""
        ...

    def close(self) -> None:
        """Let go of it. Nothing is under way by then."""
        ...
