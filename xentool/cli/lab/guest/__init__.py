"""The commands for a lab's guests."""

import click

from xentool.cli.common.lazy import LazyGroup

COMMANDS = {
    "start": ("xentool.cli.lab.guest.start:command", "Start a guest with something to do."),
    "stop": ("xentool.cli.lab.guest.stop:command", "Stop a guest."),
    "list": ("xentool.cli.lab.guest.list:command", "List the guests."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def group() -> None:
    """Start, stop and list the guests of a lab."""
