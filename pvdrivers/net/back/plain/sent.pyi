from collections.abc import Callable

class Sent:
    arena: memoryview
    frames: int
    size: int
    used: int
    packets: int
    volume: int
    slots: int
    errors: int
    copied: int
    calls: int
    more: bool
    waits: bool
    def __init__(self, copy: Callable[[memoryview, memoryview], object]) -> None: ...
    def take(self, messages: bytes) -> tuple[bytes, int]: ...
    @property
    def records(self) -> memoryview: ...
    def close(self) -> None: ...
