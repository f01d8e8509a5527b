"""A pager for what is longer than the terminal's screen, as git has one: $PAGER, else less, which keeps colours.

What fits is written as ever, without one. Nothing is paged in a pipe, nor what comes bit by bit.
Ref: git's pager.c
"""

import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, BinaryIO

#: Commands whose output may be long, and comes as a whole.
PAGED = frozenset(
    (
        *("report", "diff", "dump", "sql", "list", "info", "show", "grants", "evtchn", "channels", "walk"),
        *("detect", "doctor", "device list", "schema", "explain", "conformance", "fleet report", "fleet diff"),
        *("store tree", "store ls", "store list", "store diff"),
    )
)
#: What git tells pagers that are told nothing: less ends where all fits, keeps colours, and leaves the text there.
_SETTINGS = {"LESS": "FRX", "LV": "-c"}
_COLOURS = re.compile(rb"\x1b\[[0-9;]*m")
_CHOICE = [True]


def choose(*, wanted: bool) -> None:
    """Say whether there is to be one at all."""
    _CHOICE[0] = wanted


def program(environ: Mapping[str, str] = os.environ) -> str | None:
    """Give the pager as a line for a shell; None where there is none, or none is wanted."""
    line = environ.get("PAGER", "less")
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    # Words that set variables for it come first.
    name = next((word for word in words if "=" not in word), "cat")
    return None if name == "cat" or environ.get("TERM") == "dumb" or shutil.which(name) is None else line


def paged(command: Callable[..., Any]) -> Callable[..., Any]:
    """Have a command page what it prints, unless it watches, or reads what may come bit by bit."""

    @wraps(command)
    def called(*args: Any, **chosen: Any) -> Any:  # noqa: ANN401 - the command's own
        comes = chosen.get("every") is not None or str(chosen.get("file")) == "-"
        with paging(wanted=not comes):
            return command(*args, **chosen)

    return called


@contextmanager
def paging(*, wanted: bool = True) -> Iterator[None]:
    """Lead what is written on stdout meanwhile through a pager, where stdout is a terminal and has no room for it.

    A pager that is left ends the command, which has done what was wanted.
    """
    pager = program() if wanted and _CHOICE[0] else None
    try:
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        columns = rows = 0
    # A terminal that does not tell its size may have any.
    if pager is None or not rows:
        yield
        return
    real, errors = sys.stdout, sys.stderr
    pages = Pages(real.buffer, pager, columns, rows)
    sys.stdout = _Terminal(io.BufferedWriter(pages), real.encoding, errors=real.errors)
    try:
        with suppress(BrokenPipeError):
            yield
            sys.stdout.flush()
    finally:
        with suppress(BrokenPipeError):
            sys.stdout.flush()
        sys.stdout = real
        pages.end()
        if sys.stderr is not errors:
            told, sys.stderr = sys.stderr, errors
            errors.write(told.getvalue() if isinstance(told, io.StringIO) else "")


class _Terminal(io.TextIOWrapper):
    # Is what leads to a terminal, though by way of a pager: colours, and the width of tables, are as on one.

    def isatty(self) -> bool:
        return True


class Pages(io.RawIOBase):
    """Keeps what is written until a screen has no room for it, and then starts the pager.

    :param real: where it goes if there is room
    """

    def __init__(self, real: BinaryIO, pager: str, columns: int, rows: int) -> None:
        self._real, self._pager, self._columns, self._rows = real, pager, max(columns, 1), rows
        self._held = bytearray()
        self._taken = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._over = False

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - whatever has bytes
        """Take some bytes.

        :raises BrokenPipeError: the pager was left
        """
        written = bytes(data)
        if self._over:
            return len(written)
        if self._process is None:
            self._held += written
            if self._lines(written) >= self._rows:
                self._start()
        else:
            self._pass(written)
        return len(written)

    def end(self) -> None:
        """Show what is held, or wait until the pager is left."""
        self._over = True
        if self._process is None:
            self._real.write(self._held)
            self._real.flush()
            return
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        # Ctrl-C is the pager's now.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._process.wait()
        finally:
            signal.signal(signal.SIGINT, before)

    def _lines(self, written: bytes) -> int:
        # How many lines of the screen all takes, with the one for what a shell says next.
        for line in written.split(b"\n")[:-1]:
            self._taken += 1 + max(len(_COLOURS.sub(b"", line).decode(errors="replace")) - 1, 0) // self._columns
        return self._taken + 1

    def _start(self) -> None:
        environ = _SETTINGS | os.environ
        self._process = subprocess.Popen(["/bin/sh", "-c", self._pager], stdin=subprocess.PIPE, env=environ)
        # Over the pager's picture nothing else is written: it comes below, in the end.
        sys.stderr = io.StringIO()
        self._pass(bytes(self._held))
        self._held.clear()

    def _pass(self, data: bytes) -> None:
        assert self._process is not None  # noqa: S101 - who calls has seen to it
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write(data)
        self._process.stdin.flush()
