"""Keeps an event loop awake for a moment after somebody was served, since most clients ask for more at once.

To wake a processor that sleeps takes longer than to answer: without, a client that asks one thing after the other
waits mostly for that. Everybody whose request comes meanwhile is served, in the loop's order.
"""

from collections.abc import Callable

from pvdrivers.patience import Patience

#: Seconds. A client on a processor that has slept takes half of that to wake up, look at the reply and ask on.
LOOK = 60e-6


class Lookout:
    """One event loop's.

    :param clock: tells the time in seconds
    :param soon: has the loop call what it is given, after it has looked at once for what has come
    """

    def __init__(
        self,
        clock: Callable[[], float],
        soon: Callable[[Callable[[], None]], object],
        patience: Patience | None = None,
    ) -> None:
        self._clock = clock
        self._soon = soon
        self._patience = patience or Patience()
        self._looking = False
        self._found = False
        self._until = 0.0

    def served(self) -> None:
        """Take note that somebody was served."""
        if self._looking:
            self._found = True
        else:
            self._begin()

    def _begin(self) -> None:
        self._looking = self._patience.pays()
        if self._looking:
            self._found = False
            self._until = self._clock() + LOOK
            self._soon(self._look)

    def _look(self) -> None:
        if self._found:
            self._patience.note(True)
            self._begin()
        elif self._clock() < self._until:
            self._soon(self._look)
        else:
            self._patience.note(False)
            self._looking = False
