"""The server on real sockets: whom it lets in, and that no client is the others' harm."""

import asyncio
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pvdrivers.xenstore import server as servers
from pvdrivers.xenstore.server import Server
from pvdrivers.xenstore.wire import Op, encode
from tests.pvdrivers.bus.joined import until
from tests.pvdrivers.xenstore.served import Raw, served

MIB = 1 << 20


class Served(NamedTuple):
    process: subprocess.Popen[str]
    dom0: Path
    dom5: Path

    def resident(self) -> int:
        """Give the server's memory in bytes."""
        words = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(words[1]) * os.sysconf("SC_PAGE_SIZE")

    def works(self) -> bool:
        """Tell whether it answers a new client."""
        client = Raw(self.dom0)
        client.ask(Op.WRITE, b"/works\0yes")
        answer = client.ask(Op.READ, b"/works\0")
        client.close()
        return answer == b"yes"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as process:
        yield Served(process, tmp_path / "dom0", tmp_path / "dom5")


def test_only_its_user_may_connect(server: Served) -> None:
    for path in (server.dom0, server.dom5):
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_socket_is_a_domain(server: Served) -> None:
    dom0, guest = Raw(server.dom0), Raw(server.dom5)
    assert dom0.ask(Op.IS_DOMAIN_INTRODUCED, b"5\0") == b"T\0"
    dom0.ask(Op.MKDIR, b"/local/domain/5\0")
    dom0.ask(Op.SET_PERMS, b"/local/domain/5\0n5\0")
    guest.ask(Op.WRITE, b"name\0five")
    assert dom0.ask(Op.READ, b"/local/domain/5/name\0") == b"five"
    guest.send(Op.RELEASE, b"5\0")
    assert guest.receive().payload == b"EACCES\0"


def test_a_released_domain_is_disconnected_and_not_let_in_again(server: Served) -> None:
    dom0, guest = Raw(server.dom0), Raw(server.dom5)
    guest.ask(Op.WATCH, b"@releaseDomain\0t\0")
    dom0.ask(Op.RELEASE, b"5\0")
    assert guest.rest() < 3
    with pytest.raises(ConnectionError):
        Raw(server.dom5).ask(Op.READ, b"/\0")
    assert server.works()


def test_the_sockets_go_with_it_and_a_left_over_one_is_replaced(tmp_path: Path) -> None:
    with served(tmp_path) as killed:
        killed.kill()
        killed.wait()
    assert (tmp_path / "dom0").exists()
    with served(tmp_path) as server:
        assert Served(server, tmp_path / "dom0", tmp_path / "dom5").works()
    assert server.returncode == 0
    assert not (tmp_path / "dom0").exists()


def test_ctrl_c(server: Served) -> None:
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(600) == 130
    assert server.process.stderr is not None
    assert server.process.stderr.read() in ("", "\n", "xentool: interrupted\n")


