"""Command groups that import a command only when it runs: `xentool --help` must answer within 100 ms."""

from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose commands are named by ``"module:attribute"`` and a one-line help."""

    def __init__(self, *args: Any, commands: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:  # noqa: ANN401 - click's own signature
        super().__init__(*args, **kwargs)
        self.lazy = dict(commands)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands, in the order in which they were declared."""
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command, or return None when there is none of that name."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.lazy[cmd_name][0]} is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from their help lines, importing none of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in self.lazy.items()])


def ahead(*modules: str) -> None:
    """Begin to import modules, in a thread of their own: who imports one later waits for what is left."""

    def load() -> None:
        # That one is missing, or breaks, concerns who imports it: there it is told, here nobody asked.
        with suppress(Exception):
            for module in modules:
                import_module(module)

    # No daemon: a process that ends, since there is no such file, may not leave it in the middle of a library.
    Thread(target=load).start()
