"""The lab's commands."""

import click

from xentool.cli.common.lazy import LazyGroup

COMMANDS = {
    "build": ("xentool.cli.lab.build:command", "Make the image that labs run: Debian, Xen, dom0."),
    "up": ("xentool.cli.lab.up:command", "Boot real Xen, or KVM, in the background."),
    "adopt": ("xentool.cli.lab.adopt:command", "Take a dom0 that `vagrant up` has made as a lab."),
    "status": ("xentool.cli.lab.status:command", "Show the labs and how they are."),
    "guest": ("xentool.cli.lab.guest:group", "Start, stop and list guests."),
    "run": ("xentool.cli.lab.run:command", "Run a command in dom0, or in the KVM host."),
    "shell": ("xentool.cli.lab.shell:command", "Log in to dom0, or to the KVM host."),
    "logs": ("xentool.cli.lab.logs:command", "Show the console of Xen and dom0, of a KVM host, or of a guest."),
    "sync": ("xentool.cli.lab.sync:command", "Bring this checkout's xentool into a running lab."),
    "clean": ("xentool.cli.lab.clean:command", "Remove what labs have left in the cache and nobody needs."),
    "down": ("xentool.cli.lab.down:command", "End a lab."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def group() -> None:
    """Boot real Xen, or KVM, on this machine, without virtualization hardware."""
