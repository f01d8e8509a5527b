"""pyxs with its defects mended, each where it would bite.

pyxs 0.4.1 is of 2016 and has no successor on PyPI, but is what there is, and in Debian. Kept are its connections and
its client; the router, which a dead server or an unknown reply left its callers waiting for, is replaced.

Ref: pyxs 0.4.1, client.py and connection.py
"""

import contextlib
import copy
import errno
import os
import select
import socket
import struct
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Self

import pyxs
from pyxs.connection import UnixSocketConnection, XenBusConnection, _UnixSocketTransport

from pvdrivers.xenstore.client.errors import ConnectionLost, NoStore, TimedOut, refused
from pvdrivers.xenstore.client.places import is_device
from pvdrivers.xenstore.client.reply import Reply
from pvdrivers.xenstore.wire import HEADER, PAYLOAD_MAX, Op, Packet, encode

NUL = b"\0"

#: Bytes of a reply that are taken, though the protocol has 4096 as the most: oxenstored, which knows no DIRECTORY_PART,
#: sends a directory's names whole to a socket, however many they are (``packet_of`` in its connection.ml).
REPLY_MAX = 1 << 20
#: A longer reply is read past, and an error to whoever asked; what claims to be longer than this is no packet.
_PASSED_MAX = 64 << 20
_PIECE = 64 << 10


class _Socket(UnixSocketConnection):
    # pyxs leaves its socket open when nobody listens, and keeps the reason to itself.

    def create_transport(self) -> _UnixSocketTransport:
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            opened.connect(self.path)
        except OSError:
            opened.close()
            raise
        transport = object.__new__(_UnixSocketTransport)
        transport.sock = opened
        return transport


