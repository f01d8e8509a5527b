from collections.abc import Callable

from pvdrivers.net.plain import Held, Posted

class Passed(Held):
    packets: int
    volume: int
    slots: int
    errors: int
    copied: int
    calls: int
    def __init__(self, copy: Callable[[memoryview, memoryview], object], posted: Posted, batch: int) -> None: ...
    @property
    def needed(self) -> int: ...
    def lay(self, arena: memoryview) -> bytes: ...
