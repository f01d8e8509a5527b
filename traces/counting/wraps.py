"""How often a count of nanoseconds that is cut to 32 bits went round, when cycles are known and their rate is not.

Law: of all rates at which the pairs could make sense, one is taken only if no other one makes nearly as much.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

#: xentrace's records of switches hold 32 bits: 4.29 s.
WRAP_NS = 1 << 32
#: Cycles a nanosecond: below all generic timers of Arm's and above all TSCs that are.
_SLOPE_MIN, _SLOPE_MAX = 0.01, 10.0
#: How far off a pair may be at the right rate, in nanoseconds and as a part of it: what passes between reading the
#: clock and writing the record; and by how much two clocks drift.
_DELAY_NS, _DELAY_SHARE, _DRIFT = 1e5, 0.1, 2e-5
#: Agreement less close than this would be by chance.
_OFF_MAX_NS = 1e8
#: What a single pair tells a rate to, at worst.
_ROUGH = 0.02
#: How far off one may be that went round, as a part of it.
_ROUND = 2e-3
#: Pairs by which a rate is judged, and the first of them after which a hopeless one is given up.
_JUDGES, _FIRST, _FIRST_AGREE = 64, 6, 2
#: Pairs from which rates are guessed, and how often these may have gone round.
_BASES, _TURNS_MAX = 6, 20_000
#: Of all judges: as many must agree with the rate, and with none that is another one.
_AGREE = 0.6
#: Where a pair fits so many rates as well, there are more.
_LIKELY_MAX = 8
#: Runs that are all equally long fit a rate for each time that they may have gone round; ones as short did not.
_SHORT_NS = 200_000_000
Pair = tuple[int, int]


class _Guess(NamedTuple):
    slope: float  # cycles a nanosecond
    error: float  # as a part of it
    short: bool
    agreed: float


def unwrapped(pairs: Sequence[Pair]) -> list[Pair]:
    """Give (cycles, nanoseconds) pairs with what the 32 bits lack; none where that can't be told.

    :param pairs: cycles, and nanoseconds modulo 2 ** 32
    """
    usable = sorted(pair for pair in pairs if pair[0] > 0 and pair[1] > 0)
    judges = _spread(usable, _JUDGES)
    # The first judges are of all lengths, too.
    judges = [one for start in range(_FIRST) for one in judges[start::_FIRST]]
    guesses: list[_Guess] = []
    for base in _spread(usable, _BASES):
        likely = list(islice((one for one in _guesses(base, judges) if one.agreed >= _AGREE), _LIKELY_MAX))
        if len(likely) == _LIKELY_MAX and not likely[0].short:
            return []
        guesses += likely
    if not guesses:
        return []
    best = max(guesses, key=lambda one: (round(one.agreed, 1), one.short, one.agreed))
    if not best.short and not all(_are_same(one, best) for one in guesses):
        return []
    return _resolved(usable, best.slope)


def _guesses(base: Pair, judges: Sequence[Pair]) -> Iterator[_Guess]:
    cycles, ns = base
    most = max(0, int((cycles / _SLOPE_MIN - ns) / WRAP_NS))
    least = max(0, math.ceil((cycles / _SLOPE_MAX - ns) / WRAP_NS))
    if most - least > _TURNS_MAX:
        return
    for turns in range(least, most + 1):
        slope = cycles / (ns + turns * WRAP_NS)
        if not _SLOPE_MIN <= slope <= _SLOPE_MAX:
            continue
        error = min(_DELAY_NS * slope / cycles + _DRIFT, _ROUGH)
        if sum(_agrees(one, slope, error) for one in judges[:_FIRST]) >= _FIRST_AGREE:
            agreed = sum(_agrees(one, slope, error) for one in judges) / len(judges)
            yield _Guess(slope, error, turns == 0 and ns < _SHORT_NS, agreed)


def _agrees(pair: Pair, slope: float, error: float) -> bool:
    took = pair[0] / slope
    off = (took - pair[1] + WRAP_NS / 2) % WRAP_NS - WRAP_NS / 2
    # One that took less than its nanoseconds say has not gone round less than never.
    return abs(off) <= min(_DELAY_NS, _DELAY_SHARE * took) + min(error * took, _OFF_MAX_NS) and took - off >= 0


def _are_same(one: _Guess, other: _Guess) -> bool:
    return abs(one.slope - other.slope) <= 2 * (one.error + other.error) * one.slope


def _resolved(usable: Sequence[Pair], slope: float) -> list[Pair]:
    # From short ones to long ones, each of which tells the rate better for the next.
    found: list[Pair] = []
    for of in _octaves(usable):
        if of[-1][0] / slope < WRAP_NS / 2 and all(ns <= _SHORT_NS for _, ns in of):
            # Too short to have gone round, or to tell the rate better.
            found += of
            continue
        whole = [(cycles, ns + max(0, round((cycles / slope - ns) / WRAP_NS)) * WRAP_NS) for cycles, ns in of]
        found += [(cycles, ns) for cycles, ns in whole if ns < WRAP_NS or abs(cycles / slope - ns) <= _off_max(ns)]
        if any(ns > _SHORT_NS for _, ns in whole):
            ratios = sorted(cycles / ns for cycles, ns in whole)
            better = ratios[len(ratios) // 2]
            if abs(better - slope) <= _ROUGH * slope:
                slope = better
    return found


def _octaves(usable: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
    # Of pairs by their cycles, those whose cycles have as many bits.
    begin = 0
    while begin < len(usable):
        end = bisect_left(usable, (1 << usable[begin][0].bit_length(), 0), begin)
        yield usable[begin:end]
        begin = end


def _off_max(ns: int) -> float:
    # Of one that went round: more is a time that Xen did not count, or counted otherwise.
    return min(max(10 * _DELAY_NS, _ROUND * ns), _OFF_MAX_NS)


def _spread(ordered: Sequence[Pair], most: int) -> list[Pair]:
    # Some of all lengths.
    if len(ordered) <= most:
        return list(ordered)
    return [ordered[(2 * index + 1) * len(ordered) // (2 * most)] for index in range(most)]
