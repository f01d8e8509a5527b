"""Which captures stand out among others, and why.

Method: each measure of a domain (how often a second it made a hypercall, which share of the time it waited, …) is
compared over all captures of the same hypervisor that have a domain of its name. Their median says what is usual, and
by how much three quarters of them differ from it at most, how much they differ: few captures spoil neither, and what
more than a quarter of them have in common, those of an older Xen for one, is usual as well. How far off a capture is,
in such deviations, is judged by Student's distribution of four degrees of freedom, since hosts differ by more than a
normal one has it. Of all comparisons those are told that the procedure of Benjamini and Hochberg keeps, as ``compare``
does, and that make a difference to anybody.

Law: a capture takes 16 bytes a measure here, however many there are.
"""

from array import array
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from traces.analyses.compare import limit
from traces.analyses.fleet.digest import CAPTURE, Digest, Whose
from traces.analyses.fleet.parts import Part
from traces.analyses.slices import Measure
from traces.analyses.student import beyond
from traces.plain import frozen

#: Of fewer captures nothing is usual.
PEERS_MIN = 5
#: Measures that are compared; a fleet of hostile captures has more.
_MEASURES_MAX = 20_000
#: So many of all captures are within the deviation; of a normal distribution, so many of its standard deviations.
_WITHIN, _DEVIATIONS = 0.75, 1.1503
#: No measure is taken to be steadier than by this part of it.
_STEADY = 0.05
#: Of Student's distribution, see above.
_FREEDOM = 4.0


class _Kind(NamedTuple):
    # What differs by less than ``least``, or less than ``times`` over, is not told. ``steady`` is the least deviation.
    least: float
    times: float
    steady: float
    absent: bool  # counts as 0 where it did not happen
    by_ratio: bool = False  # compared by its logarithm, and that of ``least`` for all that is shorter


_KINDS = {
    "hypercalls": _Kind(10.0, 2.0, 1.0, absent=True),
    "exits": _Kind(10.0, 2.0, 1.0, absent=True),
    "grants": _Kind(10.0, 2.0, 1.0, absent=True),
    "runstates": _Kind(0.05, 1.0, 0.002, absent=True),
    "latencies": _Kind(1e-5, 2.0, _STEADY, absent=False, by_ratio=True),
    "records": _Kind(0.005, 1.0, 0.0005, absent=True),
}
LOST, SKIPPED = Measure("records", "lost"), Measure("records", "bytes skipped")
#: Waits that are fewer tell no percentile.
_WAITS_MIN = 100


@frozen
class Unusual:
    """A measure of one capture that stands out; ``domain`` is empty where it is one of the capture as a whole."""

    domain: str
    measure: Measure
    value: float
    usual: float
    p: float


def measures(part: Part, *, timed: bool) -> Iterator[tuple[Measure, float]]:
    """Give what of a domain is compared: rates, shares of its vCPUs' time, and the p99 of waits.

    :param timed: whether seconds are seconds; else there are no rates
    """
    if part.vcpu_seconds:
        for name, seconds in part.runstates.items():
            yield Measure("runstates", name), seconds / part.vcpu_seconds
    if not timed or not part.seconds:
        return
    for kind, counts in (("hypercalls", part.hypercalls), ("exits", part.exits)):
        for name, count in counts.items():
            yield Measure(kind, name), count / part.seconds
    yield Measure("grants", "pages mapped by others"), part.granted / part.seconds
    for name, took in part.waits.items():
        if took.count >= _WAITS_MIN:
            yield Measure("latencies", name), took.quantile(0.99)


class Peers:
    """Takes captures one by one, and tells of all together which stand out."""

    def __init__(self) -> None:
        #: Captures that have a domain of this name, and those of them whose rates are known.
        self._there: dict[Whose, array[int]] = {}
        self._timed: dict[Whose, array[int]] = {}
        self._values: dict[tuple[Whose, Measure], tuple[array[int], array[float]]] = {}

    def add(self, number: int, one: Digest) -> None:
        """Take a capture under a number of its own."""
        self._come(CAPTURE, number, timed=True)
        everything = one.records + one.lost
        self._put(number, CAPTURE, LOST, one.lost / everything if everything else 0.0)
        self._put(number, CAPTURE, SKIPPED, one.skipped / one.bytes if one.bytes else 0.0)
        for name, part in one.domains.items():
            if not name:
                continue
            whose = Whose(name, one.source)
            self._come(whose, number, timed=one.timed)
            for measure, value in measures(part, timed=one.timed):
                self._put(number, whose, measure, value)

    def _come(self, whose: Whose, number: int, *, timed: bool) -> None:
        self._there.setdefault(whose, array("q")).append(number)
        if timed:
            self._timed.setdefault(whose, array("q")).append(number)

    def _put(self, number: int, whose: Whose, measure: Measure, value: float) -> None:
        if (whose, measure) not in self._values and len(self._values) == _MEASURES_MAX:
            return
        numbers, values = self._values.setdefault((whose, measure), (array("q"), array("d")))
        numbers.append(number)
        values.append(value)

    def unusual(self) -> dict[int, list[Unusual]]:
        """Tell by a capture's number what of it stands out, the least likely first."""
        count = 0
        found: list[tuple[int, Unusual]] = []
        for (whose, measure), of in self._values.items():
            kind = _KINDS[measure.kind]
            numbers, values = (np.array(one) for one in of)
            if kind.absent:
                numbers, values = self._with_absent(whose, measure, numbers, values)
            if len(values) < PEERS_MIN:
                continue
            count += len(values)
            usual = float(np.median(values))
            off, deviation = _off(values, usual, kind)
            for at in np.flatnonzero((off >= deviation) & (np.abs(values - usual) >= kind.least)).tolist():
                value = float(values[at])
                low, high = sorted((value, usual))
                if high >= kind.times * low:
                    p = beyond(float(off[at]) / deviation, _FREEDOM)
                    found.append((int(numbers[at]), Unusual(whose.name, measure, value, usual, p)))
        most = limit([one.p for _, one in found], count)
        told: dict[int, list[Unusual]] = {}
        for number, one in sorted(found, key=lambda of: of[1].p):
            if one.p <= most:
                told.setdefault(number, []).append(one)
        return told

    def _with_absent(
        self, whose: Whose, measure: Measure, numbers: NDArray[np.int64], values: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        there = self._there if measure.kind == "runstates" else self._timed
        missing = np.setdiff1d(np.array(there[whose]), numbers)
        return np.concatenate([numbers, missing]), np.concatenate([values, np.zeros(len(missing))])


def _off(values: NDArray[np.float64], usual: float, kind: _Kind) -> tuple[NDArray[np.float64], float]:
    # How far each is from what is usual, and by how much they differ.
    if kind.by_ratio:
        off, steady = np.abs(np.log(np.maximum(values, kind.least) / max(usual, kind.least))), kind.steady
    else:
        off, steady = np.abs(values - usual), max(_STEADY * abs(usual), kind.steady)
    return off, max(float(np.quantile(off, _WITHIN)) / _DEVIATIONS, steady)
