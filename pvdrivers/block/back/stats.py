"""What a backend's queue has done."""

from dataclasses import dataclass

from pvdrivers.bus.queued import Sums


@dataclass(slots=True)
class Stats(Sums):
    """Counts since the queue began; sectors are of 512 bytes."""

    requests: int = 0
    reads: int = 0
    writes: int = 0
    sectors_read: int = 0
    sectors_written: int = 0
    flushes: int = 0
    discards: int = 0
    #: Requests answered with an error.
    errors: int = 0
    notifications_sent: int = 0
    notifications_received: int = 0
    grant_maps: int = 0
    grant_unmaps: int = 0
    #: Pieces copied.
    grant_copies: int = 0
    #: System calls that the queue makes for data, notifications and waits, with those that the grant operations take on
    #: Xen: two to map, two to unmap, one for all that is copied at once. Not those that Python's threads make to wait
    #: for one another, clocks, and XenStore.
    syscalls: int = 0
