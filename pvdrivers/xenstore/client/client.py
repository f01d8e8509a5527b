"""The client that all code here uses: text paths, bytes as values, typed errors, a deadline for each request.

Ref: docs/misc/xenstore.txt; xen/include/public/io/xs_wire.h
"""

import errno
import itertools
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from pvdrivers.closing import Closing
from pvdrivers.xenstore.client.engine import Router, Session
from pvdrivers.xenstore.client.errors import Conflict, NotFound, Refused, XenStoreError
from pvdrivers.xenstore.client.places import find
from pvdrivers.xenstore.client.watch import Watch
from pvdrivers.xenstore.wire import Op

Result = TypeVar("Result")

#: How often `Client.transact` begins again when others were in its way.
TRIES = 50
#: Parts that a directory may have: more than 100,000 children. A store that never comes to an end is given up, as is a
#: list that changes all the time.
_PARTS_MAX = 4096

# pyxs lets a newline pass at the end, and refuses "@releaseDomain/5"; how long a path may be, it says otherwise than
# any store does.
_PATH = re.compile(r"/|[A-Za-z0-9@_-]+(?:/[A-Za-z0-9@_-]+)*|(?:/[A-Za-z0-9@_-]+)+")
_PERMISSION = re.compile(r"[nrwb][0-9]{1,5}")


def _path(text: str) -> bytes:
    # Checked here too, so that a request cannot be cut in two by a NUL, or by what a guest has named a node.
    if not _PATH.fullmatch(text):
        raise Refused(errno.EINVAL, f"{text!r} is no path")
    return text.encode()


def join(directory: str, name: str) -> str:
    """Give the path of a node's child."""
    return f"{directory.rstrip('/')}/{name}"


class View:
    """What can be done with nodes, at once (`Client`) or in a `Transaction`.

    Each method raises `Refused` (`NotFound` for a node that is not there), `ConnectionLost` or `TimedOut`.
    """

    def _session(self) -> Session:
        raise NotImplementedError

    def read(self, path: str) -> bytes:
        """Give a node's value, exactly."""
        value: bytes = self._session().execute_command(Op.READ, _path(path) + b"\0")
        return value

    def write(self, path: str, value: bytes) -> None:
        """Set a node's value; the node, and those above it, are created as need be."""
        self._session().execute_command(Op.WRITE, _path(path) + b"\0", value)

    def mkdir(self, path: str) -> None:
        """Create a node without a value, unless it is there."""
        self._session().ask(Op.MKDIR, _path(path))

    def remove(self, path: str) -> None:
        """Remove a node and all under it. That it is not there is no error, if the one above is."""
        self._session().ask(Op.RM, _path(path))

    def exists(self, path: str) -> bool:
        """Tell whether there is such a node."""
        try:
            self._session().ask(Op.READ, _path(path))
        except NotFound:
            return False
        return True

    def directory(self, path: str) -> list[str]:
        """List a node's children by name, however many they are."""
        session, encoded = self._session(), _path(path)
        try:
            names = session.ask(Op.DIRECTORY, encoded)
        except Refused as error:
            if error.code != errno.E2BIG:
                raise
            names = _large_directory(session, encoded, error)
        return [name.decode("utf-8", "surrogateescape") for name in names.split(b"\0")[:-1]]

    def permissions(self, path: str) -> list[str]:
        """Give a node's permissions: owner and default first (``n0``), then those of other domains (``r5``)."""
        return [entry.decode() for entry in self._session().ask(Op.GET_PERMS, _path(path)).split(b"\0")[:-1]]

    def set_permissions(self, path: str, entries: Sequence[str]) -> None:
        """Replace a node's permissions."""
        for entry in entries:
            if not _PERMISSION.fullmatch(entry):
                raise Refused(errno.EINVAL, f"{entry!r} is no permission such as n0, r5, w5 or b5")
        self._session().ask(Op.SET_PERMS, _path(path), *(entry.encode() for entry in entries))

    def walk(self, top: str) -> Iterator[tuple[str, bytes]]:
        """Give the path and value of each node at and under one, in the store's order, each before its children.

        A node that goes away meanwhile is left out.
        """
        stack = [top]
        first = True
        while stack:
            path = stack.pop()
            try:
                value = self.read(path)
                names = self.directory(path)
            except NotFound:
                if first:
                    raise
                continue
            first = False
            yield path, value
            stack += (join(path, name) for name in reversed(names))

    def snapshot(self, top: str = "/") -> dict[str, bytes]:
        """Give the values of all nodes at and under one, by path."""
        return dict(self.walk(top))


