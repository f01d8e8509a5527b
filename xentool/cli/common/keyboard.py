"""Single keys from the terminal, without waiting for Enter and without an echo."""

import os
import re
import select
import sys
import termios
import time
import tty
from types import TracebackType
from typing import Self

#: What terminals send for keys that are no characters. Ref: XTerm Control Sequences, "PC-Style Function Keys"
_NAMES = {
    "[A": "up",
    "[B": "down",
    "[5~": "page up",
    "[6~": "page down",
    "[H": "home",
    "[1~": "home",
    "[7~": "home",
    "[F": "end",
    "[4~": "end",
    "[8~": "end",
}
_SEQUENCE = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|O.)")
_AT_ONCE = 256


class Keyboard:
    """The terminal's keys as a context manager, which puts the terminal back; Ctrl-C goes on to interrupt."""

    def __enter__(self) -> Self:
        self._descriptor = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._descriptor)
        self._came: list[str] = []
        tty.setcbreak(self._descriptor)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

    def pressed(self, seconds: float) -> str | None:
        """Wait so long for a key; give it as `keys` does, "" when the terminal is gone, or None when no key came."""
        until = time.monotonic() + seconds
        while not self._came:
            if not select.select([self._descriptor], [], [], max(until - time.monotonic(), 0))[0]:
                return None
            told = os.read(self._descriptor, _AT_ONCE)
            if not told:
                return ""
            self._came = keys(told.decode(errors="ignore"))
        return self._came.pop(0)


def keys(told: str) -> list[str]:
    """Take apart what a terminal sent: characters as they are, other keys by name (``page up``); none unknown."""
    found = []
    while told:
        match = _SEQUENCE.match(told)
        if match is None:
            found.append("escape" if told[0] == "\x1b" else told[0])
            told = told[1:]
            continue
        # Keys of the "application" kind begin by O where others do by [.
        if name := _NAMES.get("[" + match[0][2:]):
            found.append(name)
        told = told[match.end() :]
    return found
