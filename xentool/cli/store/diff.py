"""``xentool store diff``."""

from pathlib import Path

import click

from xentool import output
from xentool.cli.store import options, text
from xentool.tools.store import opened
from xentool.tools.store.document import changes_document, differences, load, take
from xentool.tools.store.nodes import complain

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@options.where
@options.as_json
@options.wide
@click.argument("before", metavar="A", type=_FILE)
@click.argument("after", metavar="[B]", type=_FILE, required=False)
def command(where: str | None, as_json: bool, wide: bool, before: Path, after: Path | None) -> None:
    """Tell what differs between the snapshots A and B, or between A and the store as it is now.

    Lines begin with + for nodes that are new, - for those gone, ~ for other values or permissions.
    """
    old = load(before)
    if after:
        new = load(after)
    else:
        with opened(where) as client:
            new = take(client, old.top)
    found = differences(old, new)
    if as_json:
        output.write_json(changes_document(found))
    else:
        text.show(map(text.change_line, found), wide=wide)
    complain([*old.unlisted, *new.unlisted])
