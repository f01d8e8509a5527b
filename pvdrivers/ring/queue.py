"""What queues of all devices have in common: each runs until it is told to stop, or cannot go on, and ends alone."""

from contextlib import ExitStack

from pvdrivers.errors import DriverError
from pvdrivers.ring.waiting import Waiting


class ThreadedQueue:
    """A queue, run by one thread; to be derived from.

    :param waiting: its rings and channels; belongs to it from now on
    :param owned: all that it gives back at its end (`owned.own`): what was put there last first
    """

    def __init__(self, waiting: Waiting, owned: ExitStack) -> None:
        self._waiting, self._owned = waiting, owned
        #: Why it ended, if not because it was told to.
        self.error: DriverError | None = None

    def run(self) -> None:
        """Work, until it is stopped, or its peer cannot be believed any more: see `error`. Gives everything back."""
        try:
            self._before()
            self._waiting.run(self._turn, self._busy)
        except DriverError as error:
            self.error = error
        finally:
            self.close()

    def close(self) -> None:
        """Give everything back; for a queue that has never run, or no longer does."""
        if self._waiting.fileno() < 0:
            return
        self._owned.close()
        self._waiting.close()

    def _before(self) -> None:
        """Do what comes before all turns."""

    def _turn(self) -> bool:
        """Take and answer some messages; tell whether there was anything."""
        raise NotImplementedError

    def _busy(self) -> int:
        """Tell how many messages are under way after a turn: with threads of its own, which wake it."""
        return 0
