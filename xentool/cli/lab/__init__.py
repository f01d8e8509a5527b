"""The lab's commands."""

import click

from xentool.cli.common.lazy import LazyGroup

COMMANDS = {
    "build": ("xentool.cli.lab.build:command", "Make the image that labs run: Debian, Xen, dom0."),
    "up": ("xentool.cli.lab.up:command", "Boot real Xen in the background."),
    "status": ("xentool.cli.lab.status:command", "Show the labs and how they are."),
    "guest": ("xentool.cli.lab.guest:group", "Start, stop and list guests."),
    "run": ("xentool.cli.lab.run:command", "Run a command in dom0."),
    "shell": ("xentool.cli.lab.shell:command", "Log in to dom0."),
    "logs": ("xentool.cli.lab.logs:command", "Show the console of Xen and dom0, or of a guest."),
    "sync": ("xentool.cli.lab.sync:command", "Bring this checkout's xentool into a running lab."),
    "down": ("xentool.cli.lab.down:command", "End a lab."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def group() -> None:
    """Boot real Xen on this machine, without virtualization hardware."""
