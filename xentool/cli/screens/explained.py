"""How explanations look: a name and three lines, which a terminal folds; in a pipe each is a line."""

import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any

from traces.explained import Explanation
from traces.explained.names import KINDS
from xentool import output

_INDENT = 8
#: Lines that are longer are hard to read.
_WIDEST = 110
_NARROWEST = 30


def shown(found: Sequence[Explanation]) -> None:
    """Print what names mean."""
    for number, one in enumerate(found):
        if number:
            output.line("")
        also = f", also {', '.join(map(_spoken, one.also))}" if one.also else ""
        output.line(f"{_spoken(one.name) if one.kind == 'term' else one.name} ({one.kind}{also})")
        for what, text in (("why", one.why), ("when", one.when), ("look", one.look)):
            fold(f"  {what:<{_INDENT - 2}}", text)


def listed(found: Iterable[Explanation]) -> None:
    """Print all names, by kind."""
    for kind, of in groupby(found, lambda one: one.kind):
        output.line(f"{KINDS[kind].title}:")
        fold("  ", " ".join(one.name for one in of))


def document(found: Sequence[Explanation]) -> dict[str, Any]:
    """Make the JSON document."""
    return {
        "schema": "xentool.explain/1",
        "explanations": [
            {
                "kind": one.kind,
                "name": one.name,
                "also": list(one.also),
                "why": one.why,
                "when": one.when,
                "look": one.look,
            }
            for one in found
        ],
    }


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def fold(head: str, text: str) -> None:
    """Print a text behind its head; on a terminal its lines are folded between words, and begin below its first."""
    if not sys.stdout.isatty():
        output.line(head + text)
        return
    width = max(min(get_terminal_size().columns, _WIDEST), _NARROWEST)
    for line in wrap(text, width, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False):
        output.line(line)
