"""What a queue stands on, without a machine: memory for rings, pages by their gref, a lane of records and of lists."""

import os
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pvdrivers.abi.grants import GntSt
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.net.frame import Frame, Offload
from pvdrivers.net.ports.base import PortStats
from pvdrivers.net.record import RECORD, pack, unpack
from pvdrivers.transport.base import PIECE, Piece

ROOM = 1 << 20


@dataclass
class Memory:
    """Of a ring: granted, or mapped."""

    memory: memoryview = field(default_factory=lambda: memoryview(bytearray(PAGE_SIZE)))

    def unmap(self) -> None:
        pass


class Line:
    """A channel that nobody hears."""

    port = 1

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK)

    def fileno(self) -> int:
        return self._fd

    def notify(self) -> None:
        pass

    def take(self) -> bool:
        return False

    def unmask(self) -> None:
        pass

    def close(self) -> None:
        os.close(self._fd)


class Grants:
    """Pages of a frontend's, each there when it is asked for, but for those that are bad."""

    def __init__(self, bad: Iterable[int] = ()) -> None:
        self._bad = frozenset(bad)
        self.pages: dict[int, bytearray] = {}

    def page(self, gref: int) -> bytearray:
        # No two are alike, nor two stretches of one.
        return self.pages.setdefault(
            gref, bytearray(b"".join((gref << 12 | at).to_bytes(4, "big") for at in range(0, PAGE_SIZE, 4)))
        )

    def copy_from(self, _domid: int, pieces: Sequence[Piece], memory: memoryview) -> list[int]:
        return [self._copy(piece, memory, into_peer=False) for piece in pieces]

    def copy_to(self, _domid: int, pieces: Sequence[Piece], memory: memoryview) -> list[int]:
        return [self._copy(piece, memory, into_peer=True) for piece in pieces]

    def copy(self, _domid: int, batch: memoryview, memory: memoryview, *, into_peer: bool) -> None:
        for at in range(0, len(batch), PIECE.size):
            gref, offset, length, place, _ = PIECE.unpack_from(batch, at)
            status = self._copy(Piece(gref, offset, place, length), memory, into_peer=into_peer)
            PIECE.pack_into(batch, at, gref, offset, length, place, status)

    def _copy(self, piece: Piece, memory: memoryview, *, into_peer: bool) -> int:
        assert 0 < piece.length <= PAGE_SIZE - piece.offset
        assert piece.place + piece.length <= len(memory)
        if piece.gref in self._bad:
            return GntSt.BAD_GNTREF
        ours = slice(piece.place, piece.place + piece.length)
        theirs = slice(piece.offset, piece.offset + piece.length)
        if into_peer:
            self.page(piece.gref)[theirs] = memory[ours]
        else:
            memory[ours] = self.page(piece.gref)[theirs]
        return GntSt.OKAY


class ListLane:
    """Gives the frames that it is given, and keeps those that it is sent."""

    def __init__(self) -> None:
        self.stats = PortStats()
        self.waiting: deque[Frame] = deque()
        self.sent: list[tuple[bytes, Offload, object]] = []

    def fileno(self) -> int:
        return -1

    def receive(self, limit: int) -> Sequence[Frame]:
        return [self.waiting.popleft() for _ in range(min(limit, len(self.waiting)))]

    def send(self, frames: Sequence[Frame]) -> None:
        self.sent += [(bytes(frame.data), frame.offload, frame.hash) for frame in frames]

    def close(self) -> None:
        pass


class RecordLane(ListLane):
    """The same by records."""

    def __init__(self) -> None:
        super().__init__()
        self.arena = memoryview(bytearray(ROOM))

    def receive_packed(self, records: memoryview) -> int:
        frames: list[Frame] = []
        size = 0
        while self.waiting and len(frames) < len(records) // RECORD.size:
            size += len(self.waiting[0].data)
            if size > ROOM - 7:
                break
            frames.append(self.waiting.popleft())
        packed = pack(frames, 7)
        records[: len(packed)] = packed
        data = b"".join(frame.data for frame in frames)
        self.arena[7 : 7 + len(data)] = data
        return len(frames)

    def send_packed(self, arena: memoryview, records: memoryview) -> None:
        self.send(unpack(arena, records))


@dataclass
class Pages:
    """Pages that are granted, which nobody else is told of."""

    grefs: Sequence[int]
    memory: memoryview

    def revoke(self) -> None:
        pass


class Giver:
    """A transport for a frontend: it grants, and has channels."""

    def __init__(self) -> None:
        self.granted: list[Pages] = []

    def grant(self, _domid: int, pages: int = 1, *, writable: bool = True) -> Pages:
        first = 1000 * len(self.granted) + 8 * writable
        self.granted.append(Pages(range(first, first + pages), memoryview(bytearray(pages * PAGE_SIZE))))
        return self.granted[-1]

    def alloc_unbound(self, _domid: int) -> Line:
        return Line()
