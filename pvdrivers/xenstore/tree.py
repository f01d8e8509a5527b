"""The nodes, and what can be done with them, at once or in a transaction.

Nodes never change; a changed one is another object, by which a transaction knows that somebody was there. Operations
work on a ``View``: the tree itself, or a transaction's own sight of it. They refuse before they change anything.

Ref: tools/xenstored/core.c
"""

from collections import Counter
from collections.abc import Callable, Iterator
from enum import Enum, auto
from errno import EACCES, EINVAL, ENOENT, ENOMEM, ENOSPC, EPERM
from typing import NamedTuple, Protocol

from pvdrivers.xenstore import paths, perms, quotas
from pvdrivers.xenstore.errors import StoreError
from pvdrivers.xenstore.perms import OWNER, READ, WRITE, Perm, Perms

# sizeof(struct node_hdr) and sizeof(struct xs_permissions): quotas count in xenstored's bytes.
_NODE_BYTES = 16
_PERM_BYTES = 8


class Node(NamedTuple):
    """One node.

    :param generation: differs from that of every other node, and of this path's earlier ones
    :param children: their names, each with a NUL behind, oldest first
    """

    generation: int
    perms: Perms
    value: bytes
    children: bytes

    @property
    def owner(self) -> int:
        """The domain whose node it is."""
        return self.perms[0].domid

    @property
    def size(self) -> int:
        """Bytes, as the quotas count them."""
        return _NODE_BYTES + _PERM_BYTES * len(self.perms) + len(self.value) + len(self.children)


class Match(Enum):
    """Which watches a change is for."""

    #: Those at the path itself.
    EXACT = auto()
    #: Those at the path and above.
    SUBTREE = auto()
    #: Special nodes: those at the path and, if they have a depth greater than 0, above.
    DEPTH = auto()
    #: Special nodes: those at the path that have no depth.
    NODEPTH = auto()


class Change(NamedTuple):
    """Something that watches are told of.

    :param readable: permissions of which any one that grants READ lets a watcher know of it
    """

    path: bytes
    match: Match
    readable: tuple[Perms, ...]


class Account(perms.Subject, Protocol):
    """Who asks, and what is left to him."""

    def exceeds(self, quota: str, value: int) -> bool:
        """Tell whether a value is beyond a limit."""
        ...

    @property
    def memory(self) -> int:
        """Bytes that he takes up beside his nodes."""
        ...


class View(Protocol):
    """What operations work on."""

    def get(self, path: bytes, /) -> Node | None:
        """Look a node up; this is an access, that there is none an answer."""
        ...

    def put(self, path: bytes, perms: Perms, value: bytes, children: bytes, /) -> None:
        """Create or replace a node, its path having been looked up before."""
        ...

    def drop(self, path: bytes, /) -> None:
        """Remove a node."""
        ...

    def changed(self, path: bytes, match: Match, node: Node | None = None, /) -> None:
        """Note that watches are to be told.

        :param node: what it was before, where that is no longer to be had, or where its permissions have changed
        """
        ...

    def fail(self) -> None:
        """Note that an operation has failed half-way, so that a transaction must not be committed."""
        ...

    @property
    def nodes_of(self) -> Counter[int]:
        """How many nodes each domain owns, transactions that are open left out."""
        ...

    @property
    def memory_of(self) -> Counter[int]:
        """How many bytes each domain's nodes take up, likewise."""
        ...


