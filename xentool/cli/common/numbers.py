"""Numbers that options take: none that is no number, and none that no clock or timer holds."""

import math
from typing import Any

import click

#: Eleven days: poll(2) waits for twice that at most.
SECONDS_MAX = 1e6
#: Of a stretch of a trace, whose clock may be wrong: thirty years.
TRACE_SECONDS_MAX = 1e9
HZ_MAX = 1e12


class Number(click.FloatRange):
    """A number in a range, seconds unless another one is given; click's own lets "nan" pass, which is in none."""

    def __init__(self, least: float, most: float = SECONDS_MAX, *, least_open: bool = False) -> None:
        super().__init__(least, most, min_open=least_open)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's own
        """Read it.

        :raises click.BadParameter: it is none of these
        """
        found = float(super().convert(value, param, ctx))
        if math.isnan(found):
            self.fail(f"{value!r} is no number", param, ctx)
        return found
