"""Where output goes: data on stdout, all else on stderr; no escapes and no progress where no terminal is."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TextIO

from traces.foreign import printable, printable_lines

if TYPE_CHECKING:
    # JSON needs no console, and it is slow to load.
    from rich.console import Console
    from rich.status import Status

    from traces.exporters.drawn import Prints

#: In a file or pipe lines are cut by no terminal; this is wide enough for every table.
_PIPE_WIDTH = 200


#: One for each that draws on the terminal at the moment.
_DRAWING: list[None] = []
#: When there are colours, as --color says: "auto" leaves it to the environment and to what is written to.
_WHEN = ["auto"]
#: Colours by which a terminal of either kind, black or white, shows what rich would show by the first eight; of 256.
LEGIBLE = {"red": 160, "green": 28, "yellow": 136, "blue": 33, "magenta": 133, "cyan": 31, "bright_black": 244}


def choose_colours(when: str) -> None:
    """Say when there are colours: "auto", "always" or "never"."""
    _WHEN[0] = when


def coloured(stream: TextIO) -> bool:
    """Say whether colours go there: as --color says, else not with NO_COLOR, with FORCE_COLOR, else on terminals."""
    if _WHEN[0] != "auto":
        return _WHEN[0] == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if forced := os.environ.get("FORCE_COLOR"):
        return forced != "0"
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def stdout() -> "Console":
    """Give the console for data."""
    return _console()(width=None if sys.stdout.isatty() else _PIPE_WIDTH, **_LOOK, color_system=_colours(sys.stdout))


def on(written: TextIO, width: int) -> "Console":
    """Give a console that writes so wide what `stdout` would, colours too, somewhere else."""
    return _console()(file=written, width=width, **_LOOK, color_system="256" if coloured(sys.stdout) else None)


def tables() -> "Prints":
    """Give what draws a report: the console for data, or what does as it would in a file or pipe, and loads faster."""
    forced = any(name in os.environ for name in ("TTY_COMPATIBLE", "TTY_INTERACTIVE"))
    if (
        sys.stdout.isatty()
        or coloured(sys.stdout)
        or forced
        or not (sys.stdout.encoding or "").lower().startswith("utf")
    ):
        return stdout()
    from traces.exporters.drawn import Plain  # noqa: PLC0415 - JSON needs none

    return Plain(sys.stdout, _PIPE_WIDTH, stdout)


def stderr() -> "Console":
    """Give the console for messages and progress."""
    return _console()(stderr=True, **_LOOK, color_system=_colours(sys.stderr))


#: Text is what it is: nothing in it is markup, an emoji's name, or a number to be coloured.
_LOOK: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False, "no_color": False}


@cache
def _console() -> "type[Console]":
    from rich.console import Console, ConsoleOptions, RenderableType  # noqa: PLC0415 - see above
    from rich.segment import Segment  # noqa: PLC0415 - see above
    from rich.style import Style  # noqa: PLC0415 - see above

    @cache
    def legible(style: Style | None) -> Style | None:
        number = LEGIBLE.get(style.color.name) if style and style.color else None
        return style if style is None or number is None else style + Style(color=f"color({number})")

    class Harmless(Console):
        # Who shows a name makes it printable, so that it gets the room that it takes. This is for what was forgotten.
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
            for segment in super().render(renderable, options):
                text = segment.text
                if segment.control:
                    yield segment
                else:
                    yield Segment(text if text.isprintable() else printable_lines(text), legible(segment.style))

    return Harmless


def line(text: str) -> None:
    """Write a line of data for people; what a terminal would act on in it is escaped."""
    sys.stdout.write(f"{printable(text)}\n")
    sys.stdout.flush()


def say(message: str) -> None:
    """Write a message on stderr: a line, and more of it only where they are indented, which no other message is."""
    lines = re.split(r"\n(?=  )", message)
    sys.stderr.write("".join(f"{printable(one)}\n" for one in (f"xentool: {lines[0]}", *lines[1:])))
    sys.stderr.flush()


@contextmanager
def drawing() -> Iterator[None]:
    """Draw on the terminal meanwhile, alone: what is only to tell somebody that something is waited for is not said."""
    _DRAWING.append(None)
    try:
        yield
    finally:
        _DRAWING.pop()


def is_drawn_on() -> bool:
    """Say whether something draws on the terminal at the moment."""
    return bool(_DRAWING)


@contextmanager
def status(console: "Console", said: str) -> Iterator["Status"]:
    """Show a line that changes in place, where the console is a terminal; give what changes it."""
    with drawing(), console.status(said) as shown:
        yield shown


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
    with drawing(), Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        # Of all that is shown, this alone takes markup.
        task = shown.add_task(escape(printable(title)))
        yield lambda done, total: shown.update(task, completed=done, total=total)


@contextmanager
def ticking(title: str, seconds: float) -> Iterator[None]:
    """Show on a terminal how much of so many seconds has passed, once a second: a measurement hardly notices."""
    if not sys.stderr.isatty():
        yield
        return
    import threading  # noqa: PLC0415 - see above
    import time  # noqa: PLC0415 - see above

    ended = threading.Event()

    def tick() -> None:
        began = time.monotonic()
        while True:
            passed = min(time.monotonic() - began, seconds)
            sys.stderr.write(f"\r{printable(title)}: {passed:.0f} of {seconds:g} s\x1b[K")
            sys.stderr.flush()
            if ended.wait(1):
                break
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()

    ticks = threading.Thread(target=tick, daemon=True)
    with drawing():
        ticks.start()
        try:
            yield
        finally:
            ended.set()
            ticks.join()


def _colours(stream: TextIO) -> Literal["auto", "256"] | None:
    # None leaves bold and dim out too, which rich itself does not.
    if not coloured(stream):
        return None
    return "auto" if stream.isatty() and os.environ.get("TERM") != "dumb" else "256"


def write_json(document: Any) -> None:  # noqa: ANN401 - whatever json can write
    """Write one JSON document on stdout: indented on a terminal, one line in a pipe.

    An object's values may be iterators: these become lists, which are never in memory as a whole.
    """
    indent = 2 if sys.stdout.isatty() else None
    # Not json.dump, which is not compiled.
    if isinstance(document, dict) and any(isinstance(value, Iterator) for value in document.values()):
        sys.stdout.writelines(_in_parts(document, indent))
    else:
        sys.stdout.write(json.dumps(document, indent=indent))
    sys.stdout.write("\n")


def _in_parts(document: dict[str, Any], indent: int | None) -> Iterator[str]:
    # As json.dumps writes it, a value, or an element of one that is an iterator, at a time.
    def start(depth: int, *, first: bool) -> str:
        return ("" if first else ",") + (f"\n{' ' * indent * depth}" if indent else "" if first else " ")

    def inside(value: Any, depth: int) -> str:  # noqa: ANN401 - whatever json can write
        text = json.dumps(value, indent=indent)
        # No text in it has a line's end of its own: json escapes these.
        return text.replace("\n", f"\n{' ' * indent * depth}") if indent else text

    yield "{"
    for number, (name, value) in enumerate(document.items()):
        yield f"{start(1, first=not number)}{json.dumps(name)}: "
        if not isinstance(value, Iterator):
            yield inside(value, 1)
            continue
        count = 0
        yield "["
        for count, element in enumerate(value, 1):
            yield start(2, first=count == 1) + inside(element, 2)
        yield f"{start(1, first=True) if count else ''}]"
    yield f"{start(0, first=True)}}}"
