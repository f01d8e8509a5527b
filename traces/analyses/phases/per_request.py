"""Counts per request: of phases of one work that were repeated, the mean and how sure it is. Pure.

What surrounds any work, the marks themselves among it, is counted in phases of no work and taken off first.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from statistics import fmean, stdev

from traces.analyses.phases.counts import PhaseCounts
from traces.plain import frozen

#: A kind that comes less often a request is not told.
_RARE = 0.01
#: The work of phases that hold nothing.
NOTHING = "none"
#: Student's t for 95 % on both sides, by degrees of freedom; from the last on the normal distribution's will do.
_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
_NORMAL95 = 1.960


@frozen
class PerRequest:
    """How often something happened for a request: the mean of repeats, and half of its 95 % confidence interval.

    ``plus_minus`` is None of a single repeat.
    """

    mean: float
    plus_minus: float | None
    repeats: tuple[float, ...]


@frozen
class WorkCounts:
    """What a work took under one technique, per request; ``figures`` and ``kinds`` as `PhaseCounts` has them."""

    work: str
    requests: int
    figures: Mapping[str, PerRequest]
    kinds: Mapping[str, Mapping[str, float]]
    shares: Mapping[str, float]
    seconds: PerRequest


def per_request(phases: Iterable[PhaseCounts]) -> list[WorkCounts]:
    """Give each work's counts, in the order in which they came first.

    Kinds that do not come once in a hundred requests are left out.
    """
    by_work: dict[str, list[PhaseCounts]] = {}
    for phase in phases:
        by_work.setdefault(phase.work, []).append(phase)
    nothing = by_work.pop(NOTHING, [])
    return [_of(work, of, nothing) for work, of in by_work.items() if of[0].requests]


def _of(work: str, phases: Sequence[PhaseCounts], nothing: Sequence[PhaseCounts]) -> WorkCounts:
    def per(count: Callable[[PhaseCounts], int]) -> list[float]:
        around = _mean(map(count, nothing))
        return [(count(one) - around) / one.requests for one in phases]

    kinds: dict[str, dict[str, float]] = {}
    for figure in phases[0].figures:
        names = dict.fromkeys(kind for one in phases for kind in one.kinds.get(figure, {}))
        means = {kind: _mean(per(partial(_kind, figure, kind))) for kind in names}
        kept = {kind: mean for kind, mean in means.items() if abs(mean) >= _RARE}
        if kept:
            kinds[figure] = dict(sorted(kept.items(), key=lambda item: -item[1]))
    return WorkCounts(
        work=work,
        requests=phases[0].requests,
        figures={figure: summed(per(partial(_figure, figure))) for figure in phases[0].figures},
        kinds=kinds,
        shares={name: _mean(one.shares.get(name, 0.0) for one in phases) for name in phases[0].shares},
        seconds=summed([one.seconds / one.requests for one in phases]),
    )


def _figure(name: str, phase: PhaseCounts) -> int:
    return phase.figures[name]


def _kind(figure: str, kind: str, phase: PhaseCounts) -> int:
    return phase.kinds.get(figure, {}).get(kind, 0)


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return fmean(found) if found else 0.0


def summed(values: Sequence[float]) -> PerRequest:
    """Give the mean of repeats, and how sure it is."""
    if len(values) < 2:
        return PerRequest(values[0], None, tuple(values))
    t = _T95[len(values) - 2] if len(values) - 2 < len(_T95) else _NORMAL95
    return PerRequest(fmean(values), t * stdev(values) / math.sqrt(len(values)), tuple(values))
