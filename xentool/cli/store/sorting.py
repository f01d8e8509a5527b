"""In which order nodes are listed: the store's, or sorted; each before those under it, and after its parent."""

from collections.abc import Sequence

from xentool.cli.common import listing
from xentool.tools.store.nodes import Node, parent

ORDERS: listing.Orders[Node] = {
    "name": lambda node: node.path.rpartition("/")[2],
    "value": lambda node: None if node.value is None else node.value.decode("latin-1"),
}


def ordered(nodes: Sequence[Node], by: str | None) -> list[Node]:
    """Sort the children of each node.

    :param nodes: the uppermost first, and each before those under it
    :param by: one of ``ORDERS``; None leaves the store's order
    """
    if by is None:
        return list(nodes)
    below: dict[str | None, list[Node]] = {}
    for node in nodes[1:]:
        below.setdefault(parent(node.path), []).append(node)
    found, stack = [], [nodes[0]]
    while stack:
        node = stack.pop()
        found.append(node)
        stack += reversed(listing.ordered(below.get(node.path, ()), ORDERS, by))
    return found
