"""The commands of block devices."""

import click

from xentool.cli.common.lazy import LazyGroup

COMMANDS = {
    "serve": ("xentool.cli.block.serve:command", "Serve disks to guests, or to programs of this machine."),
    "bench": ("xentool.cli.block.bench:command", "Measure a disk through the block protocol."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def group() -> None:
    """Serve and measure disks by the block protocol: both ends run in userspace, on Xen or anywhere."""
