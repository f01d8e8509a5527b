"""`xentool lab run`."""

import re

import click

from xentool.cli.lab import options
from xentool.lab import api

#: What no program's name has.
_FOR_A_SHELL = re.compile(r"[\s;|&<>$`*?()]")


@click.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@options.name
@click.argument("argv", metavar="CMD...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, name: str | None, argv: tuple[str, ...]) -> None:
    """Run a command in dom0, or in the KVM host, as root; a single word with blanks or the like is for a shell there.

    Its standard streams are this one's own, and its exit status is passed on.
    """
    if len(argv) == 1 and _FOR_A_SHELL.search(argv[0]):
        argv = ("sh", "-c", argv[0])
    ctx.exit(api.run(argv, name))
