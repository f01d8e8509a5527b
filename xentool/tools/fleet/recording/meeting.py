"""Several recordings that begin and end together, each in a thread of its own; one more thread leads them.

Law: nothing here waits for a host. Who is ready waits for the leader, who has a clock and knows how long that may be.
"""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from xentool.errors import XentoolError


class CalledOff(XentoolError):
    """A recording is not to begin."""


class Meeting:
    """Where recordings meet; they are known by numbers.

    :param ready: is told who is ready, in that one's thread
    """

    def __init__(self, ready: Callable[[int], None]) -> None:
        self._ready = ready
        self._decided = threading.Event()
        self._admitted: frozenset[int] = frozenset()
        self._why = ""
        # Over what stops recordings, so that none is stopped whose descriptors are somebody else's by then.
        self._lock = threading.Lock()
        self._stops: dict[int, Callable[[], None]] = {}
        self._over = False

    def gate(self, who: int) -> None:
        """Say that one is ready, and wait for the leader's word.

        :raises CalledOff: it is not to begin
        """
        self._ready(who)
        self._decided.wait()
        if who not in self._admitted:
            raise CalledOff(self._why)

    @contextmanager
    def ended_by(self, who: int, stop: Callable[[], None]) -> Iterator[Callable[[], bool]]:
        """Let the leader end one that records; give what tells whether that was done."""
        with self._lock:
            self._stops[who] = stop
            if self._over:
                stop()
        try:
            yield lambda: self._over
        finally:
            with self._lock:
                del self._stops[who]

    def begin(self, admitted: Collection[int], why: str) -> None:
        """Let these begin.

        :param why: none of the others may
        """
        self._admitted, self._why = frozenset(admitted), why
        self._decided.set()

    def end(self) -> None:
        """End all that record, and those that are about to."""
        with self._lock:
            self._over = True
            for stop in self._stops.values():
                stop()
