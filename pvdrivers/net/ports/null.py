"""A port with nobody behind it: takes all, and gives nothing. What costs time then are the rings."""

from collections.abc import Sequence

from pvdrivers.net.frame import Abilities, Frame
from pvdrivers.net.ports.base import ALL, PortStats
from pvdrivers.net.record import RECORD


class Null:
    """The port."""

    name = "null"
    abilities = ALL
    carrier = True

    def open(self, lanes: int, reader: Abilities) -> Sequence["NullLane"]:
        """Begin to take frames."""
        del reader
        return [NullLane() for _ in range(lanes)]

    def close(self) -> None:
        """Do nothing."""


class NullLane:
    """One of its lanes."""

    def __init__(self) -> None:
        self.stats = PortStats()
        #: Nothing ever lies there.
        self.arena = memoryview(bytearray())

    def fileno(self) -> int:
        """Nothing ever comes."""
        return -1

    def receive(self, limit: int) -> Sequence[Frame]:
        """Give nothing."""
        del limit
        return ()

    def send(self, frames: Sequence[Frame]) -> None:
        """Take all."""
        self.stats.sent += len(frames)

    def receive_packed(self, records: memoryview) -> int:
        """Give nothing."""
        del records
        return 0

    def send_packed(self, arena: memoryview, records: memoryview) -> None:
        """Take all."""
        del arena
        self.stats.sent += len(records) // RECORD.size

    def close(self) -> None:
        """Do nothing."""
