"""``xentool top``."""

import json
import sys
import time
from contextlib import closing
from dataclasses import asdict
from itertools import islice

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from xentool import output
from xentool.cli.common import options
from xentool.cli.common.keyboard import Keyboard
from xentool.cli.screens import top as top_view
from xentool.hosts import waiting
from xentool.tools.domains.stats import Frame
from xentool.tools.domains.toolstack import Toolstack, frames
from xentool.tools.store.nodes import complain


@click.command("top")
@click.option(
    "-d",
    "--delay",
    type=click.FloatRange(min=0.1),
    default=3,
    show_default=True,
    metavar="SECONDS",
    help="Time between two pictures.",
)
@click.option("-n", "--number", type=click.IntRange(1), metavar="N", help="End after so many.  [default: q or Ctrl-C]")
@click.option("--sort", type=click.Choice(list(top_view.ORDERS)), default="cpu", show_default=True, help="The order.")
@click.option(
    "-x",
    "--hypercalls",
    "traced",
    is_flag=True,
    help="Trace the host meanwhile, and tell each domain's hypercalls a second.",
)
@options.where
@options.connect
@options.as_json
def command(
    delay: float, number: int | None, sort: str, traced: bool, where: str | None, uri: str | None, as_json: bool
) -> None:
    """Show what each domain uses, again and again: CPU, memory, disks and networks.

    100 % is one physical CPU. What a guest receives is "in". Where stdout is no terminal, one table follows the other;
    --json prints an object a line.

    --hypercalls costs dom0 time, and a host can be traced by one only. A multicall counts as one hypercall.
    """
    traced = traced or sort == "hypercalls"
    with closing(options.toolstack(where, uri, traced=traced)) as toolstack:
        if sys.stdout.isatty() and sys.stdin.isatty() and not as_json:
            _live(toolstack, delay, number, sort, traced=traced)
        else:
            _printed(toolstack, delay, number, sort, as_json=as_json)
    complain(toolstack.unlisted)


def _printed(toolstack: Toolstack, delay: float, number: int | None, sort: str, *, as_json: bool) -> None:
    console = output.stdout()
    for frame in islice(frames(toolstack, lambda: _slept(delay)), number):
        if as_json:
            click.echo(json.dumps({"schema": "xentool.top/1", "time": time.time(), **asdict(frame)}))
        else:
            console.print(top_view.picture(toolstack.name, frame, sort, console.width), Text())
            sys.stdout.flush()


def _slept(delay: float) -> bool:
    time.sleep(delay)
    return True


def _live(toolstack: Toolstack, delay: float, number: int | None, sort: str, *, traced: bool) -> None:
    console = output.stdout()
    shown: Frame | None = None

    def draw() -> None:
        picture: RenderableType = Text("waiting for the first rates", "dim")
        if shown is not None:
            picture = top_view.picture(toolstack.name, shown, sort, console.width)
        live.update(Group(picture, Text(), top_view.keys(sort, traced=traced)), refresh=True)

    def waited() -> bool:
        nonlocal sort
        draw()
        until = time.monotonic() + delay
        while (key := keyboard.pressed(until - time.monotonic())) is not None:
            if key in ("q", ""):
                return False
            sort = top_view.KEYS.get(key, sort)
            draw()
        return True

    with waiting.hidden(), Keyboard() as keyboard, Live(console=console, screen=True, auto_refresh=False) as live:
        for frame in islice(frames(toolstack, waited), number):
            shown = frame
