"""Lanes whose frames go by records: what is plain is compiled (`plain`), and the rest goes by the reference.

Law: frames stay in their order, whichever way each of them goes.
"""

import os
from collections.abc import Callable, Sequence

from pvdrivers.net import virtio
from pvdrivers.net.errors import Unfit
from pvdrivers.net.frame import Abilities, Frame
from pvdrivers.net.ports.base import PortStats
from pvdrivers.net.ports.fitted import Fitted
from pvdrivers.net.ports.headed import HeadedLane, Line
from pvdrivers.net.ports.plain.line import PlainLine
from pvdrivers.net.ports.plain.single import SingleLine
from pvdrivers.net.record import RECORD, pack, unpack


class Receiving:
    """Frames from a line into its arena.

    :param left: gives the frame that the line has left
    :param ended: is told with which errno reading has ended
    """

    def __init__(
        self,
        line: PlainLine,
        fitted: Fitted,
        stats: PortStats,
        left: Callable[[], Frame | Unfit],
        ended: Callable[[int], None],
    ) -> None:
        self._line, self._fitted, self._stats, self._left, self._ended = line, fitted, stats, left, ended

    def receive(self, records: memoryview) -> int:
        """Take frames, as many as there is room for; give how many."""
        line, limit = self._line, len(records) // RECORD.size
        line.clear()
        count = self._over(records, limit)
        while count < limit and not self._fitted:
            read = line.read(records[count * RECORD.size :])
            count += read
            self.settle(read)
            if not line.left:
                break
            count += self._over(records[count * RECORD.size :], limit - count)
        return count

    def settle(self, read: int) -> None:
        """Take note of what was read from the line; a frame that it has left is to be received next.

        :param read: how many were received
        """
        line, stats = self._line, self._stats
        stats.received += read
        stats.syscalls += line.syscalls
        stats.lost += line.lost
        stats.finished += line.finished
        if line.failed:
            self._ended(line.failed)
        if not line.left:
            return
        frame = self._left()
        if isinstance(frame, Unfit):
            stats.lost += 1
        else:
            self._fitted.add(frame)

    def _over(self, records: memoryview, limit: int) -> int:
        # Lays frames that were finished or cut.
        count = 0
        while self._fitted and count < limit and self._line.roomy:
            (frame,) = self._fitted.take(1, lambda: None)
            record = pack([frame], self._line.keep(frame.data))
            records[count * RECORD.size :][: RECORD.size] = record
            count += 1
        return count

    def received(self, limit: int) -> Sequence[Frame]:
        """Take frames in a list."""
        records = memoryview(bytearray(limit * RECORD.size))
        return unpack(self._line.arena, records[: self.receive(records) * RECORD.size])


class PackedHeadedLane(HeadedLane):
    """A lane whose frames have a virtio_net_hdr before them. The line is its own from now on.

    :param plain: reads from the same descriptor, and writes to it
    """

    def __init__(
        self, name: str, line: Line, plain: PlainLine, abilities: Abilities, reader: Abilities, *, receives: bool
    ) -> None:
        super().__init__(name, line, abilities, reader, receives=receives)
        self._plain = plain
        #: Where frames are received.
        self.arena = plain.arena
        self._receiving = Receiving(plain, self._fitted, self.stats, lambda: virtio.read(*plain.rest), self._failed)

    def receive(self, limit: int) -> Sequence[Frame]:
        """Read frames.

        :raises PortLost: the device is gone
        """
        return self._receiving.received(limit) if self._receives else ()

    def receive_packed(self, records: memoryview) -> int:
        """Read frames.

        :raises PortLost: the device is gone
        """
        return self._receiving.receive(records) if self._receives else 0

    def _failed(self, number: int) -> None:
        self._ended(OSError(number, os.strerror(number)))

    def send_packed(self, arena: memoryview, records: memoryview) -> None:
        """Write frames.

        :raises PortLost: the device is gone
        """
        plain, count = self._plain, len(records) // RECORD.size
        done = dropped = 0
        while done < count:
            done += plain.write(arena, records[done * RECORD.size :])
            dropped += plain.dropped
            self.stats.syscalls += plain.syscalls
            self.stats.finished += plain.finished
            if plain.left:
                (frame,) = unpack(arena, records[done * RECORD.size :][: RECORD.size])
                dropped += not self._send(frame)
                done += 1
        self.stats.sent += count - dropped
        self.stats.dropped += dropped

    def close(self) -> None:
        """Give it back; not an error if it is closed."""
        super().close()
        self._plain.close()


class DirectLane(PackedHeadedLane):
    """One whose frames may be read right to where they are wanted, by whoever can."""

    def __init__(
        self, name: str, line: Line, plain: SingleLine, abilities: Abilities, reader: Abilities, *, receives: bool
    ) -> None:
        super().__init__(name, line, plain, abilities, reader, receives=receives)
        self._direct = plain

    @property
    def direct(self) -> SingleLine | None:
        """Give the line; None while a frame waits that comes before all that are read from it, or none come in here."""
        return self._direct if self._receives and not self._fitted else None

    def settle(self, read: int) -> None:
        """Take note of what was read from the line; `receive_packed` gives the frame that it has left.

        :param read: how many were received
        :raises PortLost: the device is gone
        """
        self._receiving.settle(read)
