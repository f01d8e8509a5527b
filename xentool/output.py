"""Where output goes: data on stdout, all else on stderr; no escapes and no progress where no terminal is."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    # JSON needs no console, and it is slow to load.
    from rich.console import Console

#: In a file or pipe lines are cut by no terminal; this is wide enough for every table.
_PIPE_WIDTH = 200


def stdout() -> "Console":
    """Give the console for data."""
    from rich.console import Console  # noqa: PLC0415 - see above

    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH, color_system=_colours())


def stderr() -> "Console":
    """Give the console for messages and progress."""
    from rich.console import Console  # noqa: PLC0415 - see above

    return Console(highlight=False, stderr=True, color_system=_colours())


@contextmanager
def progress(title: str, *, hidden: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show how far something has come, on a terminal: call what this gives with how much is done, and of how much."""
    if hidden or not sys.stderr.isatty():
        # Nothing is loaded that nobody will see.
        yield lambda _done, _total: None
        return
    from rich.markup import escape  # noqa: PLC0415 - see above
    from rich.progress import Progress  # noqa: PLC0415 - see above

    console = stderr()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(escape(title))
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _colours() -> Literal["auto"] | None:
    # By itself rich leaves bold and dim when NO_COLOR is set.
    return None if os.environ.get("NO_COLOR") else "auto"


def printable(text: str) -> str:
    """Write what a terminal would act on (escape sequences, line ends, changes of direction) as escapes."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def write_json(document: Any) -> None:  # noqa: ANN401 - whatever json can write
    """Write one JSON document on stdout: indented on a terminal, one line in a pipe."""
    # Not json.dump, which is not compiled.
    sys.stdout.write(json.dumps(document, indent=2 if sys.stdout.isatty() else None) + "\n")
