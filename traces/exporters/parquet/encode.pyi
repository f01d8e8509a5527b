from collections.abc import Iterable, Sequence
from mmap import mmap

from traces.exporters.parquet.alike import KindTable

PLAIN: int

class Choice:
    def __init__(
        self,
        domid: int | None = None,
        vcpus: Iterable[int] | None = None,
        pcpus: Iterable[int] | None = None,
        begin: int | None = None,
        end: int | None = None,
    ) -> None: ...

class Encoder:
    def __init__(self, kinds: KindTable, choice: Choice, hz: float, rows: int, sizes: Sequence[int]) -> None: ...
    def encode(
        self, events: memoryview, first: int, last: int, data: mmap, base: int, start: int, begin: int
    ) -> tuple[int, int, list[tuple[bytes | None, int, memoryview, list[int], int, tuple[int, int] | None]]]: ...
