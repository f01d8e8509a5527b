"""How long something took, as a distribution: how often in which range, quantiles, and the longest exactly.

Eight ranges an octave, so that a range is at most an eighth as wide as where it begins: fine enough for a p99, and few
enough to keep one distribution a vCPU and reason. ``counting.fold`` counts by the same ranges.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

from traces.plain import field, frozen

_OCTAVE = 8
#: Room for a bucket's number; the reason of an exit stands above it (``lane.TABLES``).
BUCKETS = 1 << 9

#: The clock to which distributions of several clocks are brought: nanoseconds.
COMMON_HZ = 1e9

#: The quantiles that reports tell, by what they are called.
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}


@frozen
class Distribution:
    """Durations in seconds. ``counts`` is how many lie in each range: at least from, less than to."""

    counts: Mapping[tuple[float, float], int] = field(default_factory=dict)
    longest: float = 0.0
    #: All of them together.
    seconds: float = 0.0
    #: Of the clock's cycles.
    hz: float = 1.0

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.counts.values())

    def octaves(self) -> dict[tuple[float, float], int]:
        """Join the ranges to octaves of the clock's cycles: at least from, less than to, which is twice as long."""
        found: Counter[tuple[float, float]] = Counter()
        for (begin, _), count in self.counts.items():
            octave = max(round(begin * self.hz), 1).bit_length()
            found[(1 << octave - 1 if octave > 1 else 0) / self.hz, (1 << octave) / self.hz] += count
        return dict(found)

    def quantile(self, share: float) -> float:
        """Give the duration that ``share`` of all don't exceed, at most an eighth off; 0 if there are none.

        :param share: 0 to 1
        """
        rank = share * self.count
        for (begin, end), count in sorted(self.counts.items()):
            if rank <= count:
                return min(begin + (end - begin) * rank / count, self.longest)
            rank -= count
        return self.longest


def bounds(bucket: int) -> tuple[int, int]:
    """Give the cycles at which a bucket of ``fold.Durations`` begins and ends."""
    places = max(bucket // _OCTAVE - 1, 0)
    begin = (bucket - _OCTAVE * places) << places
    return begin, begin + (1 << places)


def bucket(cycles: int) -> int:
    """Give the bucket of ``fold.Durations`` in which so many cycles lie."""
    places = max(cycles.bit_length() - _OCTAVE.bit_length(), 0)
    return (cycles >> places) + _OCTAVE * places


def distribution(counts: Mapping[int, int], longest: int, cycles: int, hz: float) -> Distribution:
    """Make what ``fold.Durations`` counted one in seconds.

    :param longest: in cycles
    :param cycles: of all together
    :param hz: cycles a second
    """
    if not (counts or longest or cycles):
        return _none(hz)
    return Distribution(
        {_seconds(bucket, hz): count for bucket, count in counts.items()}, longest / hz, cycles / hz, hz
    )


# A trace has many distributions, most of them of nothing or of few ranges: each of these is there once.
@lru_cache(maxsize=4)
def _none(hz: float) -> Distribution:
    return Distribution(hz=hz)


@lru_cache(maxsize=2 * BUCKETS)
def _seconds(bucket: int, hz: float) -> tuple[float, float]:
    begin, end = bounds(bucket)
    return begin / hz, end / hz


def merged(distributions: Iterable[Distribution]) -> Distribution:
    """Put distributions with the same clock together."""
    counts: Counter[tuple[float, float]] = Counter()
    longest, seconds, hz = 0.0, 0.0, 1.0
    for one in distributions:
        counts.update(one.counts)
        longest, hz = max(longest, one.longest), one.hz
        seconds += one.seconds
    return Distribution(counts, longest, seconds, hz)


def common(distributions: Iterable[Distribution]) -> Distribution:
    """Put distributions of any clocks together, in ranges of nanoseconds: a range counts where its middle lies.

    What is told of them is then at most a quarter off.
    """
    counts: Counter[int] = Counter()
    longest, seconds = 0.0, 0.0
    for one in distributions:
        for (begin, end), count in one.counts.items():
            counts[min(bucket(int((begin + end) / 2 * COMMON_HZ)), BUCKETS - 1)] += count
        longest = max(longest, one.longest)
        seconds += one.seconds
    ranges = {_seconds(at, COMMON_HZ): count for at, count in counts.items()}
    return Distribution(ranges, longest, seconds, COMMON_HZ)