class Tree:
    """All nodes.

    :param journal: is told of each node that was put, or dropped (None)
    """

    def __init__(self, journal: Callable[[bytes, Node | None], None] | None = None) -> None:
        self.nodes: dict[bytes, Node] = {}
        self.nodes_of: Counter[int] = Counter()
        self.memory_of: Counter[int] = Counter()
        self.get = self.nodes.get
        self._generation = 0
        self._changes: list[Change] = []
        self._journal = journal

    def plant(self) -> None:
        """Create the nodes that a store begins with."""
        dom0 = (Perm(perms.NONE, 0),)
        self.put(paths.ROOT, dom0, b"", b"tool\0")
        self.put(b"/tool", dom0, b"", b"xenstored\0")
        self.put(b"/tool/xenstored", dom0, b"", b"")
        self.put(b"@releaseDomain", (*dom0, Perm(READ, perms.DOMID_ANY)), b"", b"")
        self.put(b"@introduceDomain", dom0, b"", b"")

    def next_generation(self) -> int:
        """Give a number that no node had before."""
        self._generation += 1
        return self._generation

    def put(self, path: bytes, perms: Perms, value: bytes, children: bytes) -> None:
        """Create or replace a node."""
        self.place(path, Node(self.next_generation(), perms, value, children))

    def place(self, path: bytes, node: Node) -> None:
        """Create or replace a node by this one."""
        old = self.nodes.get(path)
        self.nodes[path] = node
        # Most requests change a value or the children: neither the owner nor the rest of the size.
        if old is not None and old.perms is node.perms:
            self.memory_of[old.perms[0].domid] += (
                len(node.value) + len(node.children) - len(old.value) - len(old.children)
            )
        else:
            self._account(old, path, -1)
            self._account(node, path, 1)
        if self._journal:
            self._journal(path, node)

    def drop(self, path: bytes) -> None:
        """Remove a node."""
        self._account(self.nodes.pop(path), path, -1)
        if self._journal:
            self._journal(path, None)

    def _account(self, node: Node | None, path: bytes, sign: int) -> None:
        if node is not None:
            owner = node.perms[0].domid
            self.nodes_of[owner] += sign
            self.memory_of[owner] += sign * (node.size + len(path))

    def changed(self, path: bytes, match: Match, node: Node | None = None) -> None:
        """Note that watches are to be told."""
        readable = [] if node is None else [node.perms]
        now = self.nodes.get(path)
        if now is not None:
            readable.append(now.perms)
            above = self.nodes.get(paths.parent(path))
            if above is not None:
                readable.append(above.perms)
        self._changes.append(Change(path, match, tuple(readable)))

    def announce(self, special: bytes, domid: int) -> None:
        """Note that the watches on a special node are to be told of a domain."""
        readable = (self.nodes[special].perms, self.nodes[paths.ROOT].perms)
        self._changes.append(Change(special, Match.NODEPTH, readable))
        self._changes.append(Change(b"%b/%d" % (special, domid), Match.DEPTH, readable))

    def fail(self) -> None:
        """Do nothing: operations refuse before they change the tree."""

    def take_changes(self) -> list[Change]:
        """Hand out what watches are to be told, in order."""
        changes, self._changes = self._changes, []
        return changes


def find(view: View, who: perms.Subject, path: bytes, want: int) -> Node:
    """Give a node with which somebody may do what he wants.

    :param want: bits of READ, WRITE, OWNER
    :raises StoreError: ENOENT, EACCES, ENOSPC when a transaction has seen too many nodes
    """
    node = _look(view, who, path, want)
    if node is None:
        raise StoreError(ENOENT)
    return node


def _look(view: View, who: perms.Subject, path: bytes, want: int) -> Node | None:
    """Do as ``find`` does, with None for a node that is not there."""
    node = view.get(path)
    if node is not None and perms.access(node.perms, who) & want == want:
        return node
    # Whether there is a node is nobody's business but that of those who may do such a thing to the nearest one above.
    # In a transaction all these are accessed, as xenstored accesses them, by domain 0 too.
    above = path
    nearest = None
    while nearest is None and above != paths.ROOT:
        above = paths.parent(above)
        nearest = view.get(above)
    if node is not None or nearest is None or not perms.access(nearest.perms, who) & want:
        raise StoreError(EACCES)
    return None


def write(view: View, who: Account, path: bytes, value: bytes) -> None:
    """Set a node's value, creating it and those above it as need be.

    :raises StoreError: EACCES, ENOSPC, ENOMEM
    """
    node = _look(view, who, path, WRITE)
    if node is None:
        _create(view, who, path, value)
    else:
        if not who.privileged:
            _check_sizes(view, who, [(path, node, node._replace(value=value))])
        view.put(path, node.perms, value, node.children)
    view.changed(path, Match.SUBTREE)


def mkdir(view: View, who: Account, path: bytes) -> None:
    """Create a node, and those above it, if it is not there.

    :raises StoreError: EACCES, ENOSPC, ENOMEM
    """
    if _look(view, who, path, WRITE) is None:
        _create(view, who, path, b"")
        view.changed(path, Match.SUBTREE)


