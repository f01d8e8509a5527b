"""Why somebody cannot go on with a transport."""

import time

from pvdrivers.transport.base import Transport
from pvdrivers.xenstore.client import ConnectionLost, NoStore

#: Seconds between the ends of a loopback's XenStore and of its machine, which one process is: a kernel closes what a
#: process had one by one, and others may have the processor meanwhile.
_APART = 5.0
_POLL = 0.01


def reason(transport: Transport | None, error: Exception) -> str:
    """Say for people why: a transport that is gone, where what went wrong comes of that.

    :param transport: None if there was none yet
    """
    deadline = time.monotonic() + _APART
    while transport and not transport.gone and isinstance(error, (ConnectionLost, NoStore)):
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL)
    return str((transport and transport.gone) or error)
