"""``xentool store rm``."""

import click

from xentool.cli.store import options
from xentool.cli.store.changing import change
from xentool.tools.store.edit import remove


@click.command("rm")
@options.where
@options.as_json
@options.dry_run
@click.option("-t", "--tidy", is_flag=True, help="Remove also nodes above that are left without value and children.")
@options.paths
def command(where: str | None, as_json: bool, dry_run: bool, tidy: bool, paths: tuple[str, ...]) -> None:
    """Remove each PATH and all under it, all of them or none.

    That a node is not there is no error, if the one above is.
    """
    change(where, paths, lambda view: remove(view, paths, tidy=tidy), dry_run=dry_run, as_json=as_json)
