"""What a driver stands on while it is fuzzed: memory of its peer's, of which every byte outside what it may touch is
looked at; rings that are written without a rule; and a peer that changes slots whenever the driver copies.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from random import Random
from struct import Struct

from pvdrivers.abi.grants import GntSt
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.net.frame import Frame, Offload
from pvdrivers.net.ports.base import PortStats
from pvdrivers.net.record import RECORD, pack, unpack
from pvdrivers.transport.base import PIECE, Piece

#: References of pages that are granted begin here.
FIRST = 1000
_WORD = Struct("<I")
_HEADER = 64
#: Bytes of the header that are the driver's own to write: which messages it wants to be told of.
_REQ_EVENT, _RSP_EVENT = slice(4, 8), slice(12, 16)


class Wrong(AssertionError):
    """The driver did what it must not."""


def hold(sound: bool, what: str, *figures: object) -> None:
    """Hold something, cheaply.

    :raises Wrong: it is not so
    """
    if not sound:
        raise Wrong(f"{what}: {', '.join(map(str, figures))}")


def brief(frames: Iterable[tuple[bytes, object, object]]) -> list[tuple[int, str, object, object]]:
    """Give what tells frames apart, in few words."""
    return [(len(data), data[:8].hex(), offload, flow) for data, offload, flow in frames]


class Peer:
    """Pages of a peer's, and copies to and from them as a hypervisor makes them.

    :param data: what they hold; all of it is granted, for reading and writing
    :param meanwhile: called in the middle of each copy; given whether it is into these pages
    """

    def __init__(self, data: bytes, meanwhile: Callable[[bool], None]) -> None:
        self.bytes = bytearray(data)
        self.memory = memoryview(self.bytes)
        #: What they have to be.
        self.mirror = bytearray(self.bytes)
        self._before = memoryview(self.mirror)
        self._end = FIRST + len(data) // PAGE_SIZE
        self._meanwhile = meanwhile

    def page(self, gref: int) -> memoryview | None:
        """Give a page, if it is granted."""
        if not FIRST <= gref < self._end:
            return None
        at = (gref - FIRST) * PAGE_SIZE
        return self.memory[at : at + PAGE_SIZE]

    def before(self, gref: int) -> memoryview | None:
        """Give a page as it has to be, if it is granted."""
        if not FIRST <= gref < self._end:
            return None
        at = (gref - FIRST) * PAGE_SIZE
        return self._before[at : at + PAGE_SIZE]

    def expect(self, gref: int, offset: int, data: bytes) -> None:
        """Take note of what has to be written."""
        at = (gref - FIRST) * PAGE_SIZE + offset
        self.mirror[at : at + len(data)] = data

    def check(self) -> None:
        """Hold that nothing else was written."""
        if self.bytes != self.mirror:
            at = next(at for at, (one, other) in enumerate(zip(self.bytes, self.mirror, strict=True)) if one != other)
            hold(False, "a byte of the peer's is another", at // PAGE_SIZE, at % PAGE_SIZE)

    # As much of a transport as a backend asks for.

    def copy_from(self, _domid: int, pieces: Sequence[Piece], memory: memoryview) -> list[int]:
        """Copy out of pages."""
        return [self._copy(*piece, memory, False) for piece in pieces]

    def copy_to(self, _domid: int, pieces: Sequence[Piece], memory: memoryview) -> list[int]:
        """Copy into pages."""
        return [self._copy(*piece, memory, True) for piece in pieces]

    def copy(self, _domid: int, batch: memoryview, memory: memoryview, *, into_peer: bool) -> None:
        """Copy packed pieces."""
        for at in range(0, len(batch), PIECE.size):
            gref, offset, length, place, _ = PIECE.unpack_from(batch, at)
            status = self._copy(gref, offset, place, length, memory, into_peer)
            PIECE.pack_into(batch, at, gref, offset, length, place, status)

    def _copy(self, gref: int, offset: int, place: int, length: int, memory: memoryview, into_peer: bool) -> int:
        self._meanwhile(into_peer)
        if not (0 < length <= PAGE_SIZE - offset and place + length <= len(memory)):
            raise Wrong(f"a copy of {length} bytes at {offset}, for {place} of {len(memory)}")
        page = self.page(gref)
        if page is None:
            return GntSt.BAD_GNTREF
        if into_peer:
            page[offset : offset + length] = memory[place : place + length]
        else:
            memory[place : place + length] = page[offset : offset + length]
        return GntSt.OKAY


class RawRing:
    """A ring's page as a peer has it who keeps to nothing; it can be either end.

    :param page: the ring's, initialised if it is the driver that asks
    :param stride: bytes of a slot
    :param own: bytes of a message that the peer writes, and of the driver's
    :param front: whether the peer asks, and not answers
    """

    def __init__(
        self, chance: Random, page: "Pages", stride: int, own: int, drivers: int, *, front: bool, start: int = 0
    ) -> None:
        # Compared as it is: of memoryviews each byte is compared by itself.
        self.bytes = page.bytes
        self.memory = page.memory
        #: What it has to be.
        self.mirror = bytearray(page.bytes)
        self.count = {12: 256, 8: 256, 16: 128}[stride]
        self.stride, self.own, self.drivers = stride, own, drivers
        self._own_at, self._drivers_at = (0, 8) if front else (8, 0)
        self._drivers_event = _REQ_EVENT if front else _RSP_EVENT
        #: Messages that the peer, and the driver, have ever put, from ``start`` on.
        self.put_, self.taken = start, start
        # Of those that were put last.
        self._first = start
        self._front = front
        self._junk = chance.randbytes(PAGE_SIZE)
        if front:
            self._write(_HEADER, self._junk[_HEADER:])
            for at in (0, 8):
                self._write(at, _WORD.pack(start))

    def _write(self, at: int, data: bytes) -> None:
        self.memory[at : at + len(data)] = data
        self.mirror[at : at + len(data)] = data

    def put(self, messages: bytes) -> None:
        """Put messages, and show them."""
        self._first = self.put_
        for at in range(0, len(messages), self.own):
            place = _HEADER + self.put_ % self.count * self.stride
            self._write(place, messages[at : at + self.own])
            self.put_ = self.put_ + 1 & 0xFFFFFFFF
        self.claim(self.put_)

    def claim(self, index: int) -> None:
        """Claim to have put messages up to an index."""
        self._write(self._own_at, _WORD.pack(index & 0xFFFFFFFF))

    def flip(self) -> None:
        """Change slots under the driver's hands: requests that are not answered, or answers that were put last."""
        first = _WORD.unpack_from(self.memory, self._drivers_at)[0] if self._front else self._first
        at = first % self.count
        left = self.put_ - first & 0xFFFFFFFF
        while left:
            number = min(left, self.count - at)
            place = _HEADER + at * self.stride
            self._write(place, self._junk[place : place + number * self.stride])
            left, at = left - number, 0

    def take(self, sound: bytes) -> None:
        """Take the driver's messages, and hold that they are these and all that it has written.

        :raises Wrong: they are not
        """
        size = self.drivers
        for at in range(0, len(sound), size):
            place = _HEADER + self.taken % self.count * self.stride
            self.mirror[place : place + size] = sound[at : at + size]
            self.taken = self.taken + 1 & 0xFFFFFFFF
        self.mirror[self._drivers_at : self._drivers_at + 4] = _WORD.pack(self.taken)
        self.mirror[self._drivers_event] = self.memory[self._drivers_event]
        if self.bytes != self.mirror:
            self._differs(len(sound) // size)

    def _differs(self, count: int) -> None:
        (index,) = _WORD.unpack_from(self.memory, self._drivers_at)
        hold(index == self.taken, "the driver's producer index", index, self.taken, count)
        at = next(at for at in range(PAGE_SIZE) if self.memory[at] != self.mirror[at])
        slot = max(at - _HEADER, 0) // self.stride
        begin = _HEADER + slot * self.stride
        found, expected = (bytes(each[begin : begin + self.stride]) for each in (self.memory, self.mirror))
        hold(False, "a slot of the ring", slot, found.hex(), expected.hex())

    def new(self) -> bytes:
        """Give what the driver has put, whatever it is; for who judges it afterwards."""
        (index,) = _WORD.unpack_from(self.memory, self._drivers_at)
        count = index - self.taken & 0xFFFFFFFF
        hold(count <= self.count, "the driver's producer index", index, self.taken)
        size = self.drivers
        places = (_HEADER + (self.taken + at) % self.count * self.stride for at in range(count))
        return b"".join(bytes(self.memory[place : place + size]) for place in places)


class Line:
    """A channel that nobody hears: a driver is run turn by turn here."""

    port = 1

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """Give a descriptor."""
        return self._fd

    def notify(self) -> None:
        """Do nothing."""

    def take(self) -> bool:
        """Give nothing."""
        return False

    def wait(self, timeout: float | None = None) -> bool:
        """Give nothing."""
        return timeout is None

    def unmask(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)


class Pages:
    """Memory as a transport gives it, of one page or many."""

    def __init__(self, grefs: Sequence[int] = (0,)) -> None:
        self.bytes = bytearray(len(grefs) * PAGE_SIZE)
        self.memory, self.grefs = memoryview(self.bytes), grefs

    def unmap(self) -> None:
        """Do nothing."""

    revoke = unmap


class ListLane:
    """Gives frames that it is given, and keeps what it is sent.

    :param meanwhile: called at each call; given whether frames are sent, or asked for
    """

    def __init__(self, meanwhile: Callable[[bool], None]) -> None:
        self.stats = PortStats()
        self.waiting: deque[Frame] = deque()
        self.sent: list[tuple[bytes, Offload, object]] = []
        self._meanwhile = meanwhile

    def fileno(self) -> int:
        """Give no descriptor: frames are looked for."""
        return -1

    def receive(self, limit: int) -> Sequence[Frame]:
        """Take frames."""
        self._meanwhile(False)
        waiting = self.waiting
        return [waiting.popleft() for _ in range(min(limit, len(waiting)))]

    def send(self, frames: Sequence[Frame]) -> None:
        """Keep frames."""
        self.sent += [(bytes(frame.data), frame.offload, frame.hash) for frame in frames]
        self._meanwhile(True)

    def close(self) -> None:
        """Do nothing."""


class RecordLane(ListLane):
    """The same by records."""

    def __init__(self, meanwhile: Callable[[bool], None]) -> None:
        super().__init__(meanwhile)
        self.arena = memoryview(bytearray(3 * (1 << 17)))

    def receive_packed(self, records: memoryview) -> int:
        """Take frames."""
        if not self.waiting:
            return 0
        frames = self.receive(min(len(records) // RECORD.size, 3))
        packed = pack(frames, 7)
        records[: len(packed)] = packed
        data = b"".join(frame.data for frame in frames)
        self.arena[7 : 7 + len(data)] = data
        return len(frames)

    def send_packed(self, arena: memoryview, records: memoryview) -> None:
        """Keep frames."""
        self.send(unpack(arena, records))
