"""How fast the trace's clock ticks, from the trace itself.

When Xen switches a vCPU out it records for how many nanoseconds it ran (SWITCH_INFPREV); the time stamps say for how
many cycles. xenalyze assumes 2.4 GHz instead.

Law: a rate is claimed only where it is right within its error, and that is at most 0.1 % where vCPUs ran for 1 ms and
more at a time, and 1 % below. What does not tell is not claimed.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import fsum, hypot, inf, sqrt

from traces.counting.wraps import unwrapped
from traces.plain import frozen

#: What is assumed when nothing tells the rate, as xenalyze does.
DEFAULT_HZ = 2.4e9
_PAIRS_MIN = 8
#: Of about one length.
_ALIKE_MIN = 4
_ROUNDS = 8
#: Noise is what the nearest quarter of all pairs shows: in a normal distribution so many standard deviations.
_QUARTER = 0.3186
_OUTLIER = 3.0
#: Between reading its clock and writing the record Xen spends a fixed time: about so much, where pairs don't tell.
_DELAY_NS = 300.0
#: The standard error of a rate that pairs tell without that.
_TOLD = 1e-4
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
#: Of all pairs, weighed by their length: so many must be near the line.
_NEAR_MIN = 0.3


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
    lengths = Counter(ns.bit_length() for _, ns in resolved)
    # One that took a thousand times as long as all others would tell more than these together, and may be wrong.
    every = [
        (float(cycles), float(ns))
        for cycles, ns in resolved
        if sum(lengths[ns.bit_length() + near] for near in (-1, 0, 1)) >= _ALIKE_MIN
    ]
    if len(every) < _PAIRS_MIN:
        return None
    line = _through(every)
    if line is None or line.slope <= 0:
        return None
    near = [pair for pair in every if abs(line.off(*pair)) <= line.limit]
    if len(near) < _PAIRS_MIN or _weight(near) < _NEAR_MIN * _weight(every):
        return None
    by_chance = max(1.0, _discord(near, line)) * line.error / line.slope
    error = max(_SIGMAS * hypot(by_chance, _wobble(every, line)), _ERROR_MIN)
    typical = fsum(ns * ns for _, ns in near) / _weight(near)
    known = error <= (_ERROR_MAX if typical >= _SHORT_NS else _SHORT_ERROR_MAX)
    return Clock(line.slope * 1e9, "trace" if known else "default", error)


@frozen
class _Line:
    # In plain Python: numpy takes longer to load than this to run. Cycles a nanosecond; cycles; the slope's standard
    # error; and how far off a pair may be.
    slope: float
    delay: float
    error: float
    limit: float

    def off(self, cycles: float, ns: float) -> float:
        return cycles - self.delay - self.slope * ns


def _through(every: Sequence[tuple[float, float]]) -> _Line | None:
    slope = _median([(cycles / ns, ns) for cycles, ns in every])
    delay, limit, line = 0.0, inf, None
    for _ in range(_ROUNDS):
        off = [abs(cycles - delay - slope * ns) for cycles, ns in every]
        # The clock's own steps are no noise: one cycle, or one nanosecond.
        noise = max(_quarter(off) / _QUARTER, 1.0, slope)
        new = _OUTLIER * noise
        left = [pair for pair, distance in zip(every, off, strict=True) if distance <= new]
        line = _fit(left, noise, slope, new)
        if line is None:
            return None
        settled = abs(new - limit) <= 1e-3 * new and abs(line.slope - slope) <= 1e-9 * slope
        slope, delay, limit = line.slope, line.delay, new
        if settled:
            break
    return line


def _fit(pairs: Sequence[tuple[float, float]], noise: float, slope: float, limit: float) -> _Line | None:
    # Least squares; where runs are too much alike, with what is known of the delay before: that it is near zero.
    if len(pairs) < _PAIRS_MIN:
        return None
    ns = fsum(pair[1] for pair in pairs)
    squares = fsum(pair[1] ** 2 for pair in pairs)
    cycles = fsum(pair[0] for pair in pairs)
    products = fsum(pair[0] * pair[1] for pair in pairs)
    ones = float(len(pairs))
    width = squares - ns * ns / ones
    if width <= (noise / (_TOLD * slope)) ** 2:
        ones += (noise / (_DELAY_NS * slope)) ** 2
        width = squares - ns * ns / ones
    if width <= 0:
        return None
    found = (products - ns * cycles / ones) / width
    return _Line(found, (cycles - found * ns) / ones, noise / sqrt(width), limit)


def _discord(near: Sequence[tuple[float, float]], line: _Line) -> float:
    # By how much more than by chance short, middling and long runs contradict one another: noise is not always what a
    # line takes it for.
    squares, found = 0.0, 0
    for of in _by_length(near):
        off = [line.off(*pair) / pair[1] for pair in of]
        mean = fsum(off) / len(off)
        spread = sqrt(fsum((one - mean) ** 2 for one in off) / (len(off) - 1) / len(off))
        squares += (mean / spread) ** 2 if spread else 0.0
        found += 1
    return sqrt(squares / (found - 1)) if found > 1 else 1.0


def _wobble(every: Sequence[tuple[float, float]], line: _Line) -> float:
    # How uneven Xen's own clock goes, as a part of the rate: long runs are then further off than short ones. So it is
    # where Xen is emulated, and no number of pairs makes up for it.
    noise, sum_, weight = line.limit / _OUTLIER, 0.0, 0.0
    for of in _by_length(every):
        spread = _quarter([abs(line.off(*pair)) for pair in of]) / _QUARTER
        sum_ += len(of) * spread / line.slope if spread > _WOBBLES * noise else 0.0
        weight += _weight(of)
    return sum_ / weight if weight else 0.0


def _by_length(pairs: Sequence[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    groups: dict[int, list[tuple[float, float]]] = {}
    for pair in pairs:
        groups.setdefault(int(pair[1]).bit_length(), []).append(pair)
    return (of for of in groups.values() if len(of) >= _GROUP_MIN)


def _weight(pairs: Sequence[tuple[float, float]]) -> float:
    return fsum(ns for _, ns in pairs)


def _quarter(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 4]


def _median(values: Sequence[tuple[float, float]]) -> float:
    # Of (value, weight) pairs. Not by ``statistics``, whose loading was a twentieth of a small trace's report.
    ordered = sorted(values)
    half, sum_ = fsum(weight for _, weight in ordered) / 2, 0.0
    for value, weight in ordered:
        sum_ += weight
        if sum_ >= half:
            return value
    return ordered[-1][0]
