"""What can go wrong with a store: it says no, it is gone, or it was never there."""

import errno
import os


class XenStoreError(Exception):
    """Base of all that follow; the message is one line for people."""


class NoStore(XenStoreError):
    """There is no XenStore to connect to, or no right to."""


class ConnectionLost(XenStoreError):
    """The store ended the connection, or sent what is no packet. What was under way may have been done or not."""


class TimedOut(XenStoreError):
    """The store did not answer in time. What was asked for may still be done."""


class Refused(XenStoreError):
    """The store answered with an error.

    :param code: its errno
    :param what: the operation and path, for people
    """

    def __init__(self, code: int, what: str) -> None:
        super().__init__(code, what)
        self.code = code
        self.what = what

    @property
    def name(self) -> str:
        """The error's name, as in the protocol: ``EACCES``."""
        return errno.errorcode.get(self.code, str(self.code))

    def __str__(self) -> str:
        return f"{self.what}: {os.strerror(self.code)}{_MEANT.get(self.code, '')}"


class NotFound(Refused):
    """There is no such node."""


class Conflict(Refused):
    """A transaction met changes by others and was thrown away, as often as was allowed."""


# The system speaks of programs' arguments.
_MEANT = {errno.E2BIG: ": more than a packet of XenStore's protocol holds"}
_KINDS: dict[int, type[Refused]] = {errno.ENOENT: NotFound, errno.EAGAIN: Conflict}


def refused(code: int, what: str) -> Refused:
    """Make the error for a code."""
    return _KINDS.get(code, Refused)(code, what)
