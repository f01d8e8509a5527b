"""`xentool lab run`."""

import click

from xentool.cli.lab import options
from xentool.lab import api


@click.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@options.name
@click.argument("argv", metavar="CMD...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, name: str | None, argv: tuple[str, ...]) -> None:
    """Run a command in dom0, or in the KVM host, as root and without a shell.

    Its standard streams are this one's own, and its exit status is passed on.
    """
    ctx.exit(api.run(argv, name))
