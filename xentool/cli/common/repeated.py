"""Measurements that are made several times: what each gave, and how sure the figures are."""

from collections.abc import Callable, Sequence
from statistics import median_low
from typing import Any

import click

from xentool.output import ticking

#: From here on a figure has no decimals.
_WHOLE = 10
_MILLISECOND = 1000

repeat = click.option(
    "--repeat",
    "times",
    type=click.IntRange(1, 1000),
    default=1,
    metavar="N",
    help="Measure N times: figures are those of the median run, ± is half of the 95 % confidence interval over all.",
)


def measured(measure: Callable[[], dict[str, Any]], seconds: float, times: int) -> list[dict[str, Any]]:
    """Measure so many times, and show on a terminal how far that is.

    :param seconds: that one takes
    """
    found = []
    for number in range(1, times + 1):
        with ticking("measuring" if times == 1 else f"measuring, {number} of {times}", seconds):
            found.append(measure())
    return found


def document(results: Sequence[dict[str, Any]], rate: str) -> dict[str, Any]:
    """Give the median result by a rate; of several, with all of them as ``repeats``."""
    wanted = median_low(result[rate] for result in results)
    told = next(result for result in results if result[rate] == wanted)
    return told if len(results) == 1 else told | {"repeats": list(results)}


def sure(values: Sequence[float]) -> str:
    """Give how sure a figure is, as it is written behind it; nothing of one that was measured once."""
    if len(values) == 1:
        return ""
    from traces.analyses.phases.per_request import summed  # noqa: PLC0415 - a single run needs it not

    interval = summed(values).plus_minus or 0.0
    return f" ±{interval:,.0f}" if interval >= _WHOLE else f" ±{interval:.1f}"


def latencies(result: dict[str, Any]) -> str:
    """Write the line about latencies, of disks and of frames."""
    found = result["latency_us"]
    if found is None:
        return "latency not known"
    figures = (found["p50"], found["p99"], found["p999"], result["latency_max_us"])
    median, most, nearly, last = map(_figure, figures)
    return f"latency in µs: median {median}, 99 % {most}, 99.9 % {nearly}, at most {last}"


def _figure(microseconds: float) -> str:
    return f"{microseconds:,.0f}" if microseconds >= _MILLISECOND else f"{microseconds:.1f}"
