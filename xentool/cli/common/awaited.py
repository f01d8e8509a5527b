"""What a command waits for, said where somebody sits at a terminal and may wonder."""

import sys
from pathlib import Path

from xentool import output
from xentool.tools.tracing.reports import STANDARD


def told(file: Path) -> None:
    """Say that a trace is waited for, if it is to be typed: few mean that."""
    if file == STANDARD and sys.stdin.isatty():
        output.say("waiting for a trace on standard input; Ctrl-C ends")
