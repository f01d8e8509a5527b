"""Lanes whose frames have a virtio_net_hdr before them, by records: what is plain is compiled (`plain`).

Law: frames stay in their order, whichever way each of them goes.
"""

import os
from collections.abc import Sequence

from pvdrivers.net import virtio
from pvdrivers.net.errors import Unfit
from pvdrivers.net.frame import Abilities, Frame
from pvdrivers.net.ports.headed import HeadedLane, Line
from pvdrivers.net.ports.plain.line import PlainLine
from pvdrivers.net.record import RECORD, pack, unpack


class PackedHeadedLane(HeadedLane):
    """A lane. The line is its own from now on.

    :param plain: reads from the same descriptor, and writes to it
    """

    def __init__(
        self, name: str, line: Line, plain: PlainLine, abilities: Abilities, reader: Abilities, *, receives: bool
    ) -> None:
        super().__init__(name, line, abilities, reader, receives=receives)
        self._plain = plain
        #: Where frames are received.
        self.arena = plain.arena

    def receive(self, limit: int) -> Sequence[Frame]:
        """Read frames, as `receive_packed` does.

        :raises MachineError: the device is gone
        """
        records = memoryview(bytearray(limit * RECORD.size))
        return unpack(self.arena, records[: self.receive_packed(records) * RECORD.size])

    def receive_packed(self, records: memoryview) -> int:
        """Read frames.

        :raises MachineError: the device is gone
        """
        if not self._receives:
            return 0
        plain, limit = self._plain, len(records) // RECORD.size
        plain.clear()
        count = self._over(records, limit)
        while count < limit and not self._fitted:
            read = plain.read(records[count * RECORD.size :])
            count += read
            self.stats.received += read
            self.stats.syscalls += plain.syscalls
            self.stats.lost += plain.lost
            self.stats.finished += plain.finished
            if plain.failed:
                self._ended(OSError(plain.failed, os.strerror(plain.failed)))
            if not plain.left:
                break
            frame = virtio.read(*plain.rest)
            if isinstance(frame, Unfit):
                self.stats.lost += 1
            else:
                self._fitted.add(frame)
            count += self._over(records[count * RECORD.size :], limit - count)
        return count

    def _over(self, records: memoryview, limit: int) -> int:
        # Lays frames that were finished or cut.
        count = 0
        while self._fitted and count < limit and self._plain.roomy:
            (frame,) = self._fitted.take(1, lambda: None)
            record = pack([frame], self._plain.keep(frame.data))
            records[count * RECORD.size :][: RECORD.size] = record
            count += 1
        return count

    def send_packed(self, arena: memoryview, records: memoryview) -> None:
        """Write frames.

        :raises MachineError: the device is gone
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
