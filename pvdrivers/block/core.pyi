from collections.abc import Sequence
from typing import Protocol

from pvdrivers.abi.blkif import Blkif
from pvdrivers.block.disks.base import Disk
from pvdrivers.transport.base import Mapping

class Ferry(Protocol):
    """How pages that are not kept are had."""

    maps: bool

    def move(self, batch: memoryview, memory: memoryview, into_peer: bool) -> None:
        """Copy packed pieces (`pvdrivers.transport.base.PIECE`), which take their statuses."""
        ...

    def map(self, grefs: Sequence[int], writable: bool) -> Mapping: ...
    def unmap(self, mapping: Mapping, pages: int) -> None: ...

class Core:
    reads: int
    writes: int
    sectors_read: int
    sectors_written: int
    errors: int
    def __init__(
        self,
        layout: Blkif,
        disk: Disk,
        max_indirect: int,
        limit: int,
        wake: int,
        ferry: Ferry | None = None,
        slots: int = 32,
    ) -> None: ...
    def close(self) -> None: ...
    def learn(self, gref: int, memory: memoryview) -> None: ...
    def forget(self, gref: int) -> bool: ...
    def oldest(self) -> int | None: ...
    def serve(self, messages: bytes, sectors: int) -> tuple[bytes, bytes]: ...
    def work(self) -> None: ...
    def collect(self) -> bytes: ...
    def end(self) -> None: ...
    @property
    def pending(self) -> int: ...
    @property
    def syscalls(self) -> int: ...
