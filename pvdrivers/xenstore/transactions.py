"""A transaction: a sight of the tree that keeps what it has seen, and at its end holds only if that is still so.

Each node is fixed at its first access, not at the start. Whoever writes, creates or removes has read first, so that
blind writes conflict too, and so does a node that was not there; adding a child changes the node above.

A domain's end is stricter than in xenstored: a node that was to name it then conflicts, lest it outlive the domain
and pass to the next one of that number.

Ref: tools/xenstored/transaction.c
"""

from collections import Counter
from errno import EAGAIN, ENOMEM, ENOSPC

from pvdrivers.xenstore import quotas
from pvdrivers.xenstore.domains import Domain
from pvdrivers.xenstore.errors import StoreError
from pvdrivers.xenstore.perms import Perms
from pvdrivers.xenstore.tree import Match, Node, Tree


class Transaction:
    """One client's open transaction: a ``tree.View``."""

    def __init__(self, tree: Tree, domain: Domain) -> None:
        self._tree = tree
        self._domain = domain
        #: As they were at first access, in order of it; None was not there.
        self._seen: dict[bytes, Node | None] = {}
        #: As they are to be; None is to be removed.
        self._new: dict[bytes, Node | None] = {}
        self._changed: dict[bytes, Match] = {}
        self._bytes = 0
        self._created = False
        self._failed = False
        self._conflict = False
        self.nodes_of = tree.nodes_of
        self.memory_of = tree.memory_of

    def get(self, path: bytes) -> Node | None:
        """Look a node up.

        :raises StoreError: ENOSPC when the transaction has accessed as many as it may; it is lost then
        """
        if path in self._new:
            return self._new[path]
        if path in self._seen:
            return self._seen[path]
        if self._domain.exceeds(quotas.TRANSACTION_NODES, len(self._seen) + 1):
            self._failed = True
            raise StoreError(ENOSPC)
        node = self._seen[path] = self._tree.get(path)
        return node

    def put(self, path: bytes, perms: Perms, value: bytes, children: bytes) -> None:
        """Create or replace a node that was looked up before."""
        self._created |= self.get(path) is None
        self._set(path, Node(self._tree.next_generation(), perms, value, children))

    def drop(self, path: bytes) -> None:
        """Remove a node that was looked up before."""
        self._set(path, None)

    def _set(self, path: bytes, node: Node | None) -> None:
        old = self._new.get(path)
        grown = (node.size + len(path) if node else 0) - (old.size + len(path) if old else 0)
        self._bytes += grown
        self._domain.held += grown
        self._new[path] = node

    def changed(self, path: bytes, match: Match, node: Node | None = None) -> None:
        """Note that watches are to be told once this is committed."""
        del node  # what they may know goes by the permissions before the transaction
        if self._changed.get(path) is not Match.SUBTREE:
            self._changed[path] = match

    def fail(self) -> None:
        """Make ``commit`` refuse."""
        self._failed = True

    def forget_domain(self, domid: int) -> None:
        """Take note that a domain has ended."""
        self._conflict |= any(node and any(perm.domid == domid for perm in node.perms) for node in self._new.values())

    def close(self) -> None:
        """Give back what the transaction took up; it is not used any more."""
        self._domain.held -= self._bytes

    def commit(self) -> None:
        """Make it all so, in order of first access.

        :raises StoreError: EAGAIN when something it saw has changed since; ENOMEM when it has failed before; ENOSPC
            when a domain would own too many nodes
        """
        if self._failed:
            raise StoreError(ENOMEM)
        if self._created and not self._domain.privileged:
            self._check_nodes()
        if self._conflict or any(self._tree.get(path) is not node for path, node in self._seen.items()):
            raise StoreError(EAGAIN)
        for path, seen in self._seen.items():
            if path in self._new:
                node = self._new[path]
                if node is not None:
                    self._tree.place(path, node)
                elif seen is not None:
                    self._tree.drop(path)
            if path in self._changed:
                self._tree.changed(path, self._changed[path], seen)

    def _check_nodes(self) -> None:
        grown: Counter[int] = Counter()
        for path, node in self._new.items():
            seen = self._seen[path]
            if node is not None:
                grown[node.owner] += 1
            if seen is not None:
                grown[seen.owner] -= 1
        # xenstored looks at every owner; but a domain gives no nodes away, and domain 0 has no limit.
        mine = self._domain.domid
        if grown[mine] >= 0 and self._domain.exceeds(quotas.NODES, self._tree.nodes_of[mine] + grown[mine]):
            raise StoreError(ENOSPC)
