"""The socket of a daemon where others come to watch its vifs.

Law: no peer holds up another, and none the daemon: one thread serves all of them, and waits for none. They are this
user or root, since nobody else gets into the folder; even so there is a bound to what they cost.
"""

import os
import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from pvdrivers.private import distrusted
from xentool.errors import PeerError, XentoolError
from xentool.tools.net.dump.audience import Audience, Watch
from xentool.tools.net.dump.records import Reply, Wish

#: How a daemon's socket is called, after its process.
SUFFIX = ".watch"
#: Who may watch at once, and who may be there at all.
_MAX, _CROWD = 8, 32
_WISH_MAX = 4096
#: Seconds that they have at the end to take what they have not taken.
_PARTING = 1.0


class _Guest:
    def __init__(self, peer: socket.socket) -> None:
        self.peer = peer
        self.watch: Watch | None = None
        # What could not be sent yet.
        self.message = b""
        self.events = selectors.EVENT_READ


class Server:
    """Shows vifs as long as the context lasts.

    :param folder: where the socket is to be, this user's alone
    :param log: is told if it cannot go on, a line
    :raises XentoolError: it cannot be
    """

    def __init__(self, folder: Path, audience: Audience, log: Callable[[str], object]) -> None:
        self._audience, self._log = audience, log
        self._path = folder / f"{os.getpid()}{SUFFIX}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if reason := distrusted(folder):
                raise XentoolError(f"nobody can watch vifs there: {reason}")
            _clear(folder)
            self._listening = _listen(self._path)
        except OSError as error:
            raise XentoolError(f"cannot make {self._path}: {error.strerror or error}") from error
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closing = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._guests: set[_Guest] = set()
        self._stopping: float | None = None
        self._thread = threading.Thread(target=self._run, name="watched", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping = time.monotonic() + _PARTING
        self._woken()
        self._thread.join()
        self._listening.close()
        with self._closing:
            os.close(self._wake)
            self._wake = -1
        with suppress(OSError):
            self._path.unlink()

    def _woken(self) -> None:
        # Queues may know of somebody for a moment longer than he is here.
        with self._closing:
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    def _run(self) -> None:
        with self._selector:
            try:
                while self._stopping is None or (self._guests and time.monotonic() < self._stopping):
                    self._turn()
            except OSError as error:
                self._log(f"nobody can watch vifs any more: {error.strerror or error}")
            finally:
                for guest in list(self._guests):
                    self._part(guest)

    def _turn(self) -> None:
        for key, events in self._selector.select(None if self._stopping is None else _PARTING):
            if key.fileobj is self._listening:
                self._welcome()
            elif key.fileobj == self._wake:
                os.eventfd_read(self._wake)
                self._look_round()
            elif key.data in self._guests:
                self._serve(key.data, events)

    def _welcome(self) -> None:
        try:
            peer, _ = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        peer.setblocking(False)
        if len(self._guests) >= _CROWD:
            peer.close()
            return
        guest = _Guest(peer)
        self._guests.add(guest)
        self._selector.register(peer, guest.events, guest)

    def _look_round(self) -> None:
        # There is something to send to somebody, or this is the end.
        for guest in list(self._guests):
            if self._stopping is not None:
                if guest.watch is None:
                    self._part(guest)
                    continue
                self._ending(guest.watch)
            if guest.watch:
                self._listen_for(guest, guest.events | selectors.EVENT_WRITE)

    def _ending(self, watch: Watch) -> None:
        self._audience.leave(watch)
        watch.end()

    def _listen_for(self, guest: _Guest, events: int) -> None:
        if events != guest.events:
            guest.events = events
            self._selector.modify(guest.peer, events, guest)

    def _serve(self, guest: _Guest, events: int) -> None:
        try:
            if events & selectors.EVENT_READ:
                self._hear(guest)
            if events & selectors.EVENT_WRITE:
                self._send(guest)
        except BlockingIOError:
            pass
        except (OSError, PeerError):
            self._part(guest)

    def _hear(self, guest: _Guest) -> None:
        message = guest.peer.recv(_WISH_MAX)
        if guest.watch is None and message:
            wish = Wish.decode(message)
            if sum(each.watch is not None for each in self._guests) < _MAX:
                reply, guest.watch = self._audience.join(wish, self._woken)
            else:
                reply = Reply(refused=f"{_MAX} watch already")
            guest.peer.send(reply.encode())
            if guest.watch is None:
                self._part(guest)
        elif guest.watch and not message:
            # Enough, but for what has been seen by now.
            self._ending(guest.watch)
            self._listen_for(guest, selectors.EVENT_WRITE)
        else:
            raise PeerError("more than a wish, or none")

    def _send(self, guest: _Guest) -> None:
        assert guest.watch  # noqa: S101 - nothing is sent before
        guest.message = guest.message or guest.watch.take()
        if not guest.message:
            self._listen_for(guest, guest.events & ~selectors.EVENT_WRITE)
            return
        guest.peer.send(guest.message)
        guest.message = b""
        if guest.watch.ended:
            self._part(guest)

    def _part(self, guest: _Guest) -> None:
        if guest.watch:
            self._audience.leave(guest.watch)
        self._guests.discard(guest)
        self._selector.unregister(guest.peer)
        guest.peer.close()


def _clear(folder: Path) -> None:
    # After daemons that were killed.
    for path in folder.glob(f"*{SUFFIX}"):
        number = path.name.removesuffix(SUFFIX)
        if number.isdigit() and not Path("/proc", number).exists():
            path.unlink(missing_ok=True)


def _listen(path: Path) -> socket.socket:
    # Ours is left by a process that had our number before.
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    try:
        os.fchmod(listening.fileno(), 0o600)
        listening.bind(str(path))
        listening.listen()
    except OSError:
        listening.close()
        raise
    return listening
