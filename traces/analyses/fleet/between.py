"""What differs between two groups of captures, by more than captures of one group differ among themselves.

Method: as ``compare``, but a sample is what captures of a group tell of a domain of one name, a value each, however
many records they have; and since captures are few, by Student's distribution.
"""

from collections import Counter

from traces.analyses.compare import Change, Sample, changes, kept
from traces.analyses.fleet.digest import CAPTURE, Digest, Whose
from traces.analyses.fleet.peers import LOST, measures
from traces.analyses.slices import Measure
from traces.plain import frozen

#: Captures of a domain in each group: of fewer nobody knows how much they differ among themselves.
CAPTURES_MIN = 3
#: Domains and measures of one group; what is beyond is left out.
_MOST = 20_000


@frozen
class Between:
    """What changed in domains of one name: ``before`` and ``after`` are how many captures have it.

    ``whose`` is ``CAPTURE`` for what captures are as such. ``alike`` measures did not change.
    """

    whose: Whose
    before: int
    after: int
    changes: tuple[Change, ...]
    alike: int


class Side:
    """Takes the captures of one group; a measure takes some numbers, however many there are."""

    def __init__(self) -> None:
        #: Captures that have a domain, and those of them whose clock is known.
        self.there: Counter[Whose] = Counter()
        self._timed: Counter[Whose] = Counter()
        # How many values there are, their mean, and the sum of squares of what they differ from it by (Welford).
        self._sums: dict[tuple[Whose, Measure], tuple[int, float, float]] = {}

    def add(self, one: Digest) -> None:
        """Take a capture."""
        everything = one.records + one.lost
        self._come(CAPTURE, timed=True)
        self._put(CAPTURE, LOST, one.lost / everything if everything else 0.0)
        for name, part in one.domains.items():
            if name:
                whose = Whose(name, one.source)
                self._come(whose, timed=one.timed)
                for measure, value in measures(part, timed=one.timed):
                    self._put(whose, measure, value)

    def _come(self, whose: Whose, *, timed: bool) -> None:
        self.there[whose] += 1
        self._timed[whose] += timed

    def _put(self, whose: Whose, measure: Measure, value: float) -> None:
        key = whose, measure
        if key not in self._sums and len(self._sums) == _MOST:
            return
        count, mean, squares = self._sums.get(key, (0, 0.0, 0.0))
        off = value - mean
        mean += off / (count + 1)
        self._sums[key] = count + 1, mean, squares + off * (value - mean)

    def samples(self, whose: Whose) -> dict[Measure, Sample]:
        """Give what of a domain is compared; what did not happen in a capture counts as 0, but for waits."""
        found = {}
        for (of, measure), (count, mean, squares) in self._sums.items():
            if of != whose:
                continue
            every = count
            if measure.kind != "latencies":
                every = self.there[whose] if measure.kind in ("runstates", "records") else self._timed[whose]
            if every < CAPTURES_MIN:
                continue
            spread = squares + mean * mean * count * (every - count) / every
            found[measure] = Sample(mean * count / every, spread / (every - 1) / every, every - 1.0)
        return found


def between(before: Side, after: Side) -> tuple[tuple[Between, ...], tuple[Whose, ...]]:
    """Compare two groups: domains of one name and hypervisor, and those that too few captures of a group have."""
    every = sorted(before.there.keys() | after.there.keys())
    enough = [one for one in every if min(before.there[one], after.there[one]) >= CAPTURES_MIN]
    found = kept([changes(before.samples(one), after.samples(one)) for one in enough])
    told = (Between(one, before.there[one], after.there[one], *of) for one, of in zip(enough, found, strict=True))
    return tuple(told), tuple(one for one in every if one not in enough)
