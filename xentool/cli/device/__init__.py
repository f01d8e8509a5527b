"""The commands of PV devices."""

import click

from xentool.cli.common.lazy import LazyGroup

COMMANDS = {
    "list": ("xentool.cli.device.list:command", "List PV devices with the states of both their ends."),
    "attach": ("xentool.cli.device.hotplug:attach", "Plug a device into a running domain."),
    "detach": ("xentool.cli.device.hotplug:detach", "Plug a device out of a running domain."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def group() -> None:
    """List PV devices, plug them in and out."""
