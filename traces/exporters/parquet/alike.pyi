from collections.abc import Callable, Sequence

ALIKE: int
BY_FIELD: int
BY_HYPERCALL: int

class KindTable:
    def __init__(
        self,
        describe: Callable[
            [int, int, bytes], tuple[bool, Sequence[bytes | None], Sequence[tuple[int, int, int, bool, int, int]]]
        ],
        told_by: Callable[[int, int], tuple[int, int, int]],
        names: int,
        numbers: int,
    ) -> None: ...
