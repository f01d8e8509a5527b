"""What a vif has done."""

from dataclasses import dataclass

from pvdrivers.bus.queued import Sums


@dataclass(slots=True)
class Stats(Sums):
    """Of one end; ``tx`` is what goes from the frontend to the backend, and ``rx`` the other way, at either end."""

    tx_packets: int = 0
    tx_bytes: int = 0
    #: Packets that made no sense, or could not be copied.
    tx_errors: int = 0
    #: Slots of the ring, extras and all.
    tx_slots: int = 0
    rx_packets: int = 0
    rx_bytes: int = 0
    rx_errors: int = 0
    rx_slots: int = 0
    #: Frames that the port, or whoever is beyond it, did not take; and those that waited too long for the frontend.
    dropped: int = 0
    grant_copies: int = 0
    notifications_sent: int = 0
    notifications_received: int = 0
    syscalls: int = 0
