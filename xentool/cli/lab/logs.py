"""`xentool lab logs`."""

import sys

import click

from xentool.cli.lab import options
from xentool.lab import api


@click.command("logs")
@options.name
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added.")
@click.option("--guest", metavar="GUEST", help="A guest's console instead of that of Xen and dom0.")
def command(name: str | None, follow: bool, guest: str | None) -> None:
    """Show the console of Xen and dom0, also of a lab that died, or of a guest."""
    chunks = api.console(name, follow=follow) if guest is None else api.guest_console(guest, name, follow=follow)
    out = sys.stdout.buffer
    for chunk in chunks:
        out.write(chunk)
        out.flush()
