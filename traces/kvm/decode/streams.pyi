from collections.abc import Iterator, Sequence

from numpy import int32, int64, uint8, uint16, uint32, uint64
from numpy.typing import NDArray

def tally(piece: bytes, page_size: int, before: int = 0) -> tuple[int, int]: ...

class Streams:
    def __init__(self, page_sizes: Sequence[int], cpus: Sequence[int]) -> None: ...
    @property
    def bytes(self) -> int: ...
    @property
    def damages(self) -> list[tuple[str, int, int]]: ...
    @property
    def skipped_bytes(self) -> int: ...
    @property
    def lost(self) -> int: ...

class Columns(Streams):
    def fill(
        self,
        pieces: Sequence[Iterator[bytes]],
        ts: NDArray[uint64],
        event: NDArray[uint16],
        pid: NDArray[int32],
        cpu: NDArray[uint16],
        offset: NDArray[uint64],
        place: NDArray[int64],
        length: NDArray[uint32],
        data: NDArray[uint8],
        limit: int = ...,
    ) -> int: ...
