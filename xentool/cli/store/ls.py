"""``xentool store ls``."""

import shutil
import sys
import time
from collections.abc import Iterator, Sequence

import click

from xentool.cli.store import options
from xentool.tools.store import opened
from xentool.tools.store.document import Snapshot, document, trees_document
from xentool.tools.store.nodes import Node, Unlisted, complain, depth, tree
from xentool.tools.store.values import escaped, shown

_TAG = len(' = "..."')
#: Where xenstore-ls -p puts permissions, if a line is not longer.
_PERMISSIONS_COLUMN = 60


@click.command("ls")
@options.where
@options.as_json
@options.wide
@click.option("-f", "--flat", is_flag=True, help="Print whole paths, and no line shortened.")
@click.option("-p", "--permissions", is_flag=True, help="Print permissions, too.")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
def command(
    where: str | None, as_json: bool, wide: bool, flat: bool, permissions: bool, paths: tuple[str, ...]
) -> None:
    """List all under PATH, by default `/`, with values, as xenstore-ls does.

    Lines are shortened only on a terminal. --json prints the document that `snapshot` keeps, with PATH itself; of
    several PATHs one document with theirs in `trees`.
    """
    unlisted: list[list[Unlisted]] = [[] for _ in paths or ("/",)]
    with opened(where) as client:
        trees = [tree(client, path, unlisted=left) for path, left in zip(paths or ("/",), unlisted, strict=True)]
    columns = shutil.get_terminal_size().columns - 2 if sys.stdout.isatty() and not (wide or flat) else None
    if as_json:
        from xentool import output  # noqa: PLC0415 - brings rich, which plain text needs not

        both = zip(trees, unlisted, strict=True)
        snapshots = [Snapshot(nodes[0].path, time.time(), False, nodes, tuple(left)) for nodes, left in both]
        output.write_json(document(snapshots[0]) if len(snapshots) == 1 else trees_document(snapshots))
    else:
        for nodes in trees:
            for line in _lines(nodes, columns, flat=flat, permissions=permissions):
                click.echo(line)
    complain([each for left in unlisted for each in left])


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
