"""``xentool host use``."""

import click

from xentool.cli.common import completing
from xentool.hosts import named


@click.command()
@click.argument("name", required=False, shell_complete=completing.named_hosts)
@click.option("--none", is_flag=True, help="Use none any more: this dom0, or a running lab.")
def command(name: str | None, none: bool) -> None:
    """Let commands that are told no host use that called NAME."""
    if (name is None) is not none:
        raise click.UsageError("give a NAME of `xentool host list`, or --none")
    named.use(name)
