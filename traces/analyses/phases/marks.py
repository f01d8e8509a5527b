"""Marks by which a guest cuts its trace into phases of known work, each a line of its kernel's log.

``xentool-phase begin WORK REQUESTS`` and ``xentool-phase end WORK``. The kernel writes such a line to its consoles
before its writer goes on, so that what the guest does between two of them, and nothing else, is that work.
"""

import re
from typing import NamedTuple

#: What a phase's line holds, wherever the kernel puts the time.
_MARK = re.compile(
    r"xentool-phase (?:begin (?P<begin>[a-z-]{1,32}) (?P<requests>\d{1,9})|end (?P<end>[a-z-]{1,32}))(?!\S)"
)
#: Lines of hostile guests may have any length.
LINE_MAX = 512


class Mark(NamedTuple):
    """A mark: the work, and how many requests it begins (None: it ends)."""

    work: str
    requests: int | None


class Phase(NamedTuple):
    """A piece of work in a trace: ``begin`` and ``end`` in ticks, both marks left out."""

    work: str
    requests: int
    begin: int
    end: int


def parse(line: str) -> Mark | None:
    """Read a line; None if it is no mark."""
    found = _MARK.search(line[:LINE_MAX])
    if found is None:
        return None
    if found["end"]:
        return Mark(found["end"], None)
    return Mark(found["begin"], int(found["requests"]))


class Lines:
    """Puts the bytes that a guest writes to a port together to lines."""

    def __init__(self) -> None:
        self._line = bytearray()
        #: Whether the next byte begins a line.
        self.empty = True

    def feed(self, byte: int) -> Mark | None:
        """Take a byte; give the mark that its line is, once it ends."""
        self.empty = byte == ord("\n")
        if not self.empty:
            if len(self._line) < LINE_MAX:
                self._line.append(byte)
            return None
        mark = parse(self._line.decode("ascii", "replace"))
        self._line.clear()
        return mark
