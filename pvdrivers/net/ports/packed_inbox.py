"""An inbox of frames by records: their bytes are copied in, and lie where their reader finds them."""

from pvdrivers.net.frame import Abilities
from pvdrivers.net.ports.base import PortStats
from pvdrivers.net.ports.inbox import Waking
from pvdrivers.net.ports.plain.kept import Kept


class PackedInbox(Waking):
    """One lane's: `put` is for any thread, all else for the lane's.

    :param reader: what the frontend can be told
    """

    def __init__(self, stats: PortStats, reader: Abilities) -> None:
        super().__init__(stats)
        #: To be read from; what is under the lock of the interpreter is whole for all threads.
        self.kept = Kept(reader)

    @property
    def waits(self) -> bool:
        """Whether there are frames."""
        return len(self.kept) > 0

    def put(self, arena: memoryview, records: memoryview) -> None:
        """Hand frames over. Once it is closed, they are for nobody."""
        with self._lock:
            if self._wake >= 0:
                self._stats.lost += self.kept.put(arena, records)
                self._tell()

    def _forget(self) -> None:
        self.kept.forget()
