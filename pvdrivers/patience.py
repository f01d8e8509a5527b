"""Whether to look on for a while before sleeping, as long as that pays.

A sleep costs a system call, and its end a wake-up; whoever is waited for mostly has what he has to say there sooner, if
he has a processor of his own. Where he has to wait for ours, or takes his time, looking on is in vain.
"""

import os

#: What success earns and failure costs, and how much there can be: looks in vain are at most half as many as others.
EARNS, COSTS, MOST = 1, 2, 8
#: How often it is not tried, once it does not pay.
REST = 100


class Patience:
    """One waiter's.

    :param processors: how many there are; with one, whoever is waited for has no other
    """

    def __init__(self, processors: int | None = None) -> None:
        self._credit = MOST
        self._rest = 0 if (processors or os.cpu_count() or 1) > 1 else -1

    def pays(self) -> bool:
        """Tell whether to look on this time."""
        if self._rest:
            self._rest -= self._rest > 0
            return False
        return True

    def note(self, found: bool) -> bool:
        """Take note of whether that was in vain, and give it back."""
        self._credit = min(self._credit + EARNS, MOST) if found else self._credit - COSTS
        if self._credit <= 0:
            self._credit, self._rest = COSTS, REST
        return found
