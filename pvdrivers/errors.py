"""Whose fault it is: the peer's, or this machine's. A driver's own mistakes are ValueErrors."""

from collections.abc import Sequence


class DriverError(Exception):
    """Base of all that follow; the message is one line for people."""


class PeerError(DriverError):
    """The other end broke the protocol: its device is given up, and nothing else."""


class BadRing(PeerError):
    """The peer's index in a shared ring is where it cannot be. Nothing in that ring can be believed any more."""


class NotGranted(PeerError):
    """The peer names pages that it has not granted to this domain, or not for writing, or not any more."""

    def __init__(self, domid: int, grefs: Sequence[int]) -> None:
        # It may have named thousands.
        more = f" or one of {len(grefs) - 3} more" if len(grefs) > 3 else ""
        super().__init__(f"domain {domid} has not granted {', '.join(f'gref {gref}' for gref in grefs[:3])}{more}")


class NotOffered(PeerError):
    """The peer names an event channel that is not there for this domain to bind."""

    def __init__(self, domid: int, port: int) -> None:
        super().__init__(f"domain {domid} has no port {port} that could be bound")


class MachineError(DriverError):
    """The machine has no such device, no right to it, or no grants, ports or memory left."""


def mistake(error: Exception) -> MachineError:
    """Make of an error that no driver should raise one that its device can be told."""
    return MachineError(f"a mistake in this driver: {type(error).__name__}: {error}")
