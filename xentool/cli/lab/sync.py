"""`xentool lab sync`."""

import click

from xentool import output
from xentool.cli.lab import options
from xentool.cli.lab.progress import shown
from xentool.lab import api


@click.command("sync")
@options.which
def command(name: str | None) -> None:
    """Bring this checkout's xentool, scripts and guest into a running lab."""
    with shown() as progress:
        version = api.sync(name, progress)
    output.line(f"dom0 has {version}")
