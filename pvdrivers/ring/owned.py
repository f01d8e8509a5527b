"""What a queue owns, and gives back whatever becomes of its transport."""

from contextlib import ExitStack, suppress
from typing import TypeVar

from pvdrivers.errors import MachineError

_Owned = TypeVar("_Owned")


def own(owned: ExitStack, one: _Owned, way: str) -> _Owned:
    """Give something back when a stack is closed.

    :param way: the method that does it
    """

    def give_back() -> None:
        # Where the transport is gone, all of it is given back already.
        with suppress(MachineError):
            getattr(one, way)()

    owned.callback(give_back)
    return one
