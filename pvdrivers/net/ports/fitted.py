"""Frames on their way to a frontend: what it cannot be told of them is finished before, and cut."""

from collections import deque
from collections.abc import Callable

from pvdrivers.net.errors import Unfit
from pvdrivers.net.fit import fit
from pvdrivers.net.frame import Abilities, Frame
from pvdrivers.net.ports.base import PortStats


class Fitted:
    """Frames of one lane; true while there are some that have no room in what was asked for.

    :param reader: what the frontend can be told
    :param stats: where what was finished, or fits in no way, is added up
    """

    def __init__(self, reader: Abilities, stats: PortStats) -> None:
        self._reader, self._stats = reader, stats
        # One frame, or its segments.
        self._over: deque[Frame] = deque()

    def __bool__(self) -> bool:
        return bool(self._over)

    def take(self, limit: int, following: Callable[[], Frame | None]) -> list[Frame]:
        """Take frames.

        :param limit: how many at most
        :param following: gives the next, or None if there is none now
        """
        frames: list[Frame] = []
        while len(frames) < limit:
            if self._over:
                frames.append(self._over.popleft())
                continue
            frame = following()
            if frame is None:
                break
            self.add(frame)
        self._stats.received += len(frames)
        return frames

    def add(self, frame: Frame) -> None:
        """Have a frame taken next."""
        fitted = fit(frame, self._reader)
        if isinstance(fitted, Unfit):
            self._stats.lost += 1
            return
        self._stats.finished += fitted[0] is not frame
        self._over.extend(fitted)
