"""How long to wait for a dom0, and what is said meanwhile: a dom0 that gets no CPU is slow, and not broken.

Without `--timeout` there is no limit where somebody watches, who sees what is waited for and ends it by Ctrl-C; where
nobody does (stderr is no terminal), 300 s.
"""

import contextlib
import math
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from traces.foreign import printable
from traces.plural import plural
from xentool import output

#: Seconds, where nobody watches.
UNWATCHED = 300.0
#: For what may take any time, such as copying a file; also what a client of XenStore takes for it, which adds times.
FOREVER = math.inf
_LONG = 1e8
# Seconds until something is said, and between two looks.
_QUIET, _TICK = 3.0, 0.5
_ROOM = 79
_CLEAR = "\r\x1b[K"

# The command of Xen's that a script is about.
_XL = re.compile(r"(?:^|&& |; )(xl [a-z-]+)", re.MULTILINE)
_CHOICE: list[float] = []
_UNASKED: list[bool] = []


def choose(seconds: float | None) -> None:
    """Set the limit that the user has chosen; None for none chosen."""
    _CHOICE[:] = [] if seconds is None else [seconds]


@contextlib.contextmanager
def chosen(seconds: float) -> Iterator[None]:
    """Set the limit meanwhile."""
    before = _CHOICE[:]
    choose(seconds)
    try:
        yield
    finally:
        _CHOICE[:] = before


def limit() -> float:
    """Give the seconds that a command in dom0, or a request to its XenStore, may take; infinite for no limit."""
    if _CHOICE:
        return _CHOICE[0]
    with contextlib.suppress(KeyError, ValueError):
        if (seconds := float(os.environ["XENTOOL_TIMEOUT"])) > 0:
            return seconds
    return FOREVER if sys.stderr.isatty() else UNWATCHED


def of_requests() -> float:
    """Give the same as a finite number."""
    return min(limit(), _LONG)


def title(argv: Sequence[str]) -> str:
    """Name a command for people: of a script, what it runs of Xen's."""
    if list(argv[:2]) == ["sh", "-c"] and (found := _XL.search(argv[2])):
        return found[1]
    return " ".join(argv[:2]) if argv[0] == "xl" else argv[0]


def load(told: str) -> str:
    """Say how busy a machine is, from its /proc/loadavg and `nproc`; "" where that is something else."""
    words = told.split()
    with contextlib.suppress(ValueError, IndexError):
        cpus = int(words[-1])
        return f"load {float(words[0]):.1f} on {plural(cpus, 'CPU')}"
    return ""


def _line(waited: str, busy: str | None) -> str:
    # A line that wraps cannot be wiped off.
    try:
        room = os.get_terminal_size(sys.stderr.fileno()).columns - 1
    except (OSError, ValueError):
        room = _ROOM
    line = printable(f"{waited}, {busy}" if busy else waited)
    more = f"{line} (Ctrl-C ends it)"
    return more if len(more) <= room else line[:room]


@contextlib.contextmanager
def unasked() -> Iterator[None]:
    """Ask nobody for a password meanwhile: several hosts are connected to at once, and there is one terminal."""
    _UNASKED.append(True)
    try:
        yield
    finally:
        _UNASKED.pop()


def may_ask() -> bool:
    """Say whether somebody may be asked for a password."""
    return not _UNASKED


@contextlib.contextmanager
def shown(
    what: str, busy: Callable[[], str | None] = lambda: None, waits: Callable[[], bool] = lambda: True
) -> Iterator[None]:
    """Say on the terminal, after some seconds, that something is waited for; not while something else draws there.

    :param busy: is asked once, then, how busy the other side is, and may take long to say so
    :param waits: whether it is waited for at all, at the moment
    """
    if not sys.stderr.isatty() or output.is_drawn_on():
        yield
        return
    over = threading.Event()
    told: list[str | None] = []

    def ask() -> None:
        told.append(busy())

    def tick() -> None:
        since = time.monotonic()
        drawn = False
        while not over.wait(_TICK):
            waited = waits()
            if not waited:
                since = time.monotonic()
            seconds = time.monotonic() - since
            if waited and seconds >= _QUIET and not output.is_drawn_on():
                if not drawn and not told:
                    threading.Thread(target=ask, daemon=True).start()
                sys.stderr.write(_CLEAR + _line(f"waiting for {what}: {seconds:.0f} s", told[0] if told else None))
                sys.stderr.flush()
                drawn = True
            elif drawn:
                sys.stderr.write(_CLEAR)
                sys.stderr.flush()
                drawn = False
        if drawn:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()

    thread = threading.Thread(target=tick, name="xentool-waiting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
