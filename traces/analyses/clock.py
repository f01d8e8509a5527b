"""How fast the trace's clock ticks, from the trace itself.

When Xen switches a vCPU out it records for how many nanoseconds it ran (SWITCH_INFPREV); the time stamps say for how
many cycles. xenalyze assumes 2.4 GHz instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, sqrt

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
    left = [(float(cycles), float(ns)) for cycles, ns in pairs]
    line = None
    for _ in range(_ROUNDS):
        line = _Line.through(left)
        if line is None:
            return None
        off = [abs(line.off(cycles, ns)) for cycles, ns in left]
        limit = max(_OUTLIER * _median(off), 1.0)
        near = [pair for pair, distance in zip(left, off, strict=True) if distance <= limit]
        if len(near) == len(left):
            break
        left = near
    if line is None or line.slope <= 0 or len(left) < _PAIRS_MIN:
        return None
    squares = fsum(line.off(cycles, ns) ** 2 for cycles, ns in left) / len(left)
    spread = sqrt(squares / fsum((ns - line.ns) ** 2 for _, ns in left))
    return Clock(hz=line.slope * 1e9, source="trace", error=spread / line.slope)


def _median(values: Sequence[float]) -> float:
    # Not by ``statistics``, which brings decimal numbers and fractions: a twentieth of a small trace's report.
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


@dataclass(frozen=True)
class _Line:
    # In plain Python: numpy takes longer to load than this to run.
    slope: float
    cycles: float  # of the centre
    ns: float

    @classmethod
    def through(cls, pairs: Sequence[tuple[float, float]]) -> "_Line | None":
        if len(pairs) < _PAIRS_MIN:
            return None
        cycles = fsum(pair[0] for pair in pairs) / len(pairs)
        ns = fsum(pair[1] for pair in pairs) / len(pairs)
        width = fsum((pair[1] - ns) ** 2 for pair in pairs)
        if not width:
            return None
        return cls(fsum((pair[1] - ns) * (pair[0] - cycles) for pair in pairs) / width, cycles, ns)

    def off(self, cycles: float, ns: float) -> float:
        return cycles - self.cycles - self.slope * (ns - self.ns)
