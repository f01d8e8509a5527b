"""Lanes whose frames have a virtio_net_hdr before them, as Linux's TAPs and packet sockets have: one frame a call.

Law: no frame is read into less than the longest takes, since the kernel cuts it without a word; none is written that
the kernel could not be told of; and what it refuses is dropped and counted, unless the device is gone.
"""

import os
from collections.abc import Sequence
from errno import EAGAIN, EINVAL, EIO, EMSGSIZE, ENETDOWN, ENOBUFS, ENODEV, ENOMEM
from typing import Protocol

from pvdrivers.abi.virtio_net import HDR
from pvdrivers.net import virtio
from pvdrivers.net.errors import Unfit
from pvdrivers.net.fit import fit
from pvdrivers.net.frame import Abilities, Frame
from pvdrivers.net.ports.arena import ROOM, Arena
from pvdrivers.net.ports.base import PortLost, PortStats
from pvdrivers.net.ports.fitted import Fitted

#: Of a frame that is not taken: the device is down, its queue is full, or the kernel sees no sense in it.
_DROPPED = frozenset({EAGAIN, EINVAL, EIO, EMSGSIZE, ENETDOWN, ENOBUFS, ENOMEM})


class Line(Protocol):
    """What such frames are read from and written to. Methods raise OSError."""

    def fileno(self) -> int:
        """Give its descriptor."""
        ...

    def read(self, header: bytearray, room: memoryview) -> memoryview:
        """Read a frame into ``room``, what stands before it into ``header``; give the frame."""
        ...

    def write(self, header: bytes, data: bytes | memoryview) -> None:
        """Write a frame."""
        ...

    def gone(self) -> bool:
        """Tell whether what is called down has been removed."""
        ...

    def lost(self) -> int:
        """Tell how many frames came faster than they were read, since it was asked last."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class HeadedLane:
    """A lane. The line is its own from now on.

    :param name: of the port
    :param abilities: what its other side can be told
    :param reader: what the frontend can be told
    :param receives: whether frames come in here
    """

    def __init__(self, name: str, line: Line, abilities: Abilities, reader: Abilities, *, receives: bool) -> None:
        self._name, self._line, self._abilities, self._receives = name, line, abilities, receives
        self.stats = PortStats()
        self._fitted = Fitted(reader, self.stats)
        self._header = bytearray(HDR.size)
        self._arena = Arena()
        self._open = True

    def fileno(self) -> int:
        """Give the descriptor; -1 for a lane that nothing comes in by."""
        return self._line.fileno() if self._receives and self._open else -1

    def receive(self, limit: int) -> Sequence[Frame]:
        """Read frames.

        :raises PortLost: the device is gone
        """
        if not self._receives:
            return ()
        self._arena.clear()
        frames = self._fitted.take(limit, self._next)
        self.stats.lost += self._line.lost()
        return frames

    def _next(self) -> Frame | None:
        while room := self._arena.room():
            self.stats.syscalls += 1
            try:
                data = self._line.read(self._header, room)
            except OSError as error:
                self._ended(error)
                return None
            frame = virtio.read(self._header, data) if len(data) < ROOM else Unfit.LONG
            if not isinstance(frame, Unfit):
                self._arena.keep(len(data))
                return frame
            self.stats.lost += 1
        return None

    def _ended(self, error: OSError) -> None:
        # Nothing is to be read, and it may be that there never will be.
        if error.errno == ENETDOWN and self._line.gone():
            error = OSError(ENODEV, os.strerror(ENODEV))
        if error.errno not in _DROPPED:
            raise self._gone(error) from error

    def send(self, frames: Sequence[Frame]) -> None:
        """Write frames.

        :raises PortLost: the device is gone
        """
        taken = sum(map(self._send, frames))
        self.stats.sent += taken
        self.stats.dropped += len(frames) - taken

    def _send(self, frame: Frame) -> bool:
        fitted = fit(frame, self._abilities)
        if isinstance(fitted, Unfit):
            return False
        self.stats.finished += fitted[0] is not frame
        for each in fitted:
            header = virtio.header(each)
            if isinstance(header, Unfit):
                return False
            self.stats.syscalls += 1
            try:
                self._line.write(header, each.data)
            except OSError as error:
                if error.errno in _DROPPED:
                    return False
                raise self._gone(error) from error
        return True

    def _gone(self, error: OSError) -> PortLost:
        return PortLost(f"{self._name} is gone: {error.strerror}")

    def close(self) -> None:
        """Give it back; not an error if it is closed."""
        if self._open:
            self._open = False
            self._line.close()
