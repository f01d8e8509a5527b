"""Records in colours, by their classes, where a terminal shows them."""

import sys

import click

from traces.exporters import dump
from xentool import output

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
    """Give what colours the lines on stdout: nothing where there are to be none."""
    return _paint if output.coloured(sys.stdout) else dump.plain


def _paint(text: str, classes: frozenset[str]) -> str:
    colour = next((colour for name, colour in _COLOURS.items() if name in classes), None)
    return click.style(text, fg=output.LEGIBLE[colour]) if colour else text
