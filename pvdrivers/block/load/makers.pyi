class Load:
    done: int
    requests: int
    answers: int
    errors: int
    longest: int
    pending: int
    def __init__(
        self,
        messages: bytes,
        size: int,
        parts: int,
        offsets: tuple[int, int, int, int, int],
        response_size: int,
        operation: int,
        places: int,
        step: int,
        random: bool,
        seed: int = ...,
    ) -> None: ...
    def ask(self, room: int) -> bytes: ...
    def answered(self, responses: bytes) -> None: ...
    @property
    def waiting(self) -> int: ...
    def latencies(self) -> list[tuple[int, int, int]]: ...
