"""``-t``: records with the wall clock of the host that recorded, as strace has it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from xentool import output
from xentool.errors import XentoolError
from xentool.tools.tracing.reports import STANDARD

if TYPE_CHECKING:
    from traces.answers import Report
    from traces.exporters.dump import Stamp

_MAX = 3

option = click.option(
    "-t",
    "wall",
    count=True,
    help="Print the wall clock of the host that recorded, as strace does: -t the time of day, -tt with microseconds, "
    "-ttt seconds since the epoch; with --json any of them adds unix_ns.",
)


def check(given: int, file: Path) -> None:
    """See to it that what is asked can be told.

    :param given: how often -t was
    :raises click.UsageError: it can't
    """
    if given > _MAX:
        raise click.UsageError("-t is given up to three times")
    if given and file == STANDARD:
        raise click.UsageError(f"-{'t' * given} needs a file: what stdin gives does not tell when it was recorded")


def stamp(report: "Report", file: Path, given: int) -> "Stamp":
    """Give what stamps records, and say how exactly it does.

    :raises XentoolError: it is not known when the trace was recorded
    """
    # Whoever asks for options alone, as Tab does, needs no exporter.
    from traces.exporters.dump import wall_stamps  # noqa: PLC0415 - see above
    from traces.exporters.words import duration, not_recorded  # noqa: PLC0415 - see above

    recorded = report.recorded
    if recorded is None:
        raise XentoolError(f"{file}: {not_recorded(report)}. Leave out -{'t' * given}")
    error = duration(recorded.error_ns / 1e9, 2)
    output.say(f"the first record is of {recorded.text(spec='microseconds')} by dom0's clock, give or take {error}")
    return wall_stamps(recorded, given)
