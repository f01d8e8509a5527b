"""The commands on many captures at once."""

import click

from xentool.cli.common.lazy import LazyGroup

COMMANDS = {
    "report": ("xentool.cli.fleet.report:command", "Report on many captures at once, and which of them stand out."),
    "convert": ("xentool.cli.fleet.convert:command", "Convert many captures into one dataset of Parquet files."),
    "diff": ("xentool.cli.fleet.diff:command", "Tell what differs between two groups of captures."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def group() -> None:
    """Work on captures of many hosts, by Dask's workers on this machine or on others."""
