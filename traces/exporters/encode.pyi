from collections.abc import Callable, Iterable, Sequence

ALIKE: int
BY_FIELD: int
BY_HYPERCALL: int
PLAIN: int
DELTA_BINARY_PACKED: int
RLE_DICTIONARY: int

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
    def __init__(
        self,
        describe: Callable[
            [int, int, bytes], tuple[bool, Sequence[bytes | None], Sequence[tuple[int, int, int, bool, int, int]]]
        ],
        told_by: Callable[[int, int], tuple[int, int, int]],
        choice: Choice,
        hz: float,
        rows: int,
        names: int,
        sizes: Sequence[int],
    ) -> None: ...
    def encode(
        self, events: bytes, first: int, last: int, data: bytearray, base: int, start: int, begin: int
    ) -> tuple[int, int, bytes, list[tuple[int, int, int, int, int, tuple[int, int] | None]]]: ...
