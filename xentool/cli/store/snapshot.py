"""``xentool store snapshot``."""

from pathlib import Path

import click

from xentool import output
from xentool.cli.common import completing
from xentool.cli.store import options
from xentool.tools.store import opened
from xentool.tools.store.document import document, save, take
from xentool.tools.store.nodes import complain


@click.command()
@options.where
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.argument("path", default="/", shell_complete=completing.paths)
def command(where: str | None, file: Path, path: str) -> None:
    """Keep PATH, by default `/`, and all under it in FILE (`-`: stdout), as they are at one moment.

    FILE is a JSON document with values and permissions, which only you can read, for passwords of consoles are among
    the values. `diff` compares it.
    """
    with opened(where) as client:
        snapshot = take(client, path)
    if not snapshot.consistent:
        output.say("the store changed all the time; what is kept is not of one moment")
    if str(file) == "-":
        output.write_json(document(snapshot))
    else:
        save(snapshot, file)
    complain(snapshot.unlisted)
