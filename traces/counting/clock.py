"""How fast the trace's clock ticks, from the trace itself.

When Xen switches a vCPU out it records for how many nanoseconds it ran (SWITCH_INFPREV); the time stamps say for how
many cycles. xenalyze assumes 2.4 GHz instead.

Law: a rate is claimed only where it is right within its error, and that is at most 0.1 % where vCPUs ran for 1 ms and
more at a time, and 1 % below. What does not tell is not claimed.
"""

from collections.abc import Sequence
from math import hypot

from traces.counting.line import rate
from traces.counting.wraps import WRAP_NS, unwrapped
from traces.plain import frozen

#: What is assumed when nothing tells the rate, as xenalyze does.
DEFAULT_HZ = 2.4e9
_PAIRS_MIN = 8
#: Standard errors that a claimed error spans.
_SIGMAS = 2.5
#: No clock is known better: by as much crystals change with the temperature.
_ERROR_MIN = 1e-6
#: The error up to which a rate is claimed, and what is the shortest typical run for the first of them.
_ERROR_MAX, _SHORT_ERROR_MAX, _SHORT_NS = 1e-3, 1e-2, 1e6
#: Pairs that went round and fit no whole number of turns: with more, clocks of two rates may have made them.
_ODD_MAX, _ODD_SHARE = 3, 0.2


@frozen
class Clock:
    """Cycles per second, and who says so: "trace", "option", "host" or "default".

    ``error`` is what a rate found in the trace may be wrong by, as a fraction of it (2.5 standard errors, and more
    where its pairs contradict one another). A "default" one has an error if the trace tells the rate, but not closely;
    None for all others.
    """

    hz: float
    source: str
    error: float | None = None

    @property
    def assumed(self) -> bool:
        """Whether nobody says how fast it ticks: times are proportions then, and rates mean nothing."""
        return self.source == "default"

    def seconds(self, cycles: int) -> float:
        """Convert cycles to seconds."""
        return cycles / self.hz


def from_trace(pairs: Sequence[tuple[int, int]]) -> Clock | None:
    """Fit the rate to (cycles, nanoseconds cut to 32 bits) pairs; None when they don't tell it at all.

    :returns: of source "default" where it is no better than a guess

    A line that is held near the origin: what Xen spends between reading its clock and writing the record is in the
    cycles only, but it is short. Pairs far off (an interrupt came between) are left out.
    """
    resolved = unwrapped(pairs)
    if len(resolved) < _PAIRS_MIN:
        return None
    left_out = sum(cycles > 0 and ns > 0 for cycles, ns in pairs) - len(resolved)
    if left_out > max(_ODD_MAX, _ODD_SHARE * sum(ns >= WRAP_NS for _, ns in resolved)):
        return None
    found = rate(resolved)
    if found is None:
        return None
    slope, by_chance, wobble, other, typical_ns = found
    error = max(_SIGMAS * hypot(by_chance, wobble), other, _ERROR_MIN)
    known = error <= (_ERROR_MAX if typical_ns >= _SHORT_NS else _SHORT_ERROR_MAX)
    return Clock(slope * 1e9, "trace" if known else "default", error)
