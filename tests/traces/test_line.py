"""The compiled line beside the same in plain Python with exact sums, to the last digit."""

from collections.abc import Sequence
from math import fsum, inf, sqrt
from random import Random

import pytest

from traces.counting.line import through

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
    squares, products = fsum(ns**2 for _, ns in pairs), fsum(cycles * ns for cycles, ns in pairs)
    ones = float(len(pairs))
    width = squares - ns * ns / ones
    if width <= (noise / (1e-4 * slope)) ** 2:
        ones += (noise / (300.0 * slope)) ** 2
        width = squares - ns * ns / ones
    if width <= 0:
        return None
    found = (products - ns * cycles / ones) / width
    return found, (cycles - found * ns) / ones, noise / sqrt(width)


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
