"""The commands on many captures at once."""

import click

from xentool.cli.common.lazy import LazyGroup

COMMANDS = {
    "record": ("xentool.cli.fleet.record:command", "Record many hosts at the same time."),
    "report": ("xentool.cli.fleet.report:command", "Report on many captures at once, and which of them stand out."),
    "convert": ("xentool.cli.fleet.convert:command", "Convert many captures into one dataset of Parquet files."),
    "diff": ("xentool.cli.fleet.diff:command", "Tell what differs between two groups of captures."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def group() -> None:
    """Record many hosts at once, and work on many captures, by Dask's workers on this machine or on others."""
