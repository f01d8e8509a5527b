"""The commands of network interfaces."""

import click

from xentool.cli.common.lazy import LazyGroup

COMMANDS = {
    "serve": ("xentool.cli.net.serve:command", "Serve network interfaces to guests, or to programs of this machine."),
    "dump": ("xentool.cli.net.dump:command", "Write what goes over network interfaces as pcapng, for Wireshark."),
    "bench": ("xentool.cli.net.bench:command", "Measure a network interface through the netif protocol."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def group() -> None:
    """Serve and measure network interfaces by the netif protocol: both ends run in userspace, on Xen or anywhere."""
