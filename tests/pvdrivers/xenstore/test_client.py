"""The client against the server, and the defects of pyxs that it mends: as they bite there, and not here."""

import asyncio
import itertools
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from pvdrivers.xenstore.client import (
    Client,
    Conflict,
    ConnectionLost,
    NoStore,
    NotFound,
    Refused,
    TimedOut,
    Transaction,
    XenStoreError,
    find,
)
from pvdrivers.xenstore.client import watch as watches
from pvdrivers.xenstore.wire import HEADER, Op, encode
from tests.pvdrivers.xenstore.served import served


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    with served(tmp_path):
        yield tmp_path / "dom0"


@pytest.fixture
def client(path: Path) -> Iterator[Client]:
    with Client(path) as client:
        yield client


def bare_pyxs(path: Path, script: str, seconds: float = 120) -> str:
    """Run a script with unmended pyxs and give what it prints; ``hangs`` when it goes on for so many seconds."""
    head = f"""
import pyxs, threading
threading.excepthook = lambda *_: None
client, other = pyxs.Client({str(path)!r}), pyxs.Client({str(path)!r})
client.connect()
print("begun", flush=True)
"""
    argv = [sys.executable, "-c", head + script]
    # Unbuffered: a line is read, and what follows is left to `communicate`.
    with subprocess.Popen(argv, bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"begun\n"
        try:
            said, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return "hangs"
    return (said or errors.splitlines()[-1]).decode().strip()


class Fake:
    """A store that reads one request and then does as it was told."""

    def __init__(self, path: Path, answer: Callable[[socket.socket, int], object]) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        self._socket.listen()
        self._answer = answer
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        connection, _ = self._socket.accept()
        _, request, _, size = HEADER.unpack(connection.recv(HEADER.size))
        connection.recv(size, socket.MSG_WAITALL)  # pyxs sends it apart
        with suppress(OSError):  # pyxs may be gone by then
            self._answer(connection, request)
        self._done.wait()
        connection.close()

    def __enter__(self) -> "Fake":
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._socket.close()


def test_operations(client: Client) -> None:
    client.write("/a/b", b"value")
    client.mkdir("/a/c")
    assert client.read("/a/b") == b"value"
    assert client.directory("/a") == ["b", "c"]
    assert client.exists("/a/c")
    assert client.permissions("/a") == ["n0"]
    client.set_permissions("/a", ["b0", "r5"])
    assert client.permissions("/a") == ["b0", "r5"]
    assert client.snapshot("/a") == {"/a": b"", "/a/b": b"value", "/a/c": b""}
    assert client.domain_path(5) == "/local/domain/5"
    client.remove("/a/b")
    assert not client.exists("/a/b")


def test_errors_say_what_could_not_be_done(client: Client) -> None:
    with pytest.raises(NotFound, match=r"^cannot read /none: No such file or directory$"):
        client.read("/none")
    with pytest.raises(NotFound, match=r"^cannot list /none/x"):
        client.directory("/none/x")
    with pytest.raises(Refused, match=r"^cannot remove /: Invalid argument$") as caught:
        client.remove("/")
    assert caught.value.name == "EINVAL"
    with pytest.raises(Refused, match=r"cannot write /x: Argument list too long"):
        client.write("/x", b"x" * 5000)


def test_where_it_is_found(tmp_path: Path) -> None:
    assert find({"XENSTORED_PATH": "/x/y", "XENSTORED_RUNDIR": "/z"}) == Path("/x/y")
    assert find({"XENSTORED_RUNDIR": "/z"}) == Path("/z/socket")
    with pytest.raises(NoStore, match=r"cannot connect to XenStore at .*/none: No such file"):
        Client(tmp_path / "none")
    with pytest.raises(NoStore, match=r"neither a socket nor a device"):
        Client(tmp_path)
    left_over = socket.socket(socket.AF_UNIX)
    left_over.bind(str(tmp_path / "old"))
    left_over.close()
    with pytest.raises(NoStore, match=r"Connection refused"):
        Client(tmp_path / "old")


def write_and_fail(client: Client) -> None:
    with client.transaction() as transaction:
        transaction.write("/t/a", b"other")
        transaction.read("/none")


def test_a_transaction_is_all_or_nothing(client: Client) -> None:
    with client.transaction() as transaction:
        transaction.write("/t/a", b"1")
        transaction.write("/t/b", b"2")
        assert not client.exists("/t")
        assert transaction.directory("/t") == ["a", "b"]
    assert client.snapshot("/t") == {"/t": b"", "/t/a": b"1", "/t/b": b"2"}
    with pytest.raises(NotFound):
        write_and_fail(client)
    assert client.read("/t/a") == b"1"
    with pytest.raises(XenStoreError, match="the transaction has ended"):
        transaction.read("/t/a")


def conflict(client: Client) -> None:
    with client.transaction() as transaction:
        transaction.write("/c", transaction.read("/c") + b"x")
        client.write("/c", b"meanwhile")


def test_a_conflict_is_an_error(client: Client, path: Path) -> None:
    client.write("/c", b"")
    script = """
other.connect()
client.transaction()
client.write(b"/c", b"x")
other.write(b"/c", b"y")
print(client.commit())
"""
    assert bare_pyxs(path, script) == "False"
    script = """
import os
from pyxs._compat import xs
os.environ["XENSTORED_PATH"] = client.router.connection.path
old = xs()
transaction = old.transaction_start()
old.write(transaction, b"/c", b"x")
old.write(0, b"/c", b"y")
print(old.transaction_end(transaction))
"""
    assert bare_pyxs(path, script) == "True"
    with pytest.raises(Conflict, match=r"^the transaction: Resource temporarily unavailable$"):
        conflict(client)
    assert client.read("/c") == b"meanwhile"


def test_transact_adds_up_whatever_others_do(path: Path) -> None:
    def add(transaction: Transaction) -> None:
        transaction.write("/sum", b"%d" % (int(transaction.read("/sum")) + 1))

    def work() -> None:
        with Client(path) as mine:
            for _ in range(25):
                mine.transact(add, tries=1000)

    with Client(path) as client:
        client.write("/sum", b"0")
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.read("/sum") == b"100"


def test_transact_gives_up(client: Client) -> None:
    calls = []

    def spoilt(transaction: Transaction) -> None:
        calls.append(transaction.read("/c"))
        client.write("/c", b"%d" % len(calls))

    client.write("/c", b"")
    with pytest.raises(Conflict):
        client.transact(spoilt, tries=3)
    assert calls == [b"", b"1", b"2"]


def test_a_server_that_dies_while_it_is_asked(tmp_path: Path) -> None:
    def die(connection: socket.socket, _: int) -> None:
        connection.shutdown(socket.SHUT_RDWR)

    with Fake(tmp_path / "pyxs", die):
        assert bare_pyxs(tmp_path / "pyxs", 'client.read(b"/")', 2) == "hangs"
    with (
        Fake(tmp_path / "ours", die),
        Client(tmp_path / "ours") as client,
        pytest.raises(ConnectionLost, match=r"cannot read /: XenStore closed the connection"),
    ):
        client.read("/")


def test_a_server_that_says_nothing(tmp_path: Path) -> None:
    with Fake(tmp_path / "pyxs", lambda *_: None):
        assert bare_pyxs(tmp_path / "pyxs", 'client.read(b"/")', 2) == "hangs"
    with (
        Fake(tmp_path / "ours", lambda *_: None),
        Client(tmp_path / "ours", timeout=0.2) as client,
        pytest.raises(TimedOut, match=r"did not answer within 0.2 s"),
    ):
        client.read("/")


def test_a_server_that_reads_nothing(tmp_path: Path) -> None:
    with Fake(tmp_path / "ours", lambda *_: None), Client(tmp_path / "ours", timeout=0.02) as client:
        errors = []
        for _ in range(200):
            with pytest.raises((TimedOut, ConnectionLost, NoStore)) as caught:
                client.write("/x", b"x" * 4000)
            errors.append(caught.value)
            if not isinstance(caught.value, TimedOut):
                break
        assert "takes no more requests" in str(errors[-1])


@pytest.mark.parametrize(
    "reply",
    [
        encode(22, 0, 0, b"x\0"),
        encode(Op.READ, 0xFFFF, 0, b"a reply to nobody"),
    ],
    ids=["unknown operation", "unknown request"],
)
def test_replies_that_kill_pyxs(tmp_path: Path, reply: bytes) -> None:
    def answer(connection: socket.socket, request: int) -> None:
        connection.sendall(reply)
        connection.sendall(encode(Op.READ, request, 0, b"right"))

    with Fake(tmp_path / "pyxs", answer):
        assert bare_pyxs(tmp_path / "pyxs", 'print(client.read(b"/"))', 2) == "hangs"
    with Fake(tmp_path / "ours", answer), Client(tmp_path / "ours") as client:
        assert client.read("/") == b"right"


def test_a_reply_of_another_kind(tmp_path: Path) -> None:
    with (
        Fake(tmp_path / "ours", lambda c, request: c.sendall(encode(0xFFFF, request, 0, b""))),
        Client(tmp_path / "ours") as client,
        pytest.raises(Refused, match=r"cannot read /: Function not implemented"),
    ):
        client.read("/")


def test_an_error_without_a_name(tmp_path: Path) -> None:
    for number, name in enumerate((b"ENONSENSE\0", b"", b"\xff", b"errorcode\0", b"ENOENT")):
        place = tmp_path / str(number)
        with Fake(place, lambda c, r, name=name: c.sendall(encode(Op.ERROR, r, 0, name))), Client(place) as client:  # type: ignore[misc] # a lambda's default has no type
            with pytest.raises(Refused) as caught:
                client.read("/")
            assert caught.value.name == ("ENOENT" if name == b"ENOENT" else "EINVAL")


def test_a_length_that_is_a_lie(tmp_path: Path) -> None:
    def lie(connection: socket.socket, request: int) -> None:
        connection.sendall(HEADER.pack(Op.READ, request, 0, 0x7FFFFFFF))

    with (
        Fake(tmp_path / "ours", lie),
        Client(tmp_path / "ours") as client,
        pytest.raises(ConnectionLost, match=r"sent a packet of 2147483647 bytes"),
    ):
        client.read("/")


def test_a_large_directory(client: Client, path: Path) -> None:
    names = [f"a-rather-long-name-{number:04}" for number in range(500)]
    for name in names:
        client.mkdir(f"/large/{name}")
    assert "Argument list too long" in bare_pyxs(path, 'client.list(b"/large")')
    assert client.directory("/large") == names
    with client.transaction() as transaction:
        assert transaction.directory("/large") == names
    assert len(client.snapshot("/large")) == 501


def test_values_of_any_bytes(client: Client, path: Path) -> None:
    for value in (b"tab\t", b"\n", b"end\0\0", b"\0", bytes(range(256)), b""):
        client.write("/v", value)
        assert client.read("/v") == value
    client.write("/v", b"x\0")
    assert bare_pyxs(path, 'print(client.read(b"/v"))') == "b'x'"
    assert bare_pyxs(path, 'client.write(b"/v", b"a\\tb")').startswith("ValueError")


def test_paths_are_as_long_as_the_store_takes_them(client: Client, path: Path) -> None:
    long = "/" + "a" * 3500
    client.mkdir(long)
    client.write(long, b"x")
    client.set_permissions(long, ["r5"])
    assert (client.read(long), client.permissions(long)) == (b"x", ["r5"])
    client.remove(long)
    assert not client.exists(long)
    with pytest.raises(Refused, match="Argument list too long"):
        client.mkdir("/" + "a" * 5000)
    assert bare_pyxs(path, 'client.write(b"/" + 3500 * b"a", b"")').startswith("pyxs.exceptions.InvalidPath")


def test_more_requests_than_32_bits_number(client: Client, path: Path) -> None:
    client._current.router._ids = itertools.count((1 << 32) - 2)
    assert [client.directory("/") for _ in range(4)] == [["tool"]] * 4
    assert bare_pyxs(path, 'import pyxs._internal as i; i._rq_id = 2**32; client.read(b"/")').startswith("struct.error")


@pytest.mark.parametrize("bad", ["", "/a\n", "/a/", "//a", "/a\0b", "/ä", "/a b", "a//b", "/a/../\n"])
def test_paths_that_are_none(client: Client, bad: str) -> None:
    for operation in (client.read, client.directory, client.mkdir, client.remove, client.permissions, client.watch):
        with pytest.raises(Refused, match=r"is no path"):
            operation(bad)


def test_permissions_that_are_none(client: Client) -> None:
    for bad in ("", "x0", "r", "r-1", "r5\n", "5"):
        with pytest.raises(Refused, match=r"is no permission"):
            client.set_permissions("/", [bad])


def test_a_watch_tells_of_its_path_first_and_of_changes_then(client: Client) -> None:
    with client.watch("/w") as watch:
        assert watch.next(600) == "/w"
        client.write("/w/a", b"1")
        assert watch.next(600) == "/w/a"
        client.write("/elsewhere", b"1")
        with pytest.raises(TimedOut, match=r"^/w did not change within 0.1 s$"):
            watch.next(0.1)
        client.remove("/w")
        assert watch.next(600) == "/w"  # what was under it is not told
    client.write("/w", b"2")
    with pytest.raises(ConnectionLost, match=r"the watch on /w has ended"):
        watch.next(1)


def test_special_watches(client: Client, path: Path) -> None:
    with client.watch("@introduceDomain") as watch:
        assert watch.next(600) == "@introduceDomain"
        client._session().ask(Op.INTRODUCE, b"9", b"1", b"1")  # as a toolstack does
        assert watch.next(600) == "@introduceDomain"
    with client.watch("@releaseDomain/9") as watch:
        assert watch.next(600) == "@releaseDomain/9"
    assert "InvalidPath" in bare_pyxs(path, 'client.monitor().watch(b"@releaseDomain/9", b"t")')


def test_events_of_a_watch_that_has_ended(client: Client, path: Path) -> None:
    script = """
with client.monitor() as monitor:
    monitor.watch(b"/w", b"old")
    monitor.watch(b"/v", b"new")
    client.write(b"/w", b"x")
    monitor.unwatch(b"/w", b"old")
    client.write(b"/v", b"x")
    print([next(monitor.wait()) for _ in range(2)])
"""
    assert bare_pyxs(path, script, 2) == "hangs"
    with client.watch("/w") as old, client.watch("/v") as new:
        assert new.next(600) == "/v"
        client.write("/w", b"x")
        old.close()
        client.write("/v", b"x")
        assert new.next(600) == "/v"


@pytest.mark.usefixtures("path")
def test_a_watch_that_is_refused_leaves_nothing(tmp_path: Path) -> None:
    with Client(tmp_path / "dom5") as guest:
        opened = [guest.watch("/w") for _ in range(127)]
        with pytest.raises(Refused, match=r"cannot watch /w: No space left on device"):
            guest.watch("/w")
        opened.pop().close()
        guest.watch("/w").close()


def test_what_a_watcher_does_not_take_does_not_pile_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "PENDING_MAX", 10)
    with client.watch("/w") as watch:
        for _ in range(3):
            for number in range(5):
                client.write(f"/w/{number}", b"")
        assert [watch.next(600) for _ in range(6)] == ["/w", *(f"/w/{number}" for number in range(5))]
        for number in range(11):
            client.write(f"/w/{number}", b"")
        # What was told before its answer has come by then.
        client.read("/w/0")
        assert watch.next(600) == "/w"


