"""The states of a device's end, as it writes them to its ``state`` node in XenStore.

Ref: xen/include/public/io/xenbus.h
"""

from enum import IntEnum


class XenbusState(IntEnum):
    """Where one end of a device is in its handshake with the other."""

    UNKNOWN = 0
    INITIALISING = 1
    #: Ready for the other end's details, its own not yet given.
    INIT_WAIT = 2
    #: Waiting for the other end to connect.
    INITIALISED = 3
    CONNECTED = 4
    #: The device is being closed because of an error or an unplug.
    CLOSING = 5
    CLOSED = 6
    RECONFIGURING = 7
    RECONFIGURED = 8
