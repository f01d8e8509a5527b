"""Pages and a channel that are nobody's, and a backend that answers on a ring whatever a test likes."""

from collections.abc import Callable

from pvdrivers.abi.ring import PAGE_SIZE, RingType
from pvdrivers.conformance.raw import RawRing


class Pages:
    """A grant of so many pages."""

    def __init__(self, number: int = 1) -> None:
        self.grefs = list(range(100, 100 + number))
        self.memory = memoryview(bytearray(number * PAGE_SIZE))

    def revoke(self) -> None:
        """Stay as it is."""


class Deaf:
    """A channel that nobody is notified by; ``waited`` is called instead of waiting."""

    port = 1

    def __init__(self, waited: Callable[[], bool] = lambda: False) -> None:
        self.waited, self.notified = waited, 0

    def fileno(self) -> int:
        """Have none."""
        return -1

    def notify(self) -> None:
        """Count it."""
        self.notified += 1

    def take(self) -> bool:
        """Have none."""
        return False

    def wait(self, timeout: float | None = None) -> bool:
        """Have the test do something instead."""
        del timeout
        return self.waited()

    def unmask(self) -> None:
        """Stay as it is."""

    def close(self) -> None:
        """Stay as it is."""


def answer(page: Pages, kind: RingType, *messages: bytes) -> None:
    """Answer as a backend, on from where it was."""
    ring = RawRing(page.memory, kind, back=True)
    ring.put(messages)
    ring.show()
    ring.release()
