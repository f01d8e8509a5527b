"""`xentool lab guest stop`."""

import click

from xentool import output
from xentool.cli.lab import options
from xentool.lab import api


@click.command("stop")
@click.argument("guest")
@options.name
@options.where
def command(guest: str, name: str | None, where: str | None) -> None:
    """Stop a guest: under Xen in order, by force when it does not follow within 10 s."""
    api.guest_stop(guest, name, where=where)
    output.line(f"{guest} is stopped")
