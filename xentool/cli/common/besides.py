"""Options for what a report shows besides: the slowest, histograms, times of hypercalls, intervals."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from xentool.cli.common import options
from xentool.cli.common.reported import Besides

_most = click.option(
    "--slowest",
    "most",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Show the N slowest wake-ups and VM exits too: who ran there meanwhile, and the records around.",
)
_least = click.option(
    "--slower-than",
    "least",
    callback=options.seconds,
    metavar="DURATION",
    help="Of these only those that took at least so long, as in 250us or 1.5ms.",
)
_histograms = click.option(
    "--histograms", is_flag=True, help="Show how long run states, waits and VM exits took; --json always does."
)
_times = click.option(
    "--times",
    is_flag=True,
    help="Show how long hypercalls took: of PVH and HVM guests exactly, of PV guests at most.",
)
_interval = click.option(
    "--interval",
    callback=options.seconds,
    metavar="DURATION",
    help="Show what each domain did in each interval so long, as in 10ms.",
)


def besides(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options; the command gets them as one, ``besides``."""

    @_most
    @_least
    @_histograms
    @_times
    @_interval
    @wraps(command)
    def shown(
        *,
        most: int | None,
        least: float | None,
        histograms: bool,
        times: bool,
        interval: float | None,
        **others: Any,  # noqa: ANN401 - the command's own
    ) -> None:
        if interval == 0:
            raise click.UsageError("--interval must be longer than 0")
        command(besides=Besides(most, least, histograms, times, interval), **others)

    return shown
