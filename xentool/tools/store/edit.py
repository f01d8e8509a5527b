"""Changes to a store: each as one transaction, and as a rehearsal that tells what it would do."""

from collections.abc import Callable, Iterable, Sequence

from pvdrivers.xenstore.client import Client, NotFound, View
from xentool.errors import XentoolError
from xentool.tools.store.changes import Change, changes
from xentool.tools.store.nodes import Node, lineage, parent, present, tree

Edit = Callable[[View], None]


def write(view: View, values: Iterable[tuple[str, bytes]]) -> None:
    """Set the values of nodes; they and those above them are created as need be."""
    for path, value in values:
        view.write(path, value)


def create(view: View, paths: Iterable[str]) -> None:
    """Create nodes without values, unless they are there."""
    for path in paths:
        view.mkdir(path)


def remove(view: View, paths: Iterable[str], *, tidy: bool) -> None:
    """Remove nodes and all under them.

    :param tidy: also those above that are left without value and children
    :raises XentoolError: the root was meant; oxenstored would empty itself
    """
    for path in paths:
        if path == "/":
            raise XentoolError("the root is not removed: every domain would lose its devices")
        view.remove(path)
        above = parent(path)
        while tidy and above not in (None, "/") and not view.read(above) and not view.directory(above):
            view.remove(above)
            above = parent(above)


def permit(view: View, path: str, entries: Sequence[str], *, above: bool, below: bool) -> None:
    """Replace permissions of a node.

    :param above: of all nodes above as well, but for the root
    :param below: of all nodes under it as well
    """
    targets = [node.path for node in tree(view, path)] if below else [path]
    if above:
        targets += (each for each in lineage(path) if each != "/")
    for target in targets:
        view.set_permissions(target, entries)


def rehearse(client: Client, paths: Iterable[str], edit: Edit) -> list[Change]:
    """Tell what an edit would change at, above and under some nodes: it is done in a transaction that is thrown away.

    So the store itself refuses what it would refuse.
    """
    with client.transaction() as transaction:
        before = _around(transaction, paths)
        edit(transaction)
        after = _around(transaction, paths)
        transaction.abort()
    return changes(before, after)


def _around(view: View, paths: Iterable[str]) -> list[Node]:
    found: dict[str, Node] = {}
    for path in paths:
        try:
            below = tree(view, path)
        except NotFound:
            below = []
        found |= {node.path: node for node in (*present(view, lineage(path)), *below)}
    return list(found.values())
