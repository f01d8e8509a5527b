"""The command line as click runs it, and what becomes of its errors."""

import sys
from io import StringIO
from shutil import get_terminal_size
from typing import Any

import click

from traces.foreign import printable_lines
from xentool import __version__
from xentool.cli.commands import COMMANDS, INTERRUPTED, SECTIONS, SUMMARY, WRONG_USAGE
from xentool.cli.common.lazy import LazyGroup
from xentool.cli.common.pager import paging
from xentool.cli.quick import brief

_NARROW = 52
_HELP = ["-h", "--help"]


@click.group(
    cls=LazyGroup,
    commands=COMMANDS,
    sections=SECTIONS,
    help=SUMMARY,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={"help_option_names": _HELP},
)
@click.version_option(__version__, "-V", "--version", prog_name="xentool")
@click.pass_context
def group(context: click.Context) -> None:
    """Stand for the command line as a whole."""
    if context.invoked_subcommand is None:
        click.echo(brief(), nl=False, err=True)
        context.exit(WRONG_USAGE)


def run() -> int:
    """Run what the command line says; wrong usage becomes a message and an exit code, all else is raised."""
    try:
        # Narrower than this click takes no terminal to be.
        columns = get_terminal_size().columns
        narrow: dict[str, Any] = {"terminal_width": max(columns - 2, 20)} if columns < _NARROW else {}
        # Help begins with the main job and with examples, which a small screen would scroll away.
        with paging(wanted=sys.argv[-1] in _HELP):
            return group.main(prog_name="xentool", standalone_mode=False, **narrow) or 0
    except click.ClickException as error:
        shown = StringIO()
        error.show(shown)
        click.echo(printable_lines(shown.getvalue()), nl=False, err=True)
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
