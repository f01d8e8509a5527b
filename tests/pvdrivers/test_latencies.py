"""Shares of latencies, from samples that are known."""

import pytest

from pvdrivers.latencies import shares, within


@pytest.mark.parametrize(
    ("latencies", "longest", "expected"),
    [
        ({}, 0, (0.0, 0.0, 0.0)),
        ({(3000, 3001): 1}, 3000, (3.0, 3.0, 3.0)),
        # 990 of one microsecond, 9 of two, and one of fifty.
        ({(1000, 1001): 990, (2000, 2001): 9, (50_000, 50_500): 1}, 50_200, (1.0, 1.0, 2.0)),
        ({(1000, 1001): 500, (2000, 2001): 480, (8000, 8001): 19, (50_000, 50_500): 1}, 50_200, (1.0, 8.0, 8.0)),
    ],
)
def test_shares(latencies: dict[tuple[int, int], int], longest: int, expected: tuple[float, float, float]) -> None:
    assert shares(latencies, longest) == dict(zip(("p50", "p99", "p999"), expected, strict=True))
    assert within(latencies, longest, 1) == longest / 1000
