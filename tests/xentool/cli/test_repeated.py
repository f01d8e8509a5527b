"""Measurements that are repeated: which one is told, and how sure it is."""

from typing import Any

import pytest

from xentool.cli.common import repeated


def test_the_median_run_is_told_with_all_of_them() -> None:
    runs: list[dict[str, Any]] = [{"pps": 5, "of": "a"}, {"pps": 1, "of": "b"}, {"pps": 3, "of": "c"}]
    assert repeated.document(runs, "pps") == {"pps": 3, "of": "c", "repeats": runs}
    assert repeated.document(runs[:2], "pps")["of"] == "b"
    assert repeated.document(runs[:1], "pps") == {"pps": 5, "of": "a"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([7.0], ""),
        ([7.0, 7.0], " ±0.0"),
        # Of two values the interval is 12.706 standard errors, which are half their distance.
        ([100.0, 101.0], " ±6.4"),
        ([1000.0, 3000.0], " ±12,706"),
    ],
)
def test_how_sure_a_figure_is(values: list[float], said: str) -> None:
    assert repeated.sure(values) == said


def test_each_run_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    made: list[dict[str, Any]] = []

    def measure() -> dict[str, Any]:
        made.append({})
        return made[-1]

    assert repeated.measured(measure, 1.0, 3) == made
    assert len(made) == 3
    assert capsys.readouterr() == ("", "")


def test_the_line_of_latencies_has_room_in_a_terminal() -> None:
    told = {"latency_us": {"p50": 8.74, "p99": 999.9, "p999": 1_234_567.8}, "latency_max_us": 8_234_567.8}
    line = repeated.latencies(told)
    assert line == "latency in µs: median 8.7, 99 % 999.9, 99.9 % 1,234,568, at most 8,234,568"
    assert len(line) <= 80
    assert repeated.latencies({"latency_us": None}) == "latency not known"
