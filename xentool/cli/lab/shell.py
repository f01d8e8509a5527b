"""`xentool lab shell`."""

import click

from xentool.cli.lab import options
from xentool.lab import api


@click.command("shell")
@options.which
@click.pass_context
def command(ctx: click.Context, name: str | None) -> None:
    """Log in to dom0, or to the KVM host, as root."""
    ctx.exit(api.interact(name))
