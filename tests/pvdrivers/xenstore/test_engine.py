"""What one odd reply does to those who asked for something else, and what an end of the connection does to all."""

import errno
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path

import pytest

from pvdrivers.xenstore.client import Client, ConnectionLost, Refused, engine
from pvdrivers.xenstore.client.engine import REPLY_MAX, Router
from pvdrivers.xenstore.wire import HEADER, Op, Packet, encode
from xentool.tools.store.nodes import tree

#: As many as a real oxenstored was seen to list in one packet of 4,902 bytes.
NAMES = [f"{number}" for number in range(1200)]
TOO_LONG = "Argument list too long: more than a packet of XenStore's protocol holds"


@contextmanager
def store(path: Path, serve: Callable[[socket.socket, Iterator[Packet]], object]) -> Iterator[None]:
    """Run a store: ``serve`` has each connection, and the requests that come there, in a thread."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    listening.listen()
    threads: list[threading.Thread] = []

    def run(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            serve(connection, _requests(connection))

    def accept() -> None:
        with suppress(OSError):
            while True:
                threads.append(threading.Thread(target=run, args=[listening.accept()[0]]))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        accepting.join()
        listening.close()
        for thread in threads:
            thread.join()


def _requests(connection: socket.socket) -> Iterator[Packet]:
    while len(header := connection.recv(HEADER.size, socket.MSG_WAITALL)) == HEADER.size:
        op, request, transaction, size = HEADER.unpack(header)
        yield Packet(op, request, transaction, connection.recv(size, socket.MSG_WAITALL))


def oxenstored(connection: socket.socket, requests: Iterator[Packet]) -> None:
    """Answer as a store with two directories, of which one has more names than a packet may hold."""
    listed = {b"/\0": b"big\0small\0", b"/big\0": "".join(f"{name}\0" for name in NAMES).encode()}
    for packet in requests:
        payload = {Op.DIRECTORY: listed.get(packet.payload, b""), Op.GET_PERMS: b"n0\0"}.get(Op(packet.op), b"value")
        connection.sendall(HEADER.pack(packet.op, packet.request, 0, len(payload)) + payload)


def test_a_directory_in_one_packet_that_is_too_long(tmp_path: Path) -> None:
    with store(tmp_path / "s", oxenstored), Client(tmp_path / "s") as client:
        first = client._current.router
        assert client.directory("/big") == NAMES
        found = [node.path for node in tree(client, "/")]
        assert found == ["/", "/big", *(f"/big/{name}" for name in NAMES), "/small"]
        assert client._current.router is first


def test_a_reply_beyond_all_measure_is_an_error_of_its_own_request_alone(tmp_path: Path) -> None:
    def serve(connection: socket.socket, requests: Iterator[Packet]) -> None:
        big, other = next(requests), next(requests)
        connection.sendall(HEADER.pack(Op.READ, big.request, 0, REPLY_MAX + 1) + bytes(REPLY_MAX + 1))
        connection.sendall(encode(Op.READ, other.request, 0, b"right"))
        next(requests, None)

    with store(tmp_path / "s", serve):
        router = Router(tmp_path / "s", 60, lambda *_: None, lambda: None)
        said: list[tuple[int, str]] = []

        def ask() -> None:
            try:
                router.ask(Op.READ, b"/big\0", 0, "cannot read /big")
            except Refused as error:
                said.append((error.code, str(error)))

        thread = threading.Thread(target=ask)
        thread.start()
        while not router._waiting:
            pass
        assert router.ask(Op.READ, b"/small\0", 0, "cannot read /small") == b"right"
        thread.join()
        assert said == [(errno.E2BIG, f"cannot read /big: {TOO_LONG}")]
        assert router.alive
        router.close()


def test_all_who_wait_learn_of_the_end(tmp_path: Path) -> None:
    # Those who are told leave what others are told from: so many times that they met, where that was a mistake.
    def serve(_: socket.socket, requests: Iterator[Packet]) -> None:
        assert len(list(islice(requests, 16))) == 16

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with store(tmp_path / "s", serve):
            for _ in range(20):
                _all_asked(tmp_path / "s")
    finally:
        sys.setswitchinterval(interval)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a store's socket be taken for Linux's device."""
    monkeypatch.setattr(engine, "is_device", lambda _path: True)
    monkeypatch.setattr(engine, "XenBusConnection", engine._Socket)


