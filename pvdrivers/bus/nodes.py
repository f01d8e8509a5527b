"""What a peer wrote into its nodes, bounds first. It may have written anything, or nothing.

Ref: xen/include/public/io/blkif.h: numbers are decimal; xenstore.txt: a value has at most 4096 bytes less its path
"""

import re
from collections.abc import Callable
from errno import EACCES
from typing import TypeVar

from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.errors import PeerError
from pvdrivers.xenstore.client import NotFound, Refused, View
from pvdrivers.xenstore.client.client import join

_Answer = TypeVar("_Answer")

_NUMBER = re.compile(rb"\s*([0-9]{1,20})\s*")
_TEXT = re.compile(r"[\x20-\x7e]*")
#: How much of a value is worth repeating to people.
_SHOWN = 40


class BadNode(PeerError):
    """A node of the peer's is missing or holds what it cannot."""


class Peer:
    """The other end's directory in a view of XenStore.

    :param path: where it is
    """

    def __init__(self, view: View, path: str) -> None:
        self._view = view
        self.path = path

    def _read(self, name: str) -> bytes | None:
        return self._had(self._view.read, name)

    def _had(self, ask: Callable[[str], _Answer], name: str) -> _Answer | None:
        try:
            return ask(join(self.path, name))
        except NotFound:
            return None
        except Refused as error:
            # All that a guest is told of a directory that is gone: what was above it was never for it to read.
            if error.code != EACCES:
                raise
            return None

    def state(self) -> XenbusState:
        """Give its state: unknown when the node is missing or holds no state."""
        number = _NUMBER.fullmatch(self._read("state") or b"")
        try:
            return XenbusState(int(number[1])) if number else XenbusState.UNKNOWN
        except ValueError:
            return XenbusState.UNKNOWN

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Give the number in a node.

        :param default: for a node that is missing; None if it must not be
        :raises BadNode: it is missing, no number, or not from ``low`` to ``high``
        """
        value = self._read(name)
        if value is None:
            if default is None:
                raise BadNode(f"{name} is missing")
            return default
        return _number(name, value, low, high)

    def numbers(self, name: str, low: int, high: int) -> dict[str, int] | None:
        """Give the numbers in all nodes right below one, by name; None if there is no such node, or no longer.

        :raises BadNode: one is no number, or not from ``low`` to ``high``
        """
        values: dict[str, int] = {}
        for child in self._had(self._view.directory, name) or ():
            each = join(name, child)
            if (value := self._read(each)) is None:
                # It is being removed.
                return None
            values[child] = _number(each, value, low, high)
        return values or None

    def flag(self, name: str) -> bool:
        """Tell whether a feature is there: a missing node says no, and any number but 0 says yes.

        :raises BadNode: it is no number
        """
        return self.number(name, 0, 2**64 - 1, 0) != 0

    def text(self, name: str, default: str | None = None) -> str:
        """Give the printable text in a node.

        :param default: for a node that is missing; None if it must not be
        :raises BadNode: it is missing, or not printable ASCII
        """
        value = self._read(name)
        if value is None:
            if default is None:
                raise BadNode(f"{name} is missing")
            return default
        text = value.decode("ascii", "replace")
        if not _TEXT.fullmatch(text):
            raise BadNode(f"{name} is {shown(value)}, no text")
        return text

    def has(self, name: str) -> bool:
        """Tell whether a node is there."""
        return self._read(name) is not None


def _number(name: str, value: bytes, low: int, high: int) -> int:
    number = _NUMBER.fullmatch(value)
    if not number:
        raise BadNode(f"{name} is {shown(value)}, no number")
    if not low <= int(number[1]) <= high:
        raise BadNode(f"{name} is {int(number[1])}, not {low} to {high}")
    return int(number[1])


def shown(value: bytes) -> str:
    """Give a value for people, of any bytes and length."""
    return repr(value[:_SHOWN].decode("ascii", "backslashreplace")) + ("..." if len(value) > _SHOWN else "")
