"""Command groups that import a command only when it runs: `xentool --help` must answer within 100 ms."""

from collections.abc import Mapping, Sequence
from copy import copy
from importlib import import_module
from inspect import cleandoc
from typing import Any

import click

from traces.meant import meant
from xentool import output
from xentool.cli.common import pager
from xentool.cli.common.examples import EXAMPLES


class LazyGroup(click.Group):
    """A group whose commands are named by ``"module:attribute"`` and a one-line help.

    :param sections: titles by which the commands are listed, and the names below each; one list without
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - click's own signature
        commands: Mapping[str, tuple[str, str]],
        sections: Mapping[str, Sequence[str]] | None = None,
        **kwargs: Any,  # noqa: ANN401 - click's own signature
    ) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(commands)
        self._sections = sections or {"Commands": tuple(self.lazy)}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands, in the order in which they were declared."""
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command, or return None when there is none of that name; its help begins with examples."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.lazy[cmd_name][0]} is no click command")
        return _shown(command, f"{ctx.command_path} {cmd_name}")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first word names.

        :raises click.UsageError: there is none; the message says which is like it
        """
        name = args[0]
        if not (name.startswith("-") or ctx.resilient_parsing or name in self.list_commands(ctx)):
            raise click.UsageError(f"there is no command {name!r}{meant(name, self.lazy)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from their help lines, importing none of them."""
        del ctx
        for title, names in self._sections.items():
            with formatter.section(title):
                formatter.write_dl([(name, self.lazy[name][1]) for name in names])


def _colours(_context: click.Context, _parameter: click.Parameter, value: str) -> None:
    output.choose_colours(value)


#: What each command takes besides.
_COLOUR = click.Option(
    ["--color"],
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    expose_value=False,
    callback=_colours,
    help="When to use colours.  [default: on terminals, but with NO_COLOR; elsewhere with FORCE_COLOR]",
)


def _unpaged(_context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    pager.choose(wanted=not value)


#: What those take that page what they print.
_NO_PAGER = click.Option(
    ["--no-pager"],
    is_flag=True,
    expose_value=False,
    callback=_unpaged,
    help="Do not show what is longer than the screen in $PAGER, or less.",
)


def _shown(command: click.Command, path: str) -> click.Command:
    # As it is in this program: with examples, and what each command takes.
    shown = copy(command)
    if not isinstance(command, click.Group):
        shown.params = [*command.params, _COLOUR]
    name = path.partition(" ")[2]
    if name in pager.PAGED and command.callback is not None:
        shown.params.append(_NO_PAGER)
        shown.callback = pager.paged(command.callback)
    examples = EXAMPLES.get(name, ())
    shown.help = "\n".join(("\b", "Examples:", *(f"  {line}" for line in examples), "", cleandoc(command.help or "")))
    return shown
