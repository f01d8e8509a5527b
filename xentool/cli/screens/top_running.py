"""The pictures of ``top``, one after the other."""

import json
import sys
import time
from dataclasses import asdict
from itertools import islice

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from xentool import output
from xentool.cli.common.keyboard import Keyboard
from xentool.cli.screens import top
from xentool.hosts import waiting
from xentool.tools.domains.stats import Frame
from xentool.tools.domains.toolstack import Toolstack, frames

#: Columns in a file or pipe.
_PIPE_WIDTH = 400


def printed(toolstack: Toolstack, delay: float, number: int | None, sort: str, *, as_json: bool) -> None:
    """Print one picture, or object, after the other."""
    console = output.stdout()
    if not sys.stdout.isatty():
        # Nothing has to be left out, nor a name cut.
        console.width = _PIPE_WIDTH
    for frame in islice(frames(toolstack, lambda: _slept(delay)), number):
        if as_json:
            click.echo(json.dumps({"schema": "xentool.top/1", "time": time.time(), **asdict(frame)}))
        else:
            console.print(top.picture(toolstack.name, frame, sort, console.width), Text())
            sys.stdout.flush()


def _slept(delay: float) -> bool:
    time.sleep(delay)
    return True


def live(toolstack: Toolstack, delay: float, number: int | None, sort: str, *, traced: bool) -> None:
    """Show one picture in the place of the other, and follow the keys."""
    console = output.stdout()
    shown: Frame | None = None

    def draw() -> None:
        picture: RenderableType = Text("waiting for the first rates", "dim")
        if shown is not None:
            picture = top.picture(toolstack.name, shown, sort, console.width)
        shows.update(Group(picture, Text(), top.keys(sort, traced=traced)), refresh=True)

    def waited() -> bool:
        nonlocal sort
        draw()
        until = time.monotonic() + delay
        while (key := keyboard.pressed(until - time.monotonic())) is not None:
            if key in ("q", ""):
                return False
            sort = top.KEYS.get(key, sort)
            draw()
        return True

    with waiting.hidden(), Keyboard() as keyboard, Live(console=console, screen=True, auto_refresh=False) as shows:
        for frame in islice(frames(toolstack, waited), number):
            shown = frame
    if shown is not None:
        # What was seen last stays, where the page was.
        console.print(top.picture(toolstack.name, shown, sort, console.width))
