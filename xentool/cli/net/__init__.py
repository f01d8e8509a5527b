"""The commands of network interfaces."""

import click

from xentool.cli.common.lazy import LazyGroup

COMMANDS = {
    "bench": ("xentool.cli.net.bench:command", "Measure a network interface through the netif protocol."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def group() -> None:
    """Serve and measure network interfaces by the netif protocol: both ends run in userspace, on Xen or anywhere."""
