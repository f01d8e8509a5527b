"""How fast the trace's clock ticks, from the trace itself.

When Xen switches a vCPU out it records for how many nanoseconds it ran (SWITCH_INFPREV); the time stamps say for how
many cycles. xenalyze assumes 2.4 GHz instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: What is assumed when nothing tells the rate, as xenalyze does.
DEFAULT_HZ = 2.4e9
_PAIRS_MIN = 8
_ROUNDS = 5
_OUTLIER = 2.5


@dataclass(frozen=True)
class Clock:
    """Cycles per second, and who says so: "trace", "option", "host" or "default".

    ``error`` is the standard error of a rate found in the trace, as a fraction of it; None for other sources.
    """

    hz: float
    source: str
    error: float | None = None

    def seconds(self, cycles: int) -> float:
        """Convert cycles to seconds."""
        return cycles / self.hz


def from_trace(pairs: Sequence[tuple[int, int]]) -> Clock | None:
    """Fit the rate to (cycles, nanoseconds) pairs; None when there are too few to tell.

    A line, not a ratio: between reading its clock and writing the record Xen spends a fixed time, which only the
    cycles contain. Pairs far off the line (an interrupt came between) are left out.
    """
    if len(pairs) < _PAIRS_MIN:
        return None
    cycles, ns = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    slope = 0.0
    for _ in range(_ROUNDS):
        if len(ns) < _PAIRS_MIN or np.ptp(ns) == 0:
            return None
        slope, fixed = np.polyfit(ns, cycles, 1)
        off = np.abs(cycles - (slope * ns + fixed))
        near = off <= max(_OUTLIER * float(np.median(off)), 1.0)
        if near.all():
            break
        cycles, ns = cycles[near], ns[near]
    if slope <= 0 or len(ns) < _PAIRS_MIN:
        return None
    spread = float(np.sqrt(np.mean((cycles - (slope * ns + fixed)) ** 2) / np.sum((ns - ns.mean()) ** 2)))
    return Clock(hz=float(slope) * 1e9, source="trace", error=spread / float(slope))
