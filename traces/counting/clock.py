"""How fast the trace's clock ticks, from the trace itself.

When Xen switches a vCPU out it records for how many nanoseconds it ran (SWITCH_INFPREV); the time stamps say for how
many cycles. xenalyze assumes 2.4 GHz instead.

Law: a rate is claimed only where it is right within its error, and that is at most 0.1 % where vCPUs ran for 1 ms and
more at a time, and 1 % below. What does not tell is not claimed.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from math import fsum, hypot, sqrt

from traces.counting.line import through
from traces.counting.wraps import WRAP_NS, unwrapped
from traces.plain import frozen

#: What is assumed when nothing tells the rate, as xenalyze does.
DEFAULT_HZ = 2.4e9
_PAIRS_MIN = 8
#: Of about one length.
_ALIKE_MIN = 4
#: Noise is what the nearest quarter of all pairs shows: in a normal distribution so many standard deviations.
_QUARTER = 0.3186
_OUTLIER = 3.0
#: Standard errors that a claimed error spans.
_SIGMAS = 2.5
#: No clock is known better: by as much crystals change with the temperature.
_ERROR_MIN = 1e-6
#: The error up to which a rate is claimed, and what is the shortest typical run for the first of them.
_ERROR_MAX, _SHORT_ERROR_MAX, _SHORT_NS = 1e-3, 1e-2, 1e6
#: Pairs that tell something together: those that took as long, by powers of two.
_GROUP_MIN = 8
#: Of the noise of all pairs: with more, those of a length show that the clock is uneven.
_WOBBLES = 1.5
#: Pairs that went round and fit no whole number of turns: with more, clocks of two rates may have made them.
_ODD_MAX, _ODD_SHARE = 3, 0.2
#: Of all pairs, weighed by their length: so many must be near the line.
_NEAR_MIN = 0.3
#: The same of those that are not near, so that another rate of theirs counts; how many of them must have it, and how
#: much they may differ, as a part of what they differ from the first by.
_OTHER_MIN, _AGREE_MIN, _ALIKE = 0.1, 0.55, 0.5


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
    by_length: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for pair in resolved:
        by_length[pair[1].bit_length()].append(pair)
    # One that took a thousand times as long as all others would tell more than these together, and may be wrong.
    common = [
        of
        for bits, of in by_length.items()
        if sum(len(by_length.get(bits + near, ())) for near in (-1, 0, 1)) >= _ALIKE_MIN
    ]
    every = [(float(cycles), float(ns)) for of in common for cycles, ns in of]
    if len(every) < _PAIRS_MIN:
        return None
    found = through(every)
    if found is None or found[0] <= 0:
        return None
    line = _Line(*found)
    runs = [line.off(of) for of in common]
    close = [[run for run in of if abs(run[0]) <= line.limit] for of in runs]
    near = list(chain.from_iterable(close))
    weight = _weight(every)
    if len(near) < _PAIRS_MIN or _weight(near) < _NEAR_MIN * weight:
        return None
    others = [run for of in runs for run in of if abs(run[0]) > line.limit]
    by_chance = max(1.0, _discord(close)) * line.error / line.slope
    error = max(_SIGMAS * hypot(by_chance, _wobble(runs, line)), _other(others, line, weight), _ERROR_MIN)
    typical = fsum([ns * ns for _, ns in near]) / _weight(near)
    known = error <= (_ERROR_MAX if typical >= _SHORT_NS else _SHORT_ERROR_MAX)
    return Clock(line.slope * 1e9, "trace" if known else "default", error)


def _other(others: "Sequence[_Run]", line: "_Line", weight: float) -> float:
    # By how much another rate differs, as a part of this one, on which the other pairs agree among themselves: that of
    # other pCPUs, or of another run of the clock. What an interrupt delayed does not: it is as long in any run, so that
    # more of them agree on a length than on a share.
    if len(others) < _PAIRS_MIN or _weight(others) < _OTHER_MIN * weight:
        return 0.0
    lengths = [off for off, _ in others]
    shares = [off / (line.slope * ns) for off, ns in others]
    middle, agree = _agreeing(shares)
    return abs(middle) if agree >= max(_AGREE_MIN * len(shares), _agreeing(lengths)[1]) else 0.0


def _agreeing(values: Sequence[float]) -> tuple[float, int]:
    # The one in their middle, and how many are like it.
    middle = sorted(values)[len(values) // 2]
    return middle, sum(abs(one - middle) <= _ALIKE * abs(middle) for one in values)


#: How many cycles a pair is off, and its nanoseconds.
_Run = tuple[float, float]


@frozen
class _Line:
    # Cycles a nanosecond; cycles; the slope's standard error; and how far off a pair may be.
    slope: float
    delay: float
    error: float
    limit: float

    def off(self, pairs: Sequence[tuple[int, int]]) -> list[_Run]:
        slope, delay = self.slope, self.delay
        return [(cycles - delay - slope * ns, float(ns)) for cycles, ns in pairs]


def _discord(close: Sequence[Sequence[_Run]]) -> float:
    # By how much more than by chance short, middling and long runs contradict one another: noise is not always what a
    # line takes it for.
    squares, found = 0.0, 0
    for of in _groups(close):
        off = [distance / ns for distance, ns in of]
        mean = fsum(off) / len(off)
        spread = sqrt(fsum([(one - mean) ** 2 for one in off]) / (len(off) - 1) / len(off))
        squares += (mean / spread) ** 2 if spread else 0.0
        found += 1
    return sqrt(squares / (found - 1)) if found > 1 else 1.0


def _wobble(runs: Sequence[Sequence[_Run]], line: _Line) -> float:
    # How uneven Xen's own clock goes, as a part of the rate: long runs are then further off than short ones. So it is
    # where Xen is emulated, and no number of pairs makes up for it.
    noise, sum_, weight = line.limit / _OUTLIER, 0.0, 0.0
    for of in _groups(runs):
        spread = _quarter([abs(off) for off, _ in of]) / _QUARTER
        sum_ += len(of) * spread / line.slope if spread > _WOBBLES * noise else 0.0
        weight += _weight(of)
    return sum_ / weight if weight else 0.0


def _groups(runs: Sequence[Sequence[_Run]]) -> list[Sequence[_Run]]:
    # Those of one length that are enough to tell something together.
    return [of for of in runs if len(of) >= _GROUP_MIN]


def _weight(pairs: Sequence[tuple[float, float]]) -> float:
    return fsum([ns for _, ns in pairs])


def _quarter(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 4]
