"""What differs between two traces by more than their own ups and downs.

Method: each trace is cut into slices of equal time (``slices``); a measure's slices are a sample of what the domain
does. Two samples are compared by Welch's test, and of all comparisons those are told that the procedure of Benjamini
and Hochberg keeps: of what is told, about one in twenty is chance. Slices of a guest that drifts slowly are no
independent sample; such a drift is told as a difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import NamedTuple

from traces.analyses import student
from traces.analyses.slices import Measure, Slices

#: The share of what is told that may be chance.
CHANCE = 0.05
#: Below these nothing is told, however sure: nobody acts on them.
_RATE_MIN, _SHARE_MIN, _SECONDS_MIN = 0.5, 0.001, 1e-6
#: Of what never varies; anything else would divide by zero.
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Change:
    """A measure in both traces: means over time (1/s, share, seconds), and the 95 % interval of ``after - before``."""

    kind: str
    name: str
    before: float
    after: float
    low: float
    high: float
    p: float

    @property
    def difference(self) -> float:
        """Give ``after - before``."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class DomainChanges:
    """What changed in one domain, the largest changes first, and how many measures did not."""

    before: int
    after: int
    name: str | None
    changes: tuple[Change, ...]
    alike: int


class Sample(NamedTuple):
    """What of a measure's slices, or of captures, is compared: their mean, and the variance of that."""

    mean: float
    variance: float
    #: Degrees of freedom of the variance, where there are few.
    freedom: float = inf


#: By domid and measure. Of a hostile trace the slices themselves are large.
Samples = Mapping[int, Mapping[Measure, Sample]]
#: Of what never happened: it has no spread of its own, the other's decides.
_NOTHING = Sample(0.0, 0.0)


def sampled(slices: Slices) -> Samples:
    """Say what of a trace is compared."""
    return {
        domid: {
            measure: Sample(float(values.mean()), float(values.var(ddof=1)) / len(values))
            for measure, values in of.items()
        }
        for domid, of in slices.values.items()
    }


def compare(before: Samples, after: Samples, pairs: Sequence[tuple[int, int, str | None]]) -> tuple[DomainChanges, ...]:
    """Compare domains of two traces.

    :param pairs: domid in the one, domid in the other, and a name for both
    """
    found = kept([changes(before.get(one, {}), after.get(other, {})) for one, other, _ in pairs])
    return tuple(DomainChanges(*pair, *of) for pair, of in zip(pairs, found, strict=True))


def kept(found: Sequence[Sequence[Change]]) -> list[tuple[tuple[Change, ...], int]]:
    """Give of each domain the changes that are told, the largest first, and how many measures are alike."""
    ps = [change.p for changes in found for change in changes]
    most = limit(ps, len(ps))
    answer = []
    for of in found:
        told = [change for change in of if change.p <= most and _matters(change)]
        told.sort(key=lambda change: (change.kind, -abs(change.difference)))
        answer.append((tuple(told), len(of) - len(told)))
    return answer


def changes(before: Mapping[Measure, Sample], after: Mapping[Measure, Sample]) -> list[Change]:
    """Give what changed in one domain, chance or not: of all that happened before or after."""
    every = sorted(before.keys() | after.keys())
    # How long something took can be compared only where it happened in both.
    comparable = [one for one in every if one.kind != "latencies" or (one in before and one in after)]
    found = [_change(one, before.get(one, _NOTHING), after.get(one, _NOTHING)) for one in comparable]
    # What is nowhere is no comparison.
    return [change for change in found if change.before or change.after]


def _change(measure: Measure, one: Sample, other: Sample) -> Change:
    error = max(sqrt(one.variance + other.variance), _TINY)
    difference = other.mean - one.mean
    freedom = _freedom(one, other)
    p = student.beyond(difference / error, freedom)
    width = student.width(freedom) * error
    return Change(measure.kind, measure.name, one.mean, other.mean, difference - width, difference + width, p)


def _freedom(one: Sample, other: Sample) -> float:
    # Degrees of freedom by Welch and Satterthwaite; of what never varies, those of both together.
    both = one.variance + other.variance
    if not both:
        return one.freedom + other.freedom
    parts = [of.variance * of.variance / of.freedom for of in (one, other)]
    return both * both / sum(parts) if sum(parts) else inf


def limit(ps: Sequence[float], count: int) -> float:
    """Give the largest p that is told, of so many comparisons (Benjamini and Hochberg); below 0 if none is.

    :param ps: of those that may be told
    """
    kept = [p for rank, p in enumerate(sorted(ps), 1) if p <= CHANCE * rank / count]
    return max(kept, default=-1.0)


def _matters(change: Change) -> bool:
    least = {"runstates": _SHARE_MIN, "records": _SHARE_MIN, "latencies": _SECONDS_MIN}.get(change.kind, _RATE_MIN)
    return abs(change.difference) >= least
