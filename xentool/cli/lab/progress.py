"""How the lab's long operations look: one line that changes in place on a terminal, else one plain line per step."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status
from rich.text import Text

from traces.foreign import printable
from xentool import output
from xentool.lab.api import Progress


class _Plain:
    def step(self, text: str) -> None:
        output.say(text)

    def detail(self, text: str) -> None:
        pass


class _Live:
    def __init__(self, console: Console, status: Status) -> None:
        self._console, self._status = console, status
        self._step, self._began = "", time.monotonic()

    def step(self, text: str) -> None:
        self.close()
        self._step, self._began = text, time.monotonic()
        self._status.update(Text(printable(text)))

    def detail(self, text: str) -> None:
        line = f"{self._step} ({time.monotonic() - self._began:.0f} s)"
        # Cut to one line: a status that wraps leaves its upper lines behind.
        room = self._console.width - len(line) - 6
        self._status.update(Text(f"{printable(line)} ").append(printable(text)[: max(room, 0)], "dim"))

    def close(self) -> None:
        if self._step:
            took = f"{time.monotonic() - self._began:.0f} s"
            self._console.print(Text(f"{printable(self._step)} ").append(took, "dim"))
            self._step = ""


@contextmanager
def shown() -> Iterator[Progress]:
    """Show what a long operation says, on stderr."""
    console = output.stderr()
    if not console.is_terminal:
        yield _Plain()
        return
    with output.status(console, "") as status:
        live = _Live(console, status)
        yield live
        live.close()
