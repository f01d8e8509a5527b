"""XenStore's client, for drivers and tools alike: typed, with deadlines, over a UNIX socket or /dev/xen/xenbus.

pyxs does the connecting and speaks the protocol; its defects are dealt with in ``engine``, where each is named.
"""

from pvdrivers.xenstore.client.client import Client, Transaction, View
from pvdrivers.xenstore.client.errors import (
    Conflict,
    ConnectionLost,
    NoStore,
    NotFound,
    Refused,
    TimedOut,
    XenStoreError,
)
from pvdrivers.xenstore.client.places import find
from pvdrivers.xenstore.client.watch import Watch

__all__ = [
    "Client",
    "Conflict",
    "ConnectionLost",
    "NoStore",
    "NotFound",
    "Refused",
    "TimedOut",
    "Transaction",
    "View",
    "Watch",
    "XenStoreError",
    "find",
]
