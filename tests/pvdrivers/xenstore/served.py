"""The server as users start it: ``xentool store serve`` in a process of its own."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pvdrivers.xenstore.wire import HEADER, Op, Packet, encode


@contextmanager
def served(directory: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Serve on ``directory/dom0``, and for domain 5 on ``directory/dom5``; more words are further options."""
    sockets = ["--socket", str(directory / "dom0"), "--domain-socket", f"5={directory / 'dom5'}"]
    argv = [sys.executable, "-m", "xentool", "store", "serve", *sockets, *words]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            assert server.stderr.readline().startswith("xentool: serving XenStore: domain 0 on ")
            yield server
        finally:
            server.terminate()
            server.wait(600)


class Raw:
    """A client that sends what it likes."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(path))
        self.socket.settimeout(120)

    def send(self, op: int, payload: bytes, tx: int = 0) -> None:
        self.socket.sendall(encode(op, 1, tx, payload))

    def receive(self) -> Packet:
        """Take one packet.

        :raises ConnectionError: the server has closed the connection
        """
        op, request, transaction, size = HEADER.unpack(self._exactly(HEADER.size))
        return Packet(op, request, transaction, self._exactly(size))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    def ask(self, op: Op, payload: bytes, tx: int = 0) -> bytes:
        """Send one request and give the payload of its reply."""
        self.send(op, payload, tx)
        reply = self.receive()
        assert reply.op == op, reply
        return reply.payload

    def rest(self) -> int:
        """Take packets until the server closes the connection, and count them."""
        count = 0
        try:
            while True:
                self.receive()
                count += 1
        except ConnectionError:
            return count

    def close(self) -> None:
        self.socket.close()

    def __del__(self) -> None:
        self.close()
