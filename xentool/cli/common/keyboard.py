"""Single keys from the terminal, without waiting for Enter and without an echo."""

import os
import select
import sys
import termios
import tty
from types import TracebackType
from typing import Self


class Keyboard:
    """The terminal's keys as a context manager, which puts the terminal back; Ctrl-C goes on to interrupt."""

    def __enter__(self) -> Self:
        self._descriptor = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

    def pressed(self, seconds: float) -> str | None:
        """Wait so long for a key; give its character, "" when the terminal is gone, or None when no key came."""
        if not select.select([self._descriptor], [], [], max(seconds, 0))[0]:
            return None
        return os.read(self._descriptor, 1).decode(errors="replace")