def _create(view: View, who: Account, path: bytes, value: bytes) -> None:
    missing = [path]
    while (above := view.get(paths.parent(missing[-1]))) is None:
        missing.append(paths.parent(missing[-1]))
    inherited = above.perms
    if not who.privileged:
        inherited = (Perm(inherited[0].access, who.domid), *inherited[1:])
    new = [
        (
            each,
            None,
            Node(0, inherited, b"" if index else value, paths.name(missing[index - 1]) + b"\0" if index else b""),
        )
        for index, each in enumerate(missing)
    ]
    top = paths.parent(missing[-1])
    grown = above._replace(children=above.children + paths.name(missing[-1]) + b"\0")
    # As xenstored counts: with what was there before the request.
    if who.exceeds(quotas.NODES, view.nodes_of[who.domid] + 1):
        raise StoreError(ENOSPC)
    if not who.privileged:
        _check_sizes(view, who, [*new, (top, above, grown)])
    for each, _, node in new:
        view.put(each, node.perms, node.value, node.children)
    view.put(top, grown.perms, grown.value, grown.children)


def _check_sizes(view: View, who: Account, updates: list[tuple[bytes, Node | None, Node]]) -> None:
    # For domain 0, which has no limits, the updates would be made up for nothing.
    grown = 0
    for path, old, new in updates:
        grown += new.size - old.size if old else new.size + len(path)
        if who.exceeds(quotas.NODE_SIZE, new.size):
            view.fail()
            raise StoreError(ENOSPC)
    if grown > 0 and who.exceeds(quotas.MEMORY, view.memory_of[who.domid] + who.memory + grown):
        view.fail()
        raise StoreError(ENOMEM)


def remove(view: View, who: perms.Subject, path: bytes) -> None:
    """Remove a node with all under it. One that is not there is no error if the node above it is.

    :raises StoreError: EACCES, ENOENT, EINVAL for the root
    """
    node = _look(view, who, path, WRITE)
    if path == paths.ROOT:
        raise StoreError(EINVAL)
    above = view.get(paths.parent(path))
    if above is None:
        # With a node, only where a transaction saw it before the one above was removed.
        raise StoreError(ENOENT if node is None else EINVAL)
    if node is not None:
        cut(view, path)


def cut(view: View, path: bytes) -> None:
    """Remove a node that is there, with all under it: watches are told of children first."""
    above = paths.parent(path)
    node_above = view.get(above)
    stack = [(path, False)]
    while stack:
        at, left = stack.pop()
        node = view.get(at)
        if node is None:
            continue
        if left:
            view.changed(at, Match.SUBTREE if at == path else Match.EXACT, node)
            view.drop(at)
        else:
            stack.append((at, True))
            stack += ((paths.child(at, name), False) for name in reversed(node.children.split(b"\0")[:-1]))
    if node_above is not None:
        # Not to be found by a plain replace: b"ab\0" ends in b"b\0". A transaction may have seen the node above before
        # this one was there: xenstored then answers EIO, and the client would never come to the EAGAIN at the end.
        children = (b"\0" + node_above.children).replace(b"\0" + paths.name(path) + b"\0", b"\0", 1)[1:]
        view.put(above, node_above.perms, node_above.value, children)


def set_perms(view: View, who: perms.Subject, path: bytes, entries: Perms) -> None:
    """Replace a node's permissions.

    :raises StoreError: ENOENT, EACCES when the node belongs to another, EPERM when it were given away
    """
    node = find(view, who, path, WRITE | OWNER)
    if not who.privileged and entries[0].domid != node.owner:
        raise StoreError(EPERM)
    view.put(path, entries, node.value, node.children)
    view.changed(path, Match.SUBTREE, node)


def walk(tree: Tree) -> Iterator[tuple[bytes, Node]]:
    """Give all nodes that can be reached, each before those under it."""
    stack = [b"@introduceDomain", b"@releaseDomain", paths.ROOT]
    while stack:
        path = stack.pop()
        if (node := tree.get(path)) is not None:
            yield path, node
            stack += (paths.child(path, name) for name in reversed(node.children.split(b"\0")[:-1]))
