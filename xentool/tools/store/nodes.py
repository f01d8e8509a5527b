"""Nodes as they are at a moment: path, value and permissions."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple, TypeVar

from pvdrivers.xenstore.client import Conflict, NotFound, Refused, View
from pvdrivers.xenstore.client.client import join
from xentool.errors import XentoolError
from xentool.tools.store.together import together

Value = TypeVar("Value")

#: Ref: docs/misc/xenstore.txt, XS_DIRECTORY_PART, which oxenstored had not for long
_TOO_MANY = "it has more children than fit into one reply, and this store cannot tell them in parts"


class Node(NamedTuple):
    """A node.

    :param value: None when this domain may not read it
    :param permissions: owner and default first (``n0``), then those of other domains (``r5``); empty when not readable
    """

    path: str
    value: bytes | None
    permissions: tuple[str, ...]


class Unlisted(NamedTuple):
    """A node of which the store could not list the children, and why."""

    path: str
    why: str


def parent(path: str) -> str | None:
    """Give the path of the node above; None for the root, for one relative name and for special nodes."""
    above, slash, _ = path.rpartition("/")
    return None if not slash or path == "/" else above or "/"


def lineage(path: str) -> list[str]:
    """List the nodes above one, the topmost first."""
    above = parent(path)
    return [] if above is None else [*lineage(above), above]


def within(path: str, top: str) -> bool:
    """Tell whether a path is another one or lies under it."""
    return path == top or path.startswith(top.rstrip("/") + "/")


def depth(path: str, top: str) -> int:
    """Count how many levels a path lies under another."""
    return len([name for name in path[len(top) :].split("/") if name])


def node(view: View, path: str) -> Node:
    """Read one node.

    :raises NotFound: it is not there
    """
    return Node(path, _allowed(lambda: view.read(path), None), _allowed(lambda: tuple(view.permissions(path)), ()))


def present(view: View, paths: Iterable[str]) -> list[Node]:
    """Read those of some nodes that are there."""
    found = []
    for path in paths:
        with suppress(NotFound):
            found.append(node(view, path))
    return found


def tree(view: View, top: str, levels: int | None = None, *, unlisted: list[Unlisted] | None = None) -> list[Node]:
    """Read a node and all under it, in the store's order, each before its children.

    What goes away meanwhile is left out; children of what this domain may not read as well.

    :param levels: how many levels below the node; None for all
    :param unlisted: takes why the store cannot list the children of a node, which are then left out; None: it is raised
    :raises NotFound: there is no such node
    """
    found = {top: (node(view, top), [] if levels == 0 else children(view, top, unlisted))}
    level = [top]
    while level and levels != 0:
        level = [path for each in level for path in found[each][1]]
        levels = None if levels is None else levels - 1
        look = partial(_if_there, view, unlisted=unlisted, last=levels == 0)
        there = {path: entry for path, entry in zip(level, together(look, level), strict=True) if entry}
        found |= there
        level = list(there)
    return list(_in_order(found, top))


def children(view: View, path: str, unlisted: list[Unlisted] | None = None) -> list[str]:
    """List the paths of a node's children; none where this domain may not read it.

    :param unlisted: as `tree` has it
    :raises NotFound: there is no such node
    """
    try:
        names: list[str] = _allowed(lambda: view.directory(path), [])
    except NotFound:
        raise
    except Refused as error:
        if unlisted is None or isinstance(error, Conflict):
            raise
        unlisted.append(Unlisted(path, _TOO_MANY if error.code == errno.E2BIG else os.strerror(error.code)))
        return []
    return [join(path, name) for name in names]


def _if_there(view: View, path: str, *, unlisted: list[Unlisted] | None, last: bool) -> tuple[Node, list[str]] | None:
    try:
        return node(view, path), [] if last else children(view, path, unlisted)
    except NotFound:
        return None


def _in_order(found: dict[str, tuple[Node, list[str]]], top: str) -> Iterator[Node]:
    stack = [top]
    while stack:
        if entry := found.get(stack.pop()):
            yield entry[0]
            stack += reversed(entry[1])


def complain(unlisted: Sequence[Unlisted]) -> None:
    """Fail if something could not be listed; to be called when all the rest is told.

    :raises XentoolError: naming it
    """
    if unlisted:
        paths = list(dict.fromkeys(each.path for each in unlisted))
        more = f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""
        raise XentoolError(f"cannot list {paths[0]}{more}: {unlisted[0].why}; what lies under it is left out")


def _allowed(read: Callable[[], Value], otherwise: Value) -> Value:
    try:
        return read()
    except Refused as error:
        if error.code == errno.EACCES:
            return otherwise
        raise
