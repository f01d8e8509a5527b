"""A reply that is waited for: as much of ``concurrent.futures`` as requests need.

Importing that brings ``logging``, which took a driver on a slow machine a tenth of its start.
"""

from threading import Lock

from pvdrivers.xenstore.wire import Packet


class Reply:
    """What the store will have answered to one request. Whoever takes it out of those that wait settles it, once."""

    def __init__(self) -> None:
        self._packet: Packet | None = None
        self._error: Exception | None = None
        self._settled = Lock()
        self._settled.acquire()

    def come(self, packet: Packet) -> None:
        """Hand it to whoever waits."""
        self._packet = packet
        self._settled.release()

    def fail(self, error: Exception) -> None:
        """Have none come: the error is raised where it is waited for."""
        self._error = error
        self._settled.release()

    def wait(self, seconds: float) -> Packet:
        """Give the packet, once it has come.

        :raises TimeoutError: it has not by then
        """
        if not self._settled.acquire(timeout=seconds):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        assert self._packet is not None  # noqa: S101 - settled without an error
        return self._packet
