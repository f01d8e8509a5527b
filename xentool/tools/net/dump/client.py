"""The way to the daemons that serve a domain's vifs, for who wants to watch them."""

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pvdrivers.private import distrusted
from xentool.errors import PeerError, XentoolError
from xentool.tools.net.dump import records
from xentool.tools.net.dump.records import End, Record, Reply, Vif, Wish
from xentool.tools.net.dump.server import SUFFIX

#: Seconds that a daemon may take to answer.
_PATIENCE = 10.0


class Watching:
    """What all daemons show that serve what is wanted.

    :param peers: with what each has promised
    """

    def __init__(self, peers: list[tuple[socket.socket, Reply]]) -> None:
        #: All vifs that records name by their place here.
        self.vifs: list[Vif] = []
        self._peers: dict[int, tuple[socket.socket, int, int]] = {}
        self._poll = select.poll()
        for peer, reply in peers:
            self._peers[peer.fileno()] = peer, len(self.vifs), len(reply.vifs)
            self._poll.register(peer, select.POLLIN)
            self.vifs += reply.vifs

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return not self._peers

    def leave(self) -> None:
        """Have nothing more shown than what was seen until now, and then an `End`."""
        for peer, _, _ in self._peers.values():
            with suppress(OSError):
                peer.shutdown(socket.SHUT_WR)

    def take(self, seconds: float) -> Iterator[Record | End]:
        """Wait for records, and give those that have come.

        :param seconds: how long at most
        :raises PeerError: they are none
        """
        for fd, _ in self._poll.poll(max(0.0, seconds) * 1000):
            peer, first, count = self._peers[fd]
            try:
                message = peer.recv(records.LONGEST)
            except OSError:
                message = b""
            if not message:
                self._poll.unregister(fd)
                del self._peers[fd]
            for record in records.decode(message, count):
                yield record if isinstance(record, End) else record._replace(vif=first + record.vif)


@contextmanager
def watching(folder: Path, wish: Wish, whose: str) -> Iterator[Watching]:
    """Watch vifs as long as the context lasts.

    :param folder: where daemons have their sockets
    :param whose: the domain, or the loopback, as people call it
    :raises XentoolError: nobody serves it, or it has no such vif
    """
    with ExitStack() as stack:
        joined: list[tuple[socket.socket, Reply]] = []
        others: list[Vif] = []
        for peer in _peers(folder, stack):
            reply = _asked(peer, wish)
            if reply.refused:
                raise XentoolError(f"vifs of {whose} cannot be watched: {reply.refused}")
            others += reply.others
            if reply.vifs:
                joined.append((peer, reply))
        if not joined and others:
            there = ", ".join(f"vif{vif.domid}.{vif.handle}" for vif in sorted(others))
            raise XentoolError(f"{whose} has no vif {wish.handle}; served are {there}")
        if not joined:
            raise XentoolError(f"no daemon serves vifs of {whose}: `xentool net serve` is one")
        yield Watching(joined)


def _peers(folder: Path, stack: ExitStack) -> Iterator[socket.socket]:
    try:
        if reason := distrusted(folder):
            raise XentoolError(f"who serves there is not known: {reason}")
        paths = sorted(folder.glob(f"*{SUFFIX}"))
    except FileNotFoundError:
        return
    except OSError as error:
        raise XentoolError(f"cannot look into {folder}: {error.strerror}") from error
    for path in paths:
        peer = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        peer.settimeout(_PATIENCE)
        # Of one that has ended meanwhile, or was killed.
        with suppress(ConnectionError, FileNotFoundError):
            peer.connect(str(path))
            yield peer


def _asked(peer: socket.socket, wish: Wish) -> Reply:
    try:
        peer.send(wish.encode())
        return Reply.decode(peer.recv(records.LONGEST))
    except TimeoutError:
        raise XentoolError("a daemon that serves vifs does not answer") from None
    except ConnectionError as error:
        raise PeerError("a daemon that serves vifs hangs up") from error
