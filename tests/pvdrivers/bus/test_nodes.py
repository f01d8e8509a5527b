"""Numbers that a peer keeps in a directory, while it may be removed."""

import errno

import pytest

from pvdrivers.bus.nodes import BadNode, Peer
from pvdrivers.xenstore.client import Refused
from tests.pvdrivers.bus.directory import Directory, peer


class Removed(Directory):
    """What a guest may look at until it is removed: what was above it was never for it to read.

    :param after: how many requests are answered before
    """

    def __init__(self, nodes: dict[str, object], after: int) -> None:
        super().__init__(nodes)
        self._left = after

    def _asked(self, path: str) -> None:
        self._left -= 1
        if self._left < 0:
            raise Refused(errno.EACCES, path)

    def read(self, path: str) -> bytes:
        self._asked(path)
        return super().read(path)

    def directory(self, path: str) -> list[str]:
        self._asked(path)
        return super().directory(path)


def test_numbers_by_name() -> None:
    nodes = {"statistics/requests": 12, "statistics/reads": 0, "state": 4}
    assert peer(nodes).numbers("statistics", 0, 12) == {"requests": 12, "reads": 0}
    assert peer({"state": 4}).numbers("statistics", 0, 12) is None


@pytest.mark.parametrize("after", [0, 1, 2])
def test_numbers_that_go_away_are_none_at_all(after: int) -> None:
    view = Removed({"statistics/requests": 12, "statistics/reads": 0}, after)
    assert Peer(view, "/d").numbers("statistics", 0, 12) is None  # type: ignore[arg-type] # all that it asks of a view


@pytest.mark.parametrize("value", ["13", "x", "-1", ""])
def test_what_is_no_such_number_is_refused(value: str) -> None:
    with pytest.raises(BadNode, match="statistics/reads is"):
        peer({"statistics/reads": value}).numbers("statistics", 0, 12)