class Router:
    """Sends requests of many threads over one connection, and hands each its reply.

    Whatever ends the connection ends every wait for a reply: pyxs left its callers waiting for ever.

    :param path: a socket, or Linux's device
    :param timeout: seconds that a request may take
    :param told: is called with path and token of each watch event, on the router's thread
    :param lost: is called once, on that thread, when the connection has ended without `close`
    :raises NoStore: nobody listens there, or not for this user
    """

    def __init__(
        self, path: Path, timeout: float, told: Callable[[bytes, bytes], object], lost: Callable[[], object]
    ) -> None:
        self._timeout = timeout
        self._told = told
        self._lost = lost
        device = is_device(path)
        self._connection: Any = (XenBusConnection if device else _Socket)(os.fspath(path))
        # Until Linux has passed a request on it lies where the next one is written (xenbus_dev_request_and_reply), and
        # only its reply tells that it is gone: requests that came sooner changed each other's paths.
        self._turn = threading.Semaphore() if device else None
        try:
            self._connection.connect()
        except OSError as error:
            raise NoStore(f"cannot connect to XenStore at {path}: {error.strerror or error}") from error
        except pyxs.ConnectionError as error:
            raise NoStore(f"cannot connect to XenStore at {path}: {error}") from error
        if not device:
            # A server that reads no more would keep a sender for ever.
            seconds = struct.pack("ll", int(timeout), int(timeout % 1 * 1e6))
            self._connection.transport.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)
        # pyxs counts on beyond 32 bits, and relies on the GIL for no two to be the same.
        self._ids = count(1)
        # Two, so that replies are handed out while a sender waits for a server that wants its replies taken first.
        self._sending = threading.Lock()
        self._lock = threading.Lock()
        #: Whoever takes one out answers it; with the lock held.
        self._waiting: dict[int, Reply] = {}
        self._reason: str | None = None
        self._closing = False
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="xenstore", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the connection stands."""
        return self._reason is None

    @property
    def pending(self) -> bool:
        """Whether a request waits for its reply."""
        return bool(self._waiting)

    def ask(self, op: int, payload: bytes, transaction: int, what: str) -> bytes:
        """Send one request and give its reply's payload, whole.

        :raises Refused: the store says no
        :raises ConnectionLost: it went away
        :raises TimedOut: it says nothing
        """
        if len(payload) > PAYLOAD_MAX:
            raise refused(errno.E2BIG, what)
        request, coming = self._send(op, payload, transaction, what)
        try:
            reply = coming.wait(self._timeout)
        except TimeoutError:
            raise TimedOut(f"{what}: XenStore did not answer within {self._timeout:g} s") from None
        except ConnectionLost as error:
            raise ConnectionLost(f"{what}: {error}") from None
        finally:
            self._taken(request)
        if reply.op == Op.ERROR:
            name = reply.payload.rstrip(NUL).decode("ascii", "replace")
            # As libxenstore does with a name it does not know.
            raise refused(getattr(errno, name, errno.EINVAL) if name.startswith("E") else errno.EINVAL, what)
        if reply.op != op:
            # oxenstored of Xen 4.17 answers so to operations that it does not know.
            raise refused(errno.ENOSYS, what)
        return reply.payload

    def _send(self, op: int, payload: bytes, transaction: int, what: str) -> tuple[int, Reply]:
        coming = Reply()
        if self._turn and not self._turn.acquire(timeout=self._timeout):
            raise TimedOut(f"{what}: XenStore has not answered the request before it within {self._timeout:g} s")
        with self._sending:
            # Before it is sent: the reply may be faster than this thread.
            with self._lock:
                if self._reason is not None:
                    self._pass_on()
                    raise ConnectionLost(f"{what}: {self._reason}")
                request = next(self._ids) & 0xFFFFFFFF
                self._waiting[request] = coming
            try:
                self._connection.transport.send(encode(op, request, transaction, payload))
            except BlockingIOError:
                # Half of it may be on its way: no other request can follow.
                self._end("XenStore takes no more requests")
            except OSError as error:
                self._end(f"XenStore closed the connection ({error.strerror})")
        return request, coming

    def _pass_on(self) -> None:
        if self._turn:
            self._turn.release()

    def _taken(self, request: int) -> Reply | None:
        with self._lock:
            return self._waiting.pop(request, None)

    def close(self) -> None:
        """End the connection; requests under way fail."""
        self._closing = True
        self._end("the connection was closed")
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        reason = "XenStore closed the connection"
        # select() cannot take descriptors from 1024 on.
        poll = select.poll()
        poll.register(self._stopped, select.POLLIN)
        poll.register(self._connection, select.POLLIN)
        try:
            while not any(fd == self._stopped.fileno() for fd, _ in poll.poll()):
                self._dispatch(self._receive())
        except ConnectionLost as error:
            reason = str(error)
        except (OSError, pyxs.PyXSError):
            pass
        except Exception as error:  # noqa: BLE001 - whoever waits must not be left waiting for a thread that is no more
            reason = f"a mistake in this client: {type(error).__name__}: {error}"
        finally:
            self._end(reason)
            if not self._closing:
                self._lost()
            # Nobody is in the middle of sending then.
            with self._sending, contextlib.suppress(OSError):
                self._connection.close()
            self._stop.close()
            self._stopped.close()

    def _receive(self) -> Packet:
        header = self._connection.transport.recv(HEADER.size)
        op, request, transaction, size = HEADER.unpack(header)
        # Before anything is allocated: pyxs believes any size.
        if size > (REPLY_MAX if op == Op.WATCH_EVENT else _PASSED_MAX):
            raise ConnectionLost(f"XenStore sent a packet of {size} bytes, and {PAYLOAD_MAX} is the most")
        if size > REPLY_MAX:
            for at in range(0, size, _PIECE):
                self._connection.transport.recv(min(_PIECE, size - at))
            return Packet(Op.ERROR, request, transaction, b"E2BIG" + NUL)
        # On XenBus a read of nothing blocks.
        return Packet(op, request, transaction, self._connection.transport.recv(size) if size else b"")

    def _dispatch(self, packet: Packet) -> None:
        if packet.op == Op.WATCH_EVENT:
            path, nul, token = packet.payload.partition(NUL)
            if nul:
                self._told(path, token.rstrip(NUL))
            return
        self._pass_on()
        # A reply that nobody waits for is one that came too late; pyxs dies of it.
        if coming := self._taken(packet.request):
            coming.come(packet)

    def _end(self, reason: str) -> None:
        # The first reason counts. No request comes in after the last was told.
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            waiting, self._waiting = self._waiting, {}
            with contextlib.suppress(OSError):
                self._stop.send(NUL)
                # The reader may be in the middle of a packet, whose rest never comes.
                if isinstance(self._connection, _Socket):
                    self._connection.transport.sock.shutdown(socket.SHUT_RDWR)
        self._pass_on()
        for coming in waiting.values():
            coming.fail(ConnectionLost(reason))


class Session(pyxs.Client):
    """pyxs's client with replies as they came; in a transaction when ``tx_id`` is not 0.

    Paths and values are bytes here. Errors are those of `Router.ask`; pyxs's own calls of EAGAIN are gone with that:
    it reports a lost transaction by a return value.
    """

    def __init__(self, router: Router) -> None:
        super().__init__(router=router)

    def __copy__(self) -> Self:
        return type(self)(self.router)

    def begin(self) -> "Session":
        """Start a transaction."""
        session = copy.copy(self)
        session.transaction()
        return session

    def ask(self, op: int, *strings: bytes) -> bytes:
        """Send strings, each with a NUL behind, and give the reply's payload."""
        payload = b"".join(string + NUL for string in strings)
        reply: bytes = self.router.ask(op, payload, self.tx_id, _said(op, payload))
        return reply

    def execute_command(self, op: int, *args: bytes, **_: object) -> bytes:
        """Do what pyxs's methods want: any bytes as values (pyxs knows ASCII without tab), and values kept whole."""
        payload = b"".join(args)
        reply: bytes = self.router.ask(op, payload, self.tx_id, _said(op, payload))
        return reply if op == Op.READ else reply.rstrip(NUL)


_VERBS = {
    Op.READ: "cannot read",
    Op.WRITE: "cannot write",
    Op.DIRECTORY: "cannot list",
    Op.DIRECTORY_PART: "cannot list",
    Op.MKDIR: "cannot create",
    Op.RM: "cannot remove",
    Op.GET_PERMS: "cannot read the permissions of",
    Op.SET_PERMS: "cannot set the permissions of",
    Op.WATCH: "cannot watch",
    Op.UNWATCH: "cannot end the watch on",
}


def _said(op: int, payload: bytes) -> str:
    subject = payload.partition(NUL)[0].decode("utf-8", "backslashreplace")
    if op == Op.TRANSACTION_START:
        return "cannot begin a transaction"
    if op == Op.TRANSACTION_END:
        return "the transaction"
    verb = _VERBS.get(Op(op))
    return f"{verb} {subject}" if verb else f"{Op(op).name} {subject}"
