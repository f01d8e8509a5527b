from collections.abc import Iterable

from pvdrivers.net.front.pool import Pool
from pvdrivers.net.plain import Held
from pvdrivers.net.ports.plain.single import SingleLine

#: Pages that a frame takes of which nothing is known.
PAGES: int

class Asked:
    extras: int
    def add(self, ident: int) -> None: ...
    def discard(self, idents: Iterable[int]) -> None: ...
    def __contains__(self, ident: object) -> bool: ...
    def __len__(self) -> int: ...

class Sending(Held):
    packets: int
    size: int
    slots: int
    errors: int
    failed: int
    full: bool
    def __init__(self, pool: Pool, asked: Asked, batch: int) -> None: ...
    def form(self, arena: memoryview, room: int) -> bytes: ...
    def read(self, line: SingleLine, room: int) -> bytes: ...
    def answered(self, responses: bytes) -> bool: ...
