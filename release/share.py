"""Manual pages and shell completions, laid out as below a prefix such as /usr: made of the command line itself."""

import shutil
from pathlib import Path

from xentool.cli.common.manual import pages
from xentool.cli.completion import source
from xentool.cli.root import group

#: Where each shell looks for a program's completions by itself.
COMPLETIONS = {
    "bash": "bash-completion/completions/xentool",
    "zsh": "zsh/site-functions/_xentool",
    "fish": "fish/vendor_completions.d/xentool.fish",
}


def make(folder: Path) -> None:
    """Write them anew into ``folder``."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in pages(group):
        _write(folder / "man/man1" / f"{name}.1", text)
    for shell, place in COMPLETIONS.items():
        _write(folder / place, source(shell))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
