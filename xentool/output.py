"""Where output goes: data on stdout, all else on stderr; no escapes and no progress where no terminal is."""

import json
import sys
from typing import Any

from rich.console import Console

#: In a file or pipe lines are cut by no terminal; this is wide enough for every table.
_PIPE_WIDTH = 200


def stdout() -> Console:
    """Give the console for data. NO_COLOR and a stdout that is no terminal are honoured by rich."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def stderr() -> Console:
    """Give the console for messages and progress."""
    return Console(highlight=False, stderr=True)


def printable(text: str) -> str:
    """Write what a terminal would act on (escape sequences, line ends, changes of direction) as escapes."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def write_json(document: Any) -> None:  # noqa: ANN401 - whatever json can write
    """Write one JSON document on stdout: indented on a terminal, one line in a pipe."""
    json.dump(document, sys.stdout, indent=2 if sys.stdout.isatty() else None)
    sys.stdout.write("\n")
