"""`xentool lab run`."""

import click

from xentool.cli.lab import options
from xentool.lab import api


@click.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@options.name
@click.argument("argv", metavar="CMD...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, name: str | None, argv: tuple[str, ...]) -> None:
    """Run a command in dom0, as root and without a shell, on this one's own streams; its exit status is passed on."""
    ctx.exit(api.run(argv, name))
