"""``xentool store ls``."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from xentool.cli.common import completing, listing
from xentool.cli.store import options, sorting
from xentool.tools.store import opened
from xentool.tools.store.document import Snapshot, document, trees_document
from xentool.tools.store.nodes import Node, Unlisted, complain, depth, tree
from xentool.tools.store.values import escaped, shown

if TYPE_CHECKING:
    # Plain text needs none, and it is slow to load.
    from rich.console import Console

_TAG = len(' = "..."')
#: Where xenstore-ls -p puts permissions, if a line is not longer.
_PERMISSIONS_COLUMN = 60


@click.command("ls", cls=listing.Listing)
@options.where
@listing.listed(tuple(sorting.ORDERS))
@options.wide
@click.option("-f", "--flat", is_flag=True, help="Print whole paths, and no line shortened.")
@click.option("-p", "--permissions", is_flag=True, help="Print permissions, too.")
@click.argument("paths", metavar="[PATH]...", nargs=-1, shell_complete=completing.paths)
def command(
    where: str | None, form: listing.Form, wide: bool, flat: bool, permissions: bool, paths: tuple[str, ...]
) -> None:
    """List all under PATH, by default `/`, with values, as xenstore-ls does.

    Lines are shortened only on a terminal. --json prints the document that `snapshot` keeps, with PATH itself; of
    several PATHs one document with theirs in `trees`.
    """
    paths = paths or ("/",)
    whole = wide or flat or form.form == "wide" or not sys.stdout.isatty()
    unlisted: list[Unlisted] = []
    with opened(where) as client:

        def look() -> listing.Answer:
            unlisted.clear()
            snapshots = []
            for path in paths:
                left: list[Unlisted] = []
                nodes = sorting.ordered(tree(client, path, unlisted=left), form.sort)
                snapshots.append(Snapshot(nodes[0].path, time.time(), False, nodes, tuple(left)))
                unlisted.extend(left)

            def lines(columns: int | None = None) -> Iterator[str]:
                for one in snapshots:
                    yield from _lines(one.nodes, columns, flat=flat, permissions=permissions)

            def write(console: "Console") -> None:
                for line in lines(None if whole else console.width - 2):
                    console.print(line, soft_wrap=True)

            return listing.Answer(
                write,
                lambda: (shown(node.path) for one in snapshots for node in one.nodes[1:]),
                lambda: document(snapshots[0]) if len(snapshots) == 1 else trees_document(snapshots),
                head=0,
                plain=lines,
            )

        listing.tell(look, form)
    complain(unlisted)


def _lines(nodes: Sequence[Node], columns: int | None, *, flat: bool, permissions: bool) -> Iterator[str]:
    # Ref: tools/xs-clients/xenstore_client.c, do_ls()
    for node in nodes[1:]:
        indent = 0 if flat else depth(node.path, nodes[0].path) - 1
        line = " " * indent + shown(node.path if flat else node.path.rpartition("/")[2])
        if node.value is None:
            line += ":"
        else:
            value = escaped(node.value)
            room = None if columns is None else max(columns - len(line) - _TAG, 0)
            if room is not None and len(value) > room:
                line += f' = "{value[:room]}\\..."'
            else:
                line += f' = "{value}"'
                if permissions:
                    line += " "
                    if not flat:
                        upto = _PERMISSIONS_COLUMN if columns is None else min(_PERMISSIONS_COLUMN, columns)
                        line += "".join("." if column & 1 else " " for column in range(len(line), upto))
        yield line + (f"  ({shown(','.join(node.permissions))})" if permissions else "")
