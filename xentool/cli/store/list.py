"""``xentool store list``."""

import click

from pvdrivers.xenstore.client.client import join
from xentool.cli.store import options
from xentool.tools.store import opened
from xentool.tools.store.values import shown


@click.command("list")
@options.where
@options.as_json
@click.option("-p", "--prefix", is_flag=True, help="Print whole paths.")
@options.paths
def command(where: str | None, as_json: bool, prefix: bool, paths: tuple[str, ...]) -> None:
    """List the children of each PATH, one a line, as xenstore-list does."""
    with opened(where) as client:
        children = client.transact(lambda view: {path: view.directory(path) for path in paths})
    if as_json:
        from xentool import output  # noqa: PLC0415 - brings rich, which plain text needs not

        directories = [{"path": path, "children": names} for path, names in children.items()]
        output.write_json({"schema": "xentool.store.list/1", "directories": directories})
        return
    for path, names in children.items():
        for name in names:
            click.echo(shown(join(path, name) if prefix else name))