@pytest.mark.usefixtures("device")
def test_a_device_has_one_request_at_a_time(tmp_path: Path) -> None:
    # Which Linux lays where the one before it may still be.
    def serve(connection: socket.socket, requests: Iterator[Packet]) -> None:
        for packet in requests:
            early, _, _ = select.select([connection], [], [], 0.02)
            op, payload = (Op.ERROR, b"EINVAL\0") if early else (Op(packet.op), packet.payload)
            connection.sendall(encode(op, packet.request, 0, payload))

    with store(tmp_path / "s", serve):
        router = Router(tmp_path / "s", 60, lambda *_: None, lambda: None)
        with closing(router), ThreadPoolExecutor(4) as pool:
            paths = [f"/{number}".encode() for number in range(12)]
            assert list(pool.map(lambda path: router.ask(Op.READ, path, 0, "cannot read"), paths)) == paths


@pytest.mark.usefixtures("device")
def test_all_who_wait_for_a_devices_turn_learn_of_its_end(tmp_path: Path) -> None:
    with store(tmp_path / "s", lambda _, requests: next(requests)):
        _all_asked(tmp_path / "s")


def _all_asked(path: Path) -> None:
    lost, ended = threading.Event(), []
    router = Router(path, 60, lambda *_: None, lost.set)

    def ask() -> None:
        try:
            router.ask(Op.READ, b"/\0", 0, "cannot read /")
        except ConnectionLost as error:
            ended.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == ["cannot read /: XenStore closed the connection"] * 16
    assert lost.wait(600)


def test_a_watch_learns_that_the_reader_died(tmp_path: Path) -> None:
    def serve(connection: socket.socket, requests: Iterator[Packet]) -> None:
        for packet in requests:
            connection.sendall(encode(packet.op, packet.request, 0, b"OK\0"))
            if packet.op == Op.WATCH:
                connection.sendall(encode(Op.WATCH_EVENT, 0, 0, packet.payload))

    class Odd(Client):
        """A client that fails at the first event it is told of."""

        told = 0

        def _told(self, path: bytes, token: bytes) -> None:
            self.told += 1
            if self.told == 1:
                raise RuntimeError("nothing of XenStore's")
            super()._told(path, token)

    with store(tmp_path / "s", serve), Odd(tmp_path / "s") as client:
        # The first event was lost with its reader; so the watch is made, and told, again.
        assert client.watch("/w").next(600) == "/w"
        assert client.told == 2


def test_a_client_ends_in_the_middle_of_a_packet(tmp_path: Path) -> None:
    half = threading.Event()

    def serve(connection: socket.socket, requests: Iterator[Packet]) -> None:
        packet = next(requests)
        connection.sendall(HEADER.pack(Op.READ, packet.request, 0, 100) + b"half")
        half.set()
        next(requests, None)

    with store(tmp_path / "s", serve):
        client = Client(tmp_path / "s")

        def ask() -> None:
            with suppress(ConnectionLost):
                client.read("/")

        asking = threading.Thread(target=ask)
        asking.start()
        half.wait(600)
        client.close()
        asking.join()


@pytest.mark.parametrize("name", [b"ENOSYS", b"EINVAL"])
def test_a_store_that_can_not_list_in_parts(tmp_path: Path, name: bytes) -> None:
    def serve(connection: socket.socket, requests: Iterator[Packet]) -> None:
        for packet in requests:
            error = b"E2BIG\0" if packet.op == Op.DIRECTORY else name + b"\0"
            connection.sendall(encode(Op.ERROR, packet.request, 0, error))

    with (
        store(tmp_path / "s", serve),
        Client(tmp_path / "s") as client,
        pytest.raises(Refused, match=f"cannot list /big: {TOO_LONG}"),
    ):
        client.directory("/big")