def test_watches_for_asyncio(client: Client) -> None:
    async def follow() -> list[str]:
        found: list[str] = []
        with client.watch("/async") as watch:
            async for path in watch:
                found.append(path)
                if len(found) == 3:
                    return found
                await asyncio.to_thread(client.write, f"/async/{len(found)}", b"")
        raise AssertionError

    async def beside() -> list[str]:
        task = asyncio.create_task(follow())
        return await asyncio.wait_for(task, 120)

    assert asyncio.run(beside()) == ["/async", "/async/1", "/async/2"]


def test_asyncio_may_give_up_waiting_and_loses_nothing(client: Client) -> None:
    async def follow() -> list[str]:
        with client.watch("/a") as one, client.watch("/b") as other:
            found = [await anext(one), await anext(other)]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(one), 0.05)
            waiting = [asyncio.create_task(anext(watch)) for watch in (one, other)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.to_thread(client.write, "/b/x", b"")
            found.append(await waiting[1])
            await asyncio.to_thread(client.write, "/a/x", b"")
            return [*found, await anext(one)]

    assert asyncio.run(asyncio.wait_for(follow(), 120)) == ["/a", "/b", "/b/x", "/a/x"]


def test_asyncio_goes_on_where_the_server_comes_back(tmp_path: Path) -> None:
    async def follow(client: Client) -> list[str]:
        with client.watch("/w") as watch:
            found = [await anext(watch)]
            server.close()
            with pytest.raises(NoStore):
                await anext(watch)
            with served(tmp_path):
                found.append(await anext(watch))
                await asyncio.to_thread(client.write, "/w/new", b"")
                return [*found, await anext(watch)]

    with ExitStack() as server:
        server.enter_context(served(tmp_path))
        with Client(tmp_path / "dom0") as client:
            assert asyncio.run(asyncio.wait_for(follow(client), 120)) == ["/w", "/w", "/w/new"]


def test_a_server_that_comes_back(tmp_path: Path) -> None:
    state = tmp_path / "dom0"
    with served(tmp_path):
        client = Client(state)
        watch = client.watch("/w")
        assert watch.next(600) == "/w"
        client.write("/w", b"lost with the server")
        assert watch.next(600) == "/w"
        assert bare_pyxs(state, "client.close(); client.connect()").endswith("threads can only be started once")
    for _ in range(2):
        with pytest.raises(NoStore):
            watch.next(600)
    with pytest.raises(NoStore):
        client.read("/w")
    with served(tmp_path):
        # It was told once that there may be news, and goes on.
        assert watch.next(600) == "/w"
        client.write("/w/new", b"")
        assert watch.next(600) == "/w/new"
        client.close()


def test_many_threads_share_a_client(client: Client) -> None:
    failures: list[object] = []

    def work(number: int) -> None:
        for step in range(50):
            client.write(f"/threads/{number}", b"%d" % step)
            if client.read(f"/threads/{number}") != b"%d" % step:
                failures.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(client.directory("/threads")) == 8


def test_descriptors_from_1024_on(path: Path) -> None:
    head = """
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
"""
    assert bare_pyxs(path, head + 'other.connect(); print(other.read(b"/"))', 2) != "b''"  # it hangs
    script = f"""{head}
from pathlib import Path
from pvdrivers.xenstore.client import Client
with Client(Path({str(path)!r})) as client:
    print(client.directory("/"))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=600)
    assert done.stdout == "['tool']\n", done.stderr


def test_nothing_is_left_behind(path: Path) -> None:
    def counted() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    before = counted()
    for _ in range(20):
        with Client(path) as client:
            client.watch("/x")
            client.read("/")
    # Fewer, when what other tests have left goes only now.
    assert all(now <= then for now, then in zip(counted(), before, strict=True))