def _large_directory(session: Session, path: bytes, too_big: Refused) -> bytes:
    names, generation = b"", b""
    for _ in range(_PARTS_MAX):
        try:
            now, _, part = session.ask(Op.DIRECTORY_PART, path, b"%d" % len(names)).partition(b"\0")
        except Refused as error:
            # A store that does not know the operation.
            raise too_big if error.code in (errno.ENOSYS, errno.EINVAL) else error from None
        if generation not in (b"", now):
            # The list has changed: from the beginning, then.
            names, generation = b"", b""
            continue
        generation = now
        names += part
        if part == b"\0" or part.endswith(b"\0\0"):
            return names[:-1]
    raise too_big


class Transaction(View):
    """Several operations at once, or none of them; made by `Client.transaction`.

    As a context manager it is committed at the end, and thrown away when an exception leaves it.
    """

    def __init__(self, session: Session) -> None:
        self._tx = session

    def _session(self) -> Session:
        if not self._tx.tx_id:
            raise XenStoreError("the transaction has ended")
        return self._tx

    def commit(self) -> None:
        """Make it so.

        :raises Conflict: others have changed what it has seen; nothing was done
        """
        self._session().commit()

    def abort(self) -> None:
        """Throw it away."""
        self._session().rollback()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._tx.tx_id:
            return
        if kind is None:
            self.commit()
        else:
            with suppress(XenStoreError):
                self.abort()


class Client(View, Closing):
    """A connection to a XenStore; threads may share it. A context manager.

    A lost connection fails what was under way. The next request connects again, and watches go on there: each is
    told its own path once, since it may have missed something.

    :param path: a socket or Linux's device; by default where `find` finds one
    :param timeout: seconds that a request may take
    :raises NoStore: there is none
    """

    def __init__(self, path: Path | None = None, *, timeout: float = 30.0) -> None:
        self.path = path or find()
        self._timeout = timeout
        self._tokens = itertools.count(1)
        self._watches: dict[bytes, Watch] = {}
        self._connecting = threading.RLock()
        self._current = Session(self._connect())

    def _connect(self) -> Router:
        return Router(self.path, self._timeout, self._told, self._lost)

    def _session(self) -> Session:
        session = self._current
        return session if session.router.alive else self._again()

    def _again(self) -> Session:
        with self._connecting:
            if not self._current.router.alive:
                self._current = Session(self._connect())
                for token, watch in list(self._watches.items()):
                    self._current.ask(Op.WATCH, watch.path.encode(), token)
            return self._current

    def _told(self, path: bytes, token: bytes) -> None:
        # An event on its way when its watch ended has nowhere to go.
        if watch := self._watches.get(token):
            watch.put(path.decode("utf-8", "surrogateescape"))

    def _lost(self) -> None:
        for watch in list(self._watches.values()):
            watch.lose()

    def close(self) -> None:
        """End the connection, its watches and transactions."""
        self._current.router.close()

    @property
    def pending(self) -> bool:
        """Whether a request waits for its reply."""
        return bool(self._current.router.pending)

    def domain_path(self, domid: int) -> str:
        """Give where a domain's nodes are."""
        return self._session().ask(Op.GET_DOMAIN_PATH, b"%d" % domid).rstrip(b"\0").decode()

    def transaction(self) -> Transaction:
        """Begin a transaction."""
        return Transaction(self._session().begin())

    def transact(self, function: Callable[[Transaction], Result], tries: int = TRIES) -> Result:
        """Do something in a transaction, and again as long as others get in its way.

        :raises Conflict: they did so ``tries`` times
        """
        for left in reversed(range(tries)):
            try:
                with self.transaction() as transaction:
                    return function(transaction)
            except Conflict:
                if not left:
                    raise
                # Others try again too, and not all at the same time.
                time.sleep(random.uniform(0, 0.002 * (tries - left)))  # noqa: S311 - nothing to be guessed
        raise ValueError("no tries")

    def watch(self, path: str, told: Callable[[], object] = lambda: None) -> Watch:
        """Be told of changes at and under a path; ``@introduceDomain`` and ``@releaseDomain`` as well.

        The path need not be there.

        :param told: is called whenever there is something to take, by the connection's thread: it must not wait
        """
        token = b"%d" % next(self._tokens)
        watch = Watch(path, self._again, lambda _: self._unwatch(path, token), told)
        # First this, then the request: the first event may be here before the reply.
        self._watches[token] = watch
        try:
            self._session().ask(Op.WATCH, _path(path), token)
        except XenStoreError:
            del self._watches[token]
            raise
        return watch

    def _unwatch(self, path: str, token: bytes) -> None:
        if self._watches.pop(token, None) and self._current.router.alive:
            with suppress(XenStoreError):
                self._current.ask(Op.UNWATCH, path.encode(), token)
