"""``xentool store write``."""

import os

import click

from xentool.cli.store import options
from xentool.cli.store.changing import change
from xentool.tools.store.edit import write
from xentool.tools.store.values import unescaped


@click.command(context_settings={"ignore_unknown_options": True})
@options.where
@options.as_json
@options.dry_run
@click.option("-R", "--raw", is_flag=True, help=r"Take values as they are: no \n, \t, \x1b or \001 in them.")
@click.argument("words", metavar="PATH VALUE...", nargs=-1, required=True)
def command(where: str | None, as_json: bool, dry_run: bool, raw: bool, words: tuple[str, ...]) -> None:
    """Set the VALUE of each PATH, all of them or none; nodes that are not there are created, as are those above.

    A VALUE may hold what xenstore-read and `read` print for bytes that are no printable ASCII.
    """
    if len(words) % 2:
        raise click.UsageError("give a VALUE with each PATH")
    paths = words[::2]
    values = [os.fsencode(word) if raw else unescaped(os.fsencode(word)) for word in words[1::2]]
    pairs = list(zip(paths, values, strict=True))
    change(where, paths, lambda view: write(view, pairs), dry_run=dry_run, as_json=as_json)
