"""Looking on at a ring before sleeping: a notification costs a system call on each side and a wake-up."""

from pvdrivers import patience
from pvdrivers.ring import Back, Front

#: Microseconds. A wake-up takes as long, where there is nothing else to do.
LOOK = 12


class Patience(patience.Patience):
    """One end's."""

    def look(self, ring: Back | Front, also: Back | Front | None = None) -> bool:
        """Look on for a while, or not; tell whether there is a message.

        :param also: another ring to look at
        :raises BadRing: the peer's producer index is impossible
        """
        return self.pays() and self.note(ring.poll(LOOK, also))