def test_what_cannot_be_served(server: Served, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    for path, complaint in (
        (server.dom0, "Address already in use"),
        (file, "Address already in use"),
        (tmp_path / "none" / "socket", "No such file or directory"),
        (tmp_path / ("x" * 200), "AF_UNIX path too long"),
        (Path(), "Is a directory"),
        (Path("/"), "Is a directory"),
    ):
        argv = [sys.executable, "-m", "xentool", "store", "serve", "--socket", str(path)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
        assert (done.returncode, done.stdout, done.stderr) == (
            1,
            "",
            f"xentool: cannot listen on {path}: {complaint}\n",
        )
    assert file.read_text() == "kept"
    assert server.works()


def test_a_length_beyond_the_limit_ends_the_connection_at_once(server: Served) -> None:
    client = Raw(server.dom0)
    client.socket.sendall(encode(Op.READ, 1, 0, b"/\0") + struct.pack("=IIII", Op.WRITE, 2, 0, 4097))
    assert client.receive().payload == b""
    with pytest.raises(ConnectionError):
        client.receive()
    assert server.works()


def test_half_a_packet_keeps_nobody_waiting(server: Served) -> None:
    halves = [Raw(server.dom0) for _ in range(50)]
    for number, client in enumerate(halves):
        client.socket.sendall(encode(Op.WRITE, 1, 0, b"/half\0" + b"x" * 4000)[: 1 + number * 70])
    assert server.works()
    for client in halves:
        client.close()
    assert server.works()


def test_a_packet_a_byte_at_a_time(server: Served) -> None:
    client = Raw(server.dom0)
    for byte in encode(Op.WRITE, 1, 0, b"/slow\0value"):
        client.socket.sendall(bytes([byte]))
    assert client.receive().payload == b"OK\0"
    assert client.ask(Op.READ, b"/slow\0") == b"value"


def test_quotas_of_ones_own(tmp_path: Path) -> None:
    with served(tmp_path, "--quota", "watches=3", "--quota", "nodes=0"):
        guest = Raw(tmp_path / "dom5")
        for number in range(4):
            guest.send(Op.WATCH, b"/x\0%d\0" % number)
            reply = guest.receive()
            assert (reply.op, reply.payload) == ((Op.WATCH, b"OK\0") if number < 2 else (Op.ERROR, b"ENOSPC\0"))
            if number < 2:
                assert guest.receive().op == Op.WATCH_EVENT
    for bad in ("watches", "watches=-1", "watches=x", "sockets=3"):
        argv = [sys.executable, "-m", "xentool", "store", "serve", "--socket", str(tmp_path / "s"), "--quota", bad]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 2
        assert f"'{bad}' is no QUOTA=N; there are nodes, watches, outstanding, memory, soft-memory" in done.stderr


def flood(path: Path, op: Op, payload: bytes, size: int) -> Raw:
    """Send so many bytes of requests, or as many as are taken, and read no reply."""
    client = Raw(path)
    client.socket.settimeout(1)
    data = encode(op, 1, 0, payload) * 100
    sent = 0
    try:
        while sent < size:
            client.socket.sendall(data)
            sent += len(data)
    except TimeoutError:
        pass
    return client


@pytest.mark.parametrize("which", ["dom0", "dom5"])
def test_a_flood_whose_replies_are_not_read(server: Served, which: str) -> None:
    dom0 = Raw(server.dom0)
    dom0.ask(Op.WRITE, b"/big\0" + b"x" * 4000)
    dom0.ask(Op.SET_PERMS, b"/big\0r0\0")
    before = server.resident()
    client = flood(getattr(server, which), Op.READ, b"/big\0", 4 * MIB)
    assert server.works()
    assert server.resident() - before < 8 * MIB
    # It is served on as soon as it reads.
    client.socket.settimeout(120)
    assert all(len(client.receive().payload) == 4000 for _ in range(300))


def test_a_watcher_that_never_reads(server: Served) -> None:
    dom0, guest, deaf = Raw(server.dom0), Raw(server.dom5), Raw(server.dom0)
    for client in (guest, deaf):
        for number in range(120):
            client.send(Op.WATCH, b"/\0" + b"%d" % number + b"t" * 1000 + b"\0")
    before = server.resident()
    for number in range(300):
        dom0.ask(Op.WRITE, b"/many/%d\0x" % number)
    assert server.resident() - before < 32 * MIB
    assert server.works()
    # One of domain 0 is given up; what a domain is not told, because its memory is full, is its own loss.
    assert deaf.rest() < 10_000
    assert guest.receive().op in (Op.WATCH, Op.WATCH_EVENT)


def test_ten_thousand_watches(server: Served) -> None:
    dom0, guest = Raw(server.dom0), Raw(server.dom5)
    for number in range(10_000):
        dom0.ask(Op.WATCH, b"/elsewhere/%d\0t\0" % number)
        assert dom0.receive().op == Op.WATCH_EVENT
        guest.send(Op.WATCH, b"/elsewhere/%d\0t\0" % number)
        assert guest.receive().op == (Op.WATCH if number < 127 else Op.ERROR)
        if number < 127:
            assert guest.receive().op == Op.WATCH_EVENT
    dom0.send(Op.WRITE, b"/elsewhere/77\0x")
    assert dom0.receive().payload == b"/elsewhere/77\0t\0"
    assert dom0.receive().op == Op.WRITE
    dom0.close()
    assert server.works()


def test_connections_that_come_and_go(server: Served) -> None:
    descriptors = Path(f"/proc/{server.process.pid}/fd")
    assert server.works()
    before = len(list(descriptors.iterdir()))
    for number in range(300):
        client = Raw(server.dom0)
        client.send(Op.TRANSACTION_START, b"\0")
        if number % 3 == 0:
            # Reset instead of closed: what it had not read is lost.
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    assert server.works()
    # It may notice the last ones' end after that.
    until(lambda: len(list(descriptors.iterdir())) <= before + 1)


def test_two_servers_at_the_socket_of_one_that_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))
    looked = servers._is_left_over
    refused: list[str | None] = []

    def meanwhile(path: Path) -> bool:
        # Between looking and taking its place, the other one tries the same.
        found = looked(path)
        with pytest.raises(OSError, match="Address already in use") as caught:
            Server()._bind(path)
        refused.append(caught.value.strerror)
        return found

    monkeypatch.setattr(servers, "_is_left_over", meanwhile)
    first = Server()
    bound = first._bind(path)
    assert len(refused) == 1
    bound.listen()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))
    bound.close()
    asyncio.run(first.close())
    assert [each.name for each in tmp_path.iterdir()] == ["socket"]
