"""``xentool store tree``."""

import sys
import time

import click
from rich.console import Console

from xentool.cli.common import completing, listing
from xentool.cli.store import options, sorting, text
from xentool.tools.store import opened
from xentool.tools.store.document import Snapshot, document
from xentool.tools.store.nodes import Unlisted, complain, tree
from xentool.tools.store.values import shown


@click.command(cls=listing.Listing)
@options.where
@listing.listed(tuple(sorting.ORDERS))
@options.wide
@options.levels
@click.argument("path", default="/", shell_complete=completing.paths)
def command(where: str | None, form: listing.Form, wide: bool, levels: int | None, path: str) -> None:
    """Draw PATH, by default `/`, and all under it as a tree.

    With permissions (owner and its letter for all others first: n none, r read, w write, b both), and with the states
    of devices by name.
    """
    whole = wide or form.form == "wide"
    unlisted: list[Unlisted] = []
    with opened(where) as client:

        def look() -> listing.Answer:
            unlisted.clear()
            nodes = sorting.ordered(tree(client, path, levels, unlisted=unlisted), form.sort)

            def write(console: Console) -> None:
                width = None if whole or not sys.stdout.isatty() else console.width
                text.write(text.drawn(nodes, width), console, wide=whole)

            snapshot = Snapshot(path, time.time(), False, nodes, tuple(unlisted))
            return listing.Answer(write, lambda: (shown(node.path) for node in nodes), lambda: document(snapshot))

        listing.tell(look, form)
    complain(unlisted)
