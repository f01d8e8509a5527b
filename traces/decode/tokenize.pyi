from numpy import uint8, uint16, uint32, uint64
from numpy.typing import NDArray

DAMAGE_CODES: tuple[str, ...]

class Tokenizer:
    @property
    def offset(self) -> int: ...
    @property
    def records(self) -> int: ...
    @property
    def skipped_bytes(self) -> int: ...
    @property
    def watermark(self) -> int: ...
    @property
    def lost_records(self) -> int: ...
    @property
    def clock_restarted(self) -> bool: ...
    @property
    def pcpus(self) -> list[int]: ...
    @property
    def damages(self) -> dict[str, tuple[int, int]]: ...
    def tokenize(
        self,
        data: bytes | memoryview,
        tsc: NDArray[uint64],
        event: NDArray[uint32],
        words: NDArray[uint8],
        timed: NDArray[uint8],
        pcpu: NDArray[uint16],
        domid: NDArray[uint16],
        vcpu: NDArray[uint16],
        offset: NDArray[uint64],
    ) -> tuple[int, int]: ...
    def finish(self, rest: int) -> None: ...
