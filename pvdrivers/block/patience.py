"""Looking on before sleeping, as long as that pays.

A notification costs a system call on each side and a wake-up; a peer with a processor of its own mostly has its message
there sooner. Where it has to wait for ours, looking on is what keeps it from answering.
"""

import os

from pvdrivers.ring import Back, Front

#: Microseconds. A wake-up takes as long, where there is nothing else to do.
LOOK = 12
#: What success earns and failure costs, and how much there can be.
_EARNS, _COSTS, _MOST = 1, 2, 8
#: How often it is not tried, once it does not pay.
_REST = 100


class Patience:
    """One end's."""

    def __init__(self) -> None:
        self._credit = _MOST
        # With one processor, the peer has no other.
        self._rest = 0 if (os.cpu_count() or 1) > 1 else -1

    def look(self, ring: Back | Front) -> bool:
        """Look on for a while, or not; tell whether there is a message.

        :raises BadRing: the peer's producer index is impossible
        """
        if self._rest:
            self._rest -= self._rest > 0
            return False
        found = ring.poll(LOOK)
        self._credit = min(self._credit + _EARNS, _MOST) if found else self._credit - _COSTS
        if self._credit <= 0:
            self._credit, self._rest = _COSTS, _REST
        return found
