"""What a load has shown."""

from dataclasses import dataclass, field
from typing import Any

from pvdrivers.latencies import shares


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured.

    :param sent: frames that were made
    :param frames: those that reached the far port, and how many bytes they had
    :param latencies: of one way, or there and back: how often, by nanoseconds at least and less than; none where nobody
        could tell
    :param longest: in nanoseconds
    :param packets: that went over the rings, either way, and how many slots they took
    :param notifications: of both ends, as far as they count them; so are ``syscalls``
    """

    sent: int
    frames: int
    bytes: int
    seconds: float
    packets: int
    slots: int
    notifications: int
    syscalls: int
    latencies: dict[tuple[int, int], int] = field(default_factory=dict)
    longest: int = 0

    def document(self) -> dict[str, Any]:
        """Give what ``xentool net bench --json`` prints of it. Bits are those of frames, without a wire's additions."""
        packets = max(self.packets, 1)
        return {
            "pps": round(self.frames / self.seconds),
            "gbps": round(self.bytes * 8 / self.seconds / 1e9, 4),
            "latency_us": shares(self.latencies, self.longest) if self.latencies else None,
            "latency_max_us": round(self.longest / 1000, 1) if self.latencies else None,
            "notifications_per_packet": round(self.notifications / packets, 5),
            "syscalls_per_packet": round(self.syscalls / packets, 5),
            "slots_per_packet": round(self.slots / packets, 3),
            "sent": self.sent,
            "frames": self.frames,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
        }
