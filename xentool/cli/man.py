"""``xentool man``."""

import subprocess
import sys
from pathlib import Path

import click

from xentool.cli.common.manual import pages


@click.command()
@click.argument("words", metavar="[COMMAND]...", nargs=-1)
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the pages of all commands into this folder, as in ~/.local/share/man/man1.",
)
def command(words: tuple[str, ...], folder: Path | None) -> None:
    """Show the manual page of a COMMAND, as in `xentool man lab up`; in a pipe, as its source."""
    from xentool.cli.root import group  # noqa: PLC0415 - the root imports commands, not the other way round

    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in pages(group):
            (folder / f"{name}.1").write_text(text, encoding="utf-8")
        return
    wanted = "-".join(("xentool", *words))
    text = dict(pages(group)).get(wanted, "")
    if not text:
        raise click.UsageError(f"there is no command {' '.join(words)!r}")
    if sys.stdout.isatty():
        subprocess.run(["man", "-l", "-"], input=text, text=True, check=False)
    else:
        click.echo(text, nl=False)
