"""The commands of XenStore."""

import click

from xentool.cli.lazy import LazyGroup

COMMANDS = {
    "serve": ("xentool.cli.store.serve:command", "Serve a XenStore where there is no Xen."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def group() -> None:
    """Read, change, watch and serve XenStore."""
