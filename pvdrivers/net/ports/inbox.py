"""Frames that other threads hand over to a lane's: bounded, in their order, with a descriptor to wait for."""

import os
import threading
from collections import deque
from collections.abc import Iterable

from pvdrivers.net.frame import Frame
from pvdrivers.net.ports.base import PortStats

#: What waits at most: a frame more is lost.
FRAMES, BYTES = 1024, 4 << 20


class Waking:
    """What any inbox has: a lock, and a descriptor to wait for; to be derived from.

    :param stats: where what is lost is added up
    """

    def __init__(self, stats: PortStats) -> None:
        self._stats = stats
        self._lock = threading.Lock()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._woken = False

    def fileno(self) -> int:
        """Give an eventfd, readable while frames wait; -1 once it is closed."""
        return self._wake

    @property
    def waits(self) -> bool:
        """Whether there are frames."""
        raise NotImplementedError

    def rest(self) -> bool:
        """Let the descriptor rest if nothing waits; tell whether that was a system call."""
        with self._lock:
            if not self._woken or self.waits:
                return False
            os.eventfd_read(self._wake)
            self._woken = False
            return True

    def close(self) -> None:
        """Forget what waits; not an error if it is closed."""
        with self._lock:
            if self._wake >= 0:
                os.close(self._wake)
            self._wake = -1
            self._woken = False
            self._forget()

    # Under the lock.

    def _tell(self) -> None:
        if self.waits and not self._woken:
            os.eventfd_write(self._wake, 1)
            self._woken = True

    def _forget(self) -> None:
        raise NotImplementedError


class Inbox(Waking):
    """One lane's: `put` is for any thread, all else for the lane's.

    Frames are kept: their bytes are nobody else's.
    """

    def __init__(self, stats: PortStats) -> None:
        super().__init__(stats)
        self._frames: deque[Frame] = deque()
        self._bytes = 0

    @property
    def waits(self) -> bool:
        """Whether there are frames."""
        return bool(self._frames)

    def put(self, frames: Iterable[Frame]) -> None:
        """Hand frames over. Once it is closed, they are for nobody."""
        with self._lock:
            if self._wake < 0:
                return
            for frame in frames:
                size = len(frame.data)
                if len(self._frames) == FRAMES or self._bytes + size > BYTES:
                    self._stats.lost += 1
                    continue
                self._frames.append(frame)
                self._bytes += size
            self._tell()

    def get(self) -> Frame | None:
        """Take the frame that has waited longest; None if there is none."""
        with self._lock:
            if not self._frames:
                return None
            frame = self._frames.popleft()
            self._bytes -= len(frame.data)
            return frame

    def _forget(self) -> None:
        self._frames.clear()
        self._bytes = 0
