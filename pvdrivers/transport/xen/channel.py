"""Event channels, each by a descriptor of its own, so that whoever waits for one waits for no other."""

import os
from collections.abc import Callable
from fcntl import ioctl

from pvdrivers.abi import devices as abi
from pvdrivers.transport.waited import Waited


class Channel(Waited):
    """One end of an event channel.

    :param fd: of the evtchn device, the channel being all that is bound with it
    """

    def __init__(self, fd: int, port: int, forget: Callable[["Channel"], object]) -> None:
        self.port = port
        self._fd = fd
        self._forget = forget

    def fileno(self) -> int:
        """Give the descriptor that becomes readable."""
        return self._fd

    def notify(self) -> None:
        """Notify the peer."""
        ioctl(self._fd, abi.IOCTL_EVTCHN_NOTIFY, abi.NOTIFY.struct.pack(self.port))

    def take(self) -> bool:
        """Take the notification, if there is one."""
        if self._masked:
            return False
        try:
            os.read(self._fd, 4)
        except BlockingIOError:
            return False
        self._masked = True
        return True

    def unmask(self) -> None:
        """Let the next notification come."""
        if self._masked:
            self._masked = False
            os.write(self._fd, self.port.to_bytes(4, "little"))

    def close(self) -> None:
        """Give up this end."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._forget(self)
