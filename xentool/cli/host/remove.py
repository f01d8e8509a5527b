"""``xentool host remove``."""

import click

from xentool.cli.common import completing
from xentool.hosts import named


@click.command()
@click.argument("name", shell_complete=completing.named_hosts)
def command(name: str) -> None:
    """Forget what NAME stands for. If it is in use, none is any more."""
    named.remove(name)
