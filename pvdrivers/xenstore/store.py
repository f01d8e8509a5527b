"""The whole store: nodes, watches, domains and the clients' sessions."""

from collections.abc import Callable
from errno import EEXIST, EINVAL, ENOENT, ENOMEM, ENOSPC

from pvdrivers.xenstore import paths, quotas
from pvdrivers.xenstore.domains import DOM0, Domain, Domains
from pvdrivers.xenstore.errors import StoreError
from pvdrivers.xenstore.perms import NONE, READ, Perm, access
from pvdrivers.xenstore.session import Session
from pvdrivers.xenstore.transactions import Transaction
from pvdrivers.xenstore.tree import Tree, cut, walk
from pvdrivers.xenstore.watches import Watch, Watches
from pvdrivers.xenstore.wire import PAYLOAD_MAX


class Store:
    """A store.

    :param tree: what is in it; when that is nothing, it gets the nodes with which a store begins
    :param keep: is called after each request that may have changed it, before it is answered
    """

    def __init__(self, tree: Tree | None = None, keep: Callable[[], object] = lambda: None) -> None:
        self.tree = tree or Tree()
        self._keep = keep
        if not self.tree.nodes:
            self.tree.plant()
        self.domains = Domains()
        self.watches: Watches[Session] = Watches()
        self._sessions: dict[Session, None] = {}

    def connect(self, domid: int, wake: Callable[[], object]) -> Session:
        """Begin a client's session.

        :param wake: see ``Session``
        :raises StoreError: ENOENT when the domain is not introduced
        """
        session = Session(self.domains.introduced(domid), wake)
        self._sessions[session] = None
        return session

    def disconnect(self, session: Session) -> None:
        """End a session with all that it has."""
        self.reset(session)
        session.close()
        self._sessions.pop(session, None)

    def reset(self, session: Session) -> None:
        """Take a session's watches and transactions away."""
        for watch in self.watches.remove_all(session):
            self._account(watch, -1)
        for transaction in list(session.transactions):
            self.close_transaction(session, transaction)

    def publish(self) -> None:
        """Keep what has changed since the last time, and queue the events of it."""
        self._keep()
        for path, match, readable in self.tree.take_changes():
            for watch in self.watches.matching(path, match):
                if any(access(perms, watch.owner.domain) & READ for perms in readable):
                    self.tell(watch, path)

    def tell(self, watch: Watch[Session], path: bytes) -> None:
        """Queue an event, unless it is too long, or the watcher's domain takes up too much memory."""
        domain = watch.owner.domain
        size = len(path) - watch.skip + len(watch.token) + 2
        if size <= PAYLOAD_MAX and not domain.exceeds(
            quotas.MEMORY, self.tree.memory_of[domain.domid] + domain.memory + size
        ):
            watch.owner.event(path[watch.skip :], watch.token)

    def watch(self, session: Session, path: bytes, token: bytes, depth: int, skip: int) -> Watch[Session]:
        """Add a watch (see ``Watch``).

        :raises StoreError: EEXIST, ENOSPC, ENOMEM
        """
        domain = session.domain
        if self.watches.has(session, path, token):
            raise StoreError(EEXIST)
        if domain.exceeds(quotas.WATCHES, domain.watches + 1):
            raise StoreError(ENOSPC)
        if domain.exceeds(quotas.MEMORY, self.tree.memory_of[domain.domid] + domain.memory + len(path) + len(token)):
            raise StoreError(ENOMEM)
        watch = self.watches.add(session, path, token, depth, skip)
        self._account(watch, 1)
        return watch

    def unwatch(self, session: Session, path: bytes, token: bytes) -> None:
        """Remove a watch.

        :raises StoreError: ENOENT
        """
        if not self.watches.has(session, path, token):
            raise StoreError(ENOENT)
        self._account(self.watches.remove(session, path, token), -1)

    def _account(self, watch: Watch[Session], sign: int) -> None:
        watch.owner.domain.watches += sign
        watch.owner.domain.held += sign * watch.size

    def open_transaction(self, session: Session) -> int:
        """Begin a transaction and give its id.

        :raises StoreError: ENOSPC
        """
        domain = session.domain
        if domain.exceeds(quotas.TRANSACTIONS, domain.transactions + 1):
            raise StoreError(ENOSPC)
        number = session.next_transaction()
        session.transactions[number] = Transaction(self.tree, domain)
        domain.transactions += 1
        return number

    def close_transaction(self, session: Session, number: int) -> Transaction:
        """End a transaction and give it back, to be committed or thrown away."""
        transaction = session.transactions.pop(number)
        transaction.close()
        session.domain.transactions -= 1
        return transaction

    def introduce(self, domid: int) -> Domain:
        """Introduce a domain; one that is introduced already loses watches and transactions.

        :raises StoreError: ENOENT for a number that is no domain's
        """
        domain = self.domains.known(domid)
        if domain.introduced:
            for session in self._sessions_of(domid):
                if not domain.privileged:
                    self.reset(session)
        else:
            domain.introduced = True
            self.tree.announce(b"@introduceDomain", domid)
        return domain

    def release(self, domid: int) -> None:
        """End a domain: its sessions, its nodes, and its place in the permissions of others' nodes.

        :raises StoreError: EINVAL for domain 0; ENOENT
        """
        if domid == DOM0:
            raise StoreError(EINVAL)
        self.domains.introduced(domid)
        for session in self._sessions_of(domid):
            self.disconnect(session)
        for session in self._sessions:
            for transaction in session.transactions.values():
                transaction.forget_domain(domid)
        self.domains.forget(domid)
        for path, _ in list(walk(self.tree)):
            self._forget_owner(path, domid)
        self.tree.announce(b"@releaseDomain", domid)

    def _forget_owner(self, path: bytes, domid: int) -> None:
        node = self.tree.get(path)
        if node is None or all(perm.domid != domid for perm in node.perms):
            return
        if node.owner == domid and path.startswith(b"/") and path != paths.ROOT:
            cut(self.tree, path)
            return
        owner = Perm(NONE, DOM0) if node.owner == domid else node.perms[0]
        others = (perm for perm in node.perms[1:] if perm.domid != domid)
        self.tree.put(path, (owner, *others), node.value, node.children)

    def _sessions_of(self, domid: int) -> list[Session]:
        return [session for session in self._sessions if session.domain.domid == domid]
