"""``xentool store exists``."""

import click

from xentool.cli.store import options
from xentool.tools.store import opened


@click.command()
@options.where
@options.paths
@click.pass_context
def command(ctx: click.Context, where: str | None, paths: tuple[str, ...]) -> None:
    """Exit with status 0 if every PATH is there, else with 1."""
    with opened(where) as client:
        there = client.transact(lambda view: all(view.exists(path) for path in paths))
    ctx.exit(not there)
