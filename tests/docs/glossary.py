"""Writes docs/glossary.md: what `xentool explain` says, all of it.

python -m tests.docs.glossary
"""

from collections.abc import Iterator

from tests.docs.paths import ROOT
from traces.explained import named
from traces.explained.names import KINDS

PAGE = ROOT / "docs/glossary.md"

_HEAD = """\
# Glossary

The names of traces and the terms of Xen: why each exists, what makes it happen, where to look further. In a terminal
`xentool explain` says the same, and the page that `xentool report --html` writes, beside each name that it shows. The
texts are in [traces/explained/texts](../traces/explained/texts), the names in the tables of what is decoded; this page
is made of both (`python -m tests.docs.glossary`).
"""


def page() -> str:
    """Make the page."""
    return "\n".join([_HEAD, *(f"## {KINDS[kind].title}\n\n{''.join(_entries(kind))}" for kind in KINDS)])


def _entries(kind: str) -> Iterator[str]:
    # Names of one text stand together.
    by_text: dict[int, list[str]] = {}
    texts = {}
    for name, text in named(kind).items():
        by_text.setdefault(id(text), []).append(name)
        texts[id(text)] = text
    for key, names in by_text.items():
        text = texts[key]
        shown = ", ".join(f"`{name.replace('_', ' ') if kind == 'term' else name}`" for name in names)
        yield f"- {shown}: {_plain(text.why)} *When:* {_plain(text.when)} *See:* {_plain(text.look)}\n"


def _plain(text: str) -> str:
    # Between backticks nothing is markup.
    parts = text.split("`")
    return "`".join(part if at % 2 else part.replace("*", r"\*").replace("_", r"\_") for at, part in enumerate(parts))


if __name__ == "__main__":
    PAGE.write_text(page())
