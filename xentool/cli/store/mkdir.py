"""``xentool store mkdir``."""

import click

from xentool.cli.store import options
from xentool.cli.store.changing import change
from xentool.tools.store.edit import create


@click.command()
@options.where
@options.as_json
@options.dry_run
@options.paths
def command(where: str | None, as_json: bool, dry_run: bool, paths: tuple[str, ...]) -> None:
    """Create each PATH without a value, and those above as need be; what is there stays as it is."""
    change(where, paths, lambda view: create(view, paths), dry_run=dry_run, as_json=as_json)
