"""The compiled line beside the same in plain Python with exact sums, to the last digit."""

from collections.abc import Sequence
from math import frexp, fsum, inf, sqrt
from random import Random

import pytest

from traces.counting.line import rate, through

Pairs = list[tuple[float, float]]


def reference(every: Pairs) -> tuple[float, float, float, float] | None:
    if len(every) < 8:
        return None
    ratios = sorted((cycles / ns, ns) for cycles, ns in every)
    half, so_far, slope = fsum(ns for _, ns in ratios) / 2, 0.0, ratios[-1][0]
    for value, ns in ratios:
        so_far += ns
        if so_far >= half:
            slope = value
            break
    delay, limit, error = 0.0, inf, 0.0
    for _ in range(8):
        off = [abs(cycles - delay - slope * ns) for cycles, ns in every]
        noise = max(sorted(off)[len(off) // 4] / 0.3186, 1.0, slope)
        new = 3.0 * noise
        line = fitted([pair for pair, distance in zip(every, off, strict=True) if distance <= new], noise, slope)
        if line is None:
            return None
        settled = abs(new - limit) <= 1e-3 * new and abs(line[0] - slope) <= 1e-9 * slope
        (slope, delay, error), limit = line, new
        if settled:
            break
    return slope, delay, error, limit


def fitted(pairs: Pairs, noise: float, slope: float) -> tuple[float, float, float] | None:
    if len(pairs) < 8:
        return None
    ns, cycles = fsum(ns for _, ns in pairs), fsum(cycles for cycles, _ in pairs)
    squares, products = fsum(ns * ns for _, ns in pairs), fsum(cycles * ns for cycles, ns in pairs)
    ones = float(len(pairs))
    width = squares - ns * ns / ones
    if width <= squared(noise / (1e-4 * slope)):
        ones += squared(noise / (300.0 * slope))
        width = squares - ns * ns / ones
    if width <= 0:
        return None
    found = (products - ns * cycles / ones) / width
    return found, (cycles - found * ns) / ones, noise / sqrt(width)


def squared(value: float) -> float:
    # ``**`` rounds otherwise.
    return value * value


def doubted(pairs: Pairs) -> tuple[float, float, float, float, float] | None:
    """Give the rate, by how much it may be wrong by three reasons, and how long a typical run is."""
    lengths = [frexp(ns)[1] for _, ns in pairs]
    alike = {bits: sum(abs(bits - other) <= 1 for other in lengths) for bits in set(lengths)}
    groups = [
        [pair for pair, length in zip(pairs, lengths, strict=True) if length == bits]
        for bits in sorted(alike)
        if alike[bits] >= 4
    ]
    every = [pair for of in groups for pair in of]
    found = reference(every)
    if found is None or found[0] <= 0:
        return None
    slope, delay, error, limit = found
    off = [[(cycles - delay - slope * ns, ns) for cycles, ns in of] for of in groups]
    close = [[run for run in of if abs(run[0]) <= limit] for of in off]
    near = [ns for of in close for _, ns in of]
    weight = fsum(ns for _, ns in every)
    if len(near) < 8 or fsum(near) < 0.3 * weight:
        return None
    far = [run for of in off for run in of if abs(run[0]) > limit]
    by_chance = max(1.0, discord(close)) * error / slope
    typical = fsum(ns * ns for ns in near) / fsum(near)
    return slope, by_chance, wobble(off, slope, limit), another(far, slope, weight), typical


def discord(close: Sequence[Pairs]) -> float:
    squares, found = 0.0, 0
    for of in close:
        if len(of) >= 8:
            shares = [distance / ns for distance, ns in of]
            mean = fsum(shares) / len(of)
            spread = sqrt(fsum(squared(one - mean) for one in shares) / (len(of) - 1) / len(of))
            squares += squared(mean / spread) if spread else 0.0
            found += 1
    return sqrt(squares / (found - 1)) if found > 1 else 1.0


def wobble(off: Sequence[Pairs], slope: float, limit: float) -> float:
    found = weight = 0.0
    for of in off:
        if len(of) >= 8:
            spread = sorted(abs(distance) for distance, _ in of)[len(of) // 4] / 0.3186
            found += len(of) * spread / slope if spread > 1.5 * (limit / 3.0) else 0.0
            weight += fsum(ns for _, ns in of)
    return found / weight if weight else 0.0


def another(far: Pairs, slope: float, weight: float) -> float:
    if len(far) < 8 or fsum(ns for _, ns in far) < 0.1 * weight:
        return 0.0
    middle, agree = agreeing([distance / (slope * ns) for distance, ns in far])
    return abs(middle) if agree >= max(0.55 * len(far), agreeing([distance for distance, _ in far])[1]) else 0.0


def agreeing(values: Sequence[float]) -> tuple[float, int]:
    middle = sorted(values)[len(values) // 2]
    return middle, sum(abs(one - middle) <= 0.5 * abs(middle) for one in values)


def runs(random: Random, count: int, *, longest: float, noise: float) -> Pairs:
    """Make pairs of all lengths up to 10 ** longest ns, a tenth of them far off."""
    made = []
    hz = random.choice((0.024, 1.0, 2.4, 3.123_456_7))
    for _ in range(count):
        ns = int(10 ** random.uniform(3, longest)) + 1
        off = random.choice((0.5, 2.0)) if random.random() < 0.1 else 1 + random.gauss(0, noise)
        made.append((float(int(ns * hz * off + random.uniform(0, 800)) + 1), float(ns)))
    return made


@pytest.mark.parametrize("longest", [4, 9, 21])
@pytest.mark.parametrize("noise", [0, 1e-9, 1e-5, 1e-2])
def test_it_is_the_same_to_the_last_digit(longest: float, noise: float) -> None:
    random = Random(f"{longest} {noise}")  # noqa: S311 - no secret
    for count in (7, 8, 9, 40, 300, 3000):
        pairs = runs(random, count, longest=longest, noise=noise)
        assert through(pairs) == reference(pairs)
        assert rate([(int(cycles), int(ns)) for cycles, ns in pairs]) == doubted(pairs)


@pytest.mark.parametrize("apart", [1.003, 1.5])
@pytest.mark.parametrize("noise", [0, 1e-6, 1e-3])
def test_what_is_in_doubt_of_clocks_of_two_rates_is_the_same(apart: float, noise: float) -> None:
    random = Random(f"{apart} {noise}")  # noqa: S311 - no secret
    told = []
    for longest in (4, 6, 9):
        pairs = runs(random, 300, longest=longest, noise=noise)
        mixed = [(float(int(cycles * random.choice((1, 1, apart)))), ns) for cycles, ns in pairs]
        told.append(rate([(int(cycles), int(ns)) for cycles, ns in mixed]))
        assert told[-1] == doubted(mixed)
    assert any(told)


def test_one_run_that_is_much_longer_than_all_others_tells_nothing() -> None:
    pairs = [(2400 + one, 1000 + one) for one in range(50)]
    alone = rate(pairs)
    assert alone is not None
    assert rate([*pairs, (10**12, 10**12)]) == alone


def shuffled(pairs: Sequence[tuple[float, float]], seed: int) -> Pairs:
    return Random(seed).sample(pairs, len(pairs))  # noqa: S311 - no secret


def test_the_order_of_pairs_means_nothing() -> None:
    pairs = runs(Random("order"), 1000, longest=9, noise=1e-6)  # noqa: S311 - no secret
    found = through(pairs)
    assert found is not None
    assert {through(shuffled(pairs, seed)) for seed in range(20)} == {found}


def test_runs_that_are_all_alike_tell_a_rate_by_the_delay_that_is_known() -> None:
    pairs = [(2400.0 + one, 1000.0) for one in range(50)]
    assert through(pairs) == reference(pairs)
    assert through(pairs) is not None
