"""``xentool store tree``."""

import sys
import time

import click

from xentool import output
from xentool.cli.store import options, text
from xentool.tools.store import opened
from xentool.tools.store.document import Snapshot, document
from xentool.tools.store.nodes import Unlisted, complain, tree


@click.command()
@options.where
@options.as_json
@options.wide
@options.levels
@click.argument("path", default="/")
def command(where: str | None, as_json: bool, wide: bool, levels: int | None, path: str) -> None:
    """Draw PATH, by default `/`, and all under it as a tree.

    With permissions (owner and its letter for all others first: n none, r read, w write, b both), and with the states
    of devices by name.
    """
    unlisted: list[Unlisted] = []
    with opened(where) as client:
        nodes = tree(client, path, levels, unlisted=unlisted)
    if as_json:
        output.write_json(document(Snapshot(path, time.time(), False, nodes, tuple(unlisted))))
    else:
        width = None if wide or not sys.stdout.isatty() else output.stdout().width
        text.show(text.drawn(nodes, width), wide=wide)
    complain(unlisted)
