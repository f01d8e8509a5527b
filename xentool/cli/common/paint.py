"""Records in colours, by their classes, where a terminal shows them."""

import os
import sys

import click

from traces.exporters import dump

#: The first class that a record has decides.
_COLOURS = {
    "exit": "magenta",
    "grant": "green",
    "evtchn": "green",
    "mm": "yellow",
    "trap": "red",
    "irq": "red",
    "io": "red",
    "hypercall": "cyan",
    "sched": "bright_black",
}


def paint() -> dump.Paint:
    """Give what colours the lines on stdout: nothing in a pipe or under NO_COLOR."""
    return _paint if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else dump.plain


def _paint(text: str, classes: frozenset[str]) -> str:
    colour = next((colour for name, colour in _COLOURS.items() if name in classes), None)
    return click.style(text, fg=colour) if colour else text
