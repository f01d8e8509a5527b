"""Waiting for one channel: what those of all transports have."""

import select
from abc import abstractmethod


class Waited:
    """A channel is masked from the notification that was taken until `unmask`."""

    _masked = False

    @abstractmethod
    def fileno(self) -> int:
        """Give the descriptor that becomes readable."""

    @abstractmethod
    def take(self) -> bool:
        """Take the notification, if there is one."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a notification and take it."""
        if self._masked:
            raise ValueError("a masked channel is never notified")
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000)) and self.take()
