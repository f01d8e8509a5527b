"""Whose fault it is: the peer's, or this machine's. A driver's own mistakes are ValueErrors."""


class DriverError(Exception):
    """Base of all that follow; the message is one line for people."""


class PeerError(DriverError):
    """The other end broke the protocol: its device is given up, and nothing else."""


class BadRing(PeerError):
    """The peer's index in a shared ring is where it cannot be. Nothing in that ring can be believed any more."""


class NotGranted(PeerError):
    """The peer names pages that it has not granted to this domain, or not for writing, or not any more."""


class NotOffered(PeerError):
    """The peer names an event channel that is not there for this domain to bind."""


class MachineError(DriverError):
    """The machine has no such device, no right to it, or no grants, ports or memory left."""
