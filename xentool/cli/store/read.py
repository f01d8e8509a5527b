"""``xentool store read``."""

import sys

import click

from xentool.cli.store import options
from xentool.tools.store import opened
from xentool.tools.store.values import escaped, shown, to_json


@click.command()
@options.where
@options.as_json
@click.option("-p", "--prefix", is_flag=True, help="Print each path before its value.")
@click.option("-R", "--raw", is_flag=True, help="Print the bytes themselves, and nothing behind them.")
@options.paths
def command(where: str | None, as_json: bool, prefix: bool, raw: bool, paths: tuple[str, ...]) -> None:
    """Print the values of one or several PATHs, those of several as they are at one moment.

    The value of one goes into a pipe or file as it is, to the byte. On a terminal, and of several, each is a line with
    escapes, as from xenstore-read.
    """
    with opened(where) as client:
        if len(paths) == 1:
            values = [client.read(paths[0])]
        else:
            values = client.transact(lambda view: [view.read(path) for path in paths])
    if as_json:
        from xentool import output  # noqa: PLC0415 - brings rich, which plain text needs not

        nodes = [{"path": path, **to_json(value)} for path, value in zip(paths, values, strict=True)]
        output.write_json({"schema": "xentool.store.values/1", "nodes": nodes})
        return
    raw = raw or not (prefix or len(paths) > 1 or sys.stdout.isatty())
    for path, value in zip(paths, values, strict=True):
        line = value if raw else f"{escaped(value)}\n".encode()
        click.echo((f"{shown(path)}: ".encode() if prefix else b"") + line, nl=False)
