"""A lane whose other side is the test."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from pvdrivers.errors import MachineError
from pvdrivers.net.frame import Abilities, Frame
from pvdrivers.net.ports.base import Lane, PortLost, PortStats
from pvdrivers.net.record import RECORD, pack, unpack

#: Seconds after which nothing comes any more.
STUCK = 600.0


def taken(lane: Lane, frames: Sequence[Frame]) -> int:
    """Send frames; give how many were taken."""
    before = lane.stats.sent
    lane.send(frames)
    return lane.stats.sent - before


class TestsLane:
    """Gives what it was given, and keeps what it is sent."""

    __test__ = False

    def __init__(self) -> None:
        self.stats = PortStats()
        self.closed = False
        self._waiting: deque[Frame] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._changed = threading.Condition()
        self._sent: list[Frame] = []

    def fileno(self) -> int:
        return self._wake

    def receive(self, limit: int) -> Sequence[Frame]:
        with self._changed:
            found = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
            if not self._waiting:
                with suppress(BlockingIOError):
                    os.eventfd_read(self._wake)
        return found

    def send(self, frames: Sequence[Frame]) -> None:
        with self._changed:
            self._sent += [frame._replace(data=bytes(frame.data)) for frame in frames]
            self._changed.notify_all()

    def close(self) -> None:
        self.closed = True
        os.close(self._wake)

    def give(self, frames: Iterable[Frame]) -> None:
        with self._changed:
            self._waiting.extend(frames)
            os.eventfd_write(self._wake, 1)

    @property
    def left(self) -> int:
        """How many were not taken."""
        return len(self._waiting)

    @property
    def count(self) -> int:
        """How many were sent."""
        return len(self._sent)

    def got(self, count: int) -> list[Frame]:
        """Wait until so many were sent, and give all that were."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._sent) >= count, STUCK), len(self._sent)
            return list(self._sent)


class TestsPackedLane(TestsLane):
    """The same by records as well; ``packed`` tells how many frames went each way so."""

    def __init__(self) -> None:
        super().__init__()
        self.packed = [0, 0]
        self.arena = memoryview(bytearray())

    def receive_packed(self, records: memoryview) -> int:
        frames = self.receive(len(records) // RECORD.size)
        self.packed[0] += len(frames)
        self.arena = memoryview(bytearray().join(frame.data for frame in frames))
        records[: len(frames) * RECORD.size] = pack(frames)
        return len(frames)

    def send_packed(self, arena: memoryview, records: memoryview) -> None:
        frames = unpack(arena, records)
        self.packed[1] += len(frames)
        self.send(frames)


class TestsPort:
    """A port of such lanes; ``lanes`` has those that were opened last.

    :param make: makes a lane
    """

    __test__ = False
    name = "test"
    abilities = Abilities(True, True, True, True, 65549)

    def __init__(self, make: Callable[[], TestsLane] = TestsLane) -> None:
        self._make = make
        self.carrier = True
        self.lanes: list[TestsLane] = []
        self.readers: list[Abilities] = []
        self.closed = 0

    def open(self, lanes: int, reader: Abilities) -> Sequence[TestsLane]:
        self.lanes = [self._make() for _ in range(lanes)]
        self.readers.append(reader)
        return self.lanes

    def close(self) -> None:
        self.closed += 1


class Vanishing(TestsPort):
    """A port that is not there while it is ``gone``."""

    def __init__(self) -> None:
        super().__init__(self._lane)
        self.gone = False

    def _lane(self) -> TestsLane:
        port = self

        class Lane(TestsLane):
            def receive(self, limit: int) -> Sequence[Frame]:
                port.tell()
                return super().receive(limit)

            def send(self, frames: Sequence[Frame]) -> None:
                port.tell()
                super().send(frames)

        return Lane()

    def tell(self) -> None:
        if self.gone:
            raise PortLost("the test is gone")

    def open(self, lanes: int, reader: Abilities) -> Sequence[TestsLane]:
        if self.gone:
            raise MachineError("no test: make one")
        return super().open(lanes, reader)
