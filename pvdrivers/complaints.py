"""What goes wrong in a server's event loop, for people: a line each, and the same line once."""

import asyncio
from collections.abc import Callable
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM

#: Nothing is wrong with who wanted to connect: it waits until there is room.
LACKING = frozenset({EMFILE, ENFILE, ENOBUFS, ENOMEM})
#: Seconds until it is tried again: as long as asyncio waits.
RETRY = 1.0
# Lines that are remembered.
_MAX = 100


class Complaints:
    """An exception handler for event loops.

    :param log: is told, a line each
    """

    def __init__(self, log: Callable[[str], object]) -> None:
        self._log = log
        self._said: set[str] = set()

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """See ``asyncio.loop.set_exception_handler``."""
        del loop
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in LACKING:
            self.lacking(error)
        else:
            self.say(str(error or context["message"]))

    def lacking(self, error: OSError) -> None:
        """Say that nobody can connect for now."""
        self.say(f"no room for another connection: {error.strerror}; those who connect wait")

    def say(self, line: str) -> None:
        """Say a line, unless it was said."""
        if line not in self._said and len(self._said) < _MAX:
            self._said.add(line)
            self._log(line)
