"""What differs between two states of nodes."""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from xentool.tools.store.nodes import Node


class Kind(Enum):
    """What became of a node."""

    CREATED = "created"
    REMOVED = "removed"
    CHANGED = "changed"
    #: A watch told of it, and nothing differs: written with what it held, or a special node.
    FIRED = "fired"


class Change(NamedTuple):
    """A node that is not what it was; ``old`` or ``new`` is None where there was, or is, no such node."""

    kind: Kind
    path: str
    old: Node | None
    new: Node | None


def changes(before: Iterable[Node], after: Iterable[Node]) -> list[Change]:
    """List what differs: first what is gone, in its order before, then what is new or changed, in its order after."""
    olds = {node.path: node for node in before}
    news = {node.path: node for node in after}
    gone = [Change(Kind.REMOVED, path, node, None) for path, node in olds.items() if path not in news]
    there = [
        Change(Kind.CHANGED if path in olds else Kind.CREATED, path, olds.get(path), node)
        for path, node in news.items()
        if olds.get(path) != node
    ]
    return gone + there
