"""A store served on UNIX sockets, one for each domain that is to be a client.

A client that sends and does not take the replies is not read from until it does; so no client can fill the memory,
and none can keep others waiting for more than a buffer of its requests takes.
"""

import asyncio
import os
import socket
import stat
from errno import EADDRINUSE, EISDIR
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from pvdrivers.private import Claim
from pvdrivers.xenstore.connection import Connection
from pvdrivers.xenstore.domains import DOM0
from pvdrivers.xenstore.errors import StoreError
from pvdrivers.xenstore.lookout import Lookout
from pvdrivers.xenstore.store import Store
from pvdrivers.xenstore.wire import BadPacket

#: Beside a socket: who has it.
LOCK = ".lock"
#: Bytes read at once: what one client may have done before others have their turn.
_READ_SIZE = 8 << 10
_WRITE_SIZE = 64 << 10


class Server:
    """Serves a store until it is closed; an asynchronous context manager.

    :param lookout: for a process of its own; where clients are threads of the same one, they would wait for it
    """

    def __init__(self, store: Store | None = None, lookout: Lookout | None = None) -> None:
        self.store = store or Store()
        self.lookout = lookout
        #: Clients with something to take.
        self.ready: list[_Client] = []
        self.clients: set[_Client] = set()
        #: For all clients: what was read into it is taken out at once.
        self.buffer = memoryview(bytearray(_READ_SIZE))
        self._listening: list[tuple[asyncio.Server, Path, int]] = []
        self._claims: list[Claim] = []

    async def listen(self, path: Path, domid: int = DOM0) -> None:
        """Listen on a socket that only this user can open; whoever connects is this domain, introduced by it.

        :raises OSError: when that cannot be, because another server listens there, say
        """
        bound = self._bind(path)
        if not self.store.domains.is_introduced(domid):
            self.store.introduce(domid)
            self.store.publish()
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: _Client(self, domid), sock=bound)
        self._listening.append((server, path, path.stat().st_ino))

    def _bind(self, path: Path) -> socket.socket:
        if not path.name:
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        # Of two that find the socket of one that was killed, one takes its place.
        try:
            claim = Claim(path.with_name(path.name + LOCK))
        except BlockingIOError as error:
            raise OSError(EADDRINUSE, os.strerror(EADDRINUSE)) from error
        try:
            bound = _bind(path)
        except OSError:
            claim.release()
            raise
        self._claims.append(claim)
        return bound

    async def close(self) -> None:
        """End all connections, and remove the sockets."""
        for server, path, inode in self._listening:
            server.close()
            if path.exists() and path.stat().st_ino == inode:
                path.unlink()
        self._listening.clear()
        for claim in self._claims:
            claim.release()
        self._claims.clear()
        for client in list(self.clients):
            client.transport.abort()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def flush(self) -> None:
        """Hand out what clients have to take."""
        ready, self.ready = self.ready, []
        for client in ready:
            client.flush()


class _Client(asyncio.BufferedProtocol):
    # One client's socket.

    transport: asyncio.Transport
    connection: Connection

    def __init__(self, server: Server, domid: int) -> None:
        self._server = server
        self._domid = domid
        self._can_write = True
        self._can_read = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        # Nothing waits in the transport: what waits, waits in the session, where it is bounded.
        self.transport.set_write_buffer_limits(high=0)
        store = self._server.store
        try:
            session = store.connect(self._domid, lambda: self._server.ready.append(self))
        except StoreError:
            # The domain has been released.
            self.transport.abort()
            return
        self.connection = Connection(store, session)
        self._server.clients.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self in self._server.clients:
            self._server.clients.remove(self)
            self._server.store.disconnect(self.connection.session)

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.connection.feed(bytes(self._server.buffer[:nbytes]))
        self._work()
        if self._server.lookout:
            self._server.lookout.served()

    def _work(self) -> None:
        try:
            while self.connection.run():
                self._server.flush()
                if self.connection.session.full:
                    self._can_read = False
                    self.transport.pause_reading()
                    return
        except BadPacket:
            self._server.flush()
            self.transport.abort()
            return
        self._server.flush()

    def flush(self) -> None:
        session = self.connection.session
        while self._can_write and (data := session.take(_WRITE_SIZE)):
            self.transport.write(data)
        if session.closed:
            self.transport.abort()

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        self.flush()
        if not self._can_read and not self.connection.session.full:
            self._can_read = True
            self.transport.resume_reading()
            self._work()


def _bind(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Linux gives the file the mode that the socket has: it is never open to others, not for a moment.
        os.fchmod(bound.fileno(), 0o600)
        try:
            bound.bind(str(path))
        except OSError as error:
            if error.errno != EADDRINUSE or not _is_left_over(path):
                raise
            path.unlink()
            bound.bind(str(path))
    except OSError:
        bound.close()
        raise
    return bound


def _is_left_over(path: Path) -> bool:
    # Whether a file is a socket at which nobody listens.
    if not stat.S_ISSOCK(path.stat().st_mode):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
    return False
