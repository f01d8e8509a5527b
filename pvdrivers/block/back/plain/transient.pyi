from collections.abc import Sequence
from typing import Protocol

from pvdrivers.abi.blkif import Blkif
from pvdrivers.block.back.plain.core import Core
from pvdrivers.block.disks.base import Disk
from pvdrivers.transport.base import Mapping

class Access(Protocol):
    """How pages that are not kept are had."""

    maps: bool

    def move(self, batch: memoryview, memory: memoryview, into_peer: bool) -> None:
        """Copy packed pieces (`pvdrivers.transport.base.PIECE`), which take their statuses."""
        ...

    def map(self, grefs: Sequence[int], writable: bool) -> Mapping: ...
    def unmap(self, mapping: Mapping, pages: int) -> None: ...

class TransientCore(Core):
    def __init__(self, layout: Blkif, disk: Disk, max_indirect: int, wake: int, access: Access, slots: int) -> None: ...
    def serve(self, messages: bytes, sectors: int) -> tuple[bytes, bytes]: ...
    def collect(self) -> bytes: ...
