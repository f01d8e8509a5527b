"""The pictures of ``top``, one after the other."""

import json
import sys
import time
from dataclasses import asdict
from itertools import islice

import click
from rich.text import Text

from xentool import output
from xentool.cli.screens import top
from xentool.cli.screens.page import Drawn, Page
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


def live(toolstack: Toolstack, delay: float, number: int | None, sort: str) -> None:
    """Show one picture in the place of the other, and follow the keys."""
    shown: Frame | None = None
    details: set[str] = set()

    def draw(width: int) -> Drawn:
        if shown is None:
            return Drawn((), (), Text("waiting for the first rates", "dim"))
        return top.page(toolstack.name, shown, sort, details, width)

    def press(key: str) -> bool:
        nonlocal sort
        sort = top.KEYS.get(key, sort)
        if key in top.DETAILS:
            details.symmetric_difference_update(key)
        return key in top.KEYS or key in top.DETAILS

    with Page(draw, press, top.HELP) as page:
        for frame in islice(frames(toolstack, lambda: page.wait(delay)), number):
            shown = frame
