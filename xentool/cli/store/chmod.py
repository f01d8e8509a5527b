"""``xentool store chmod``."""

import click

from xentool.cli.common import completing
from xentool.cli.store import options
from xentool.cli.store.changing import change
from xentool.tools.store.edit import permit


@click.command()
@options.where
@options.as_json
@options.dry_run
@click.option("-u", "--upto", is_flag=True, help="Set those of all nodes above as well, but for the root.")
@click.option("-r", "--recurse", is_flag=True, help="Set those of all nodes under PATH as well.")
@click.argument("path", shell_complete=completing.paths)
@click.argument("entries", metavar="MODE...", nargs=-1, required=True)
def command(
    where: str | None, as_json: bool, dry_run: bool, upto: bool, recurse: bool, path: str, entries: tuple[str, ...]
) -> None:
    """Set the permissions of PATH.

    Each MODE is a letter and a domid: n none, r read, w write, b both. The first names the owner, who may do all, and
    its letter is for the domains that no other MODE names: `n0 r5` is dom0's, and domain 5 may read it.
    """
    change(
        where,
        [path],
        lambda view: permit(view, path, entries, above=upto, below=recurse),
        dry_run=dry_run,
        as_json=as_json,
    )
