"""`xentool lab down`."""

import click

from xentool import output
from xentool.cli.lab import options
from xentool.cli.lab.progress import shown
from xentool.lab import api


@click.command("down")
@options.which
def command(name: str | None) -> None:
    """End a lab: its guests, their host, the hypervisor; nothing but its console file is kept."""
    with shown() as progress:
        ended = api.down(name, progress)
    output.line(ended)
