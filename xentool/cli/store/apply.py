"""``xentool store apply``."""

from typing import BinaryIO

import click

from xentool.cli.store import options
from xentool.cli.store.changing import change
from xentool.tools.store.script import SIZE_MAX, parse


@click.command()
@options.where
@options.as_json
@options.dry_run
@click.argument("file", type=click.File("rb"))
def command(where: str | None, as_json: bool, dry_run: bool, file: BinaryIO) -> None:
    """Make the changes that FILE lists (- for standard input), all of them or none, as one transaction.

    \b
    write /local/domain/5/data/greeting good morning
    mkdir /local/domain/5/data/empty
    chmod /local/domain/5/data/empty n5 r0
    rm /local/domain/5/data/old

    A value goes on to the end of its line, and may be escaped as `write` takes it. Empty lines and # are skipped.
    """  # noqa: D301 - raw, click would see two characters, and fold the lines
    script = parse(file.read(SIZE_MAX + 1))
    change(where, script.paths, script.edit, dry_run=dry_run, as_json=as_json)
