"""A state file: what was answered is there again, whole, whatever became of the server and the file's end."""

import os
import random
import subprocess
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from pvdrivers.xenstore import journal as journals
from pvdrivers.xenstore.client import Client, ConnectionLost, NoStore
from pvdrivers.xenstore.journal import MAGIC, Journal, JournalError
from pvdrivers.xenstore.store import Store
from pvdrivers.xenstore.tree import Tree, walk
from pvdrivers.xenstore.wire import Op
from tests.pvdrivers.xenstore.clients import Client as InProcess
from tests.pvdrivers.xenstore.clients import outcome
from tests.pvdrivers.xenstore.served import served


def content(tree: Tree) -> dict[bytes, tuple[object, bytes, bytes]]:
    return {path: (node.perms, node.value, node.children) for path, node in walk(tree)}


def opened(path: Path) -> tuple[Journal, InProcess]:
    journal = Journal(path)
    return journal, InProcess(Store(journal.tree, journal.commit))


def some_work(client: InProcess, steps: int, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - test data
    for _ in range(steps):
        path = "/w" + "".join(f"/{chance.randrange(3)}" for _ in range(chance.randrange(1, 4)))
        tx = client.begin() if chance.random() < 0.3 else 0
        for _ in range(chance.randrange(1, 4)):
            match chance.randrange(5):
                case 0:
                    outcome(lambda: client(Op.RM, path, tx=tx))  # noqa: B023 - called at once
                case 1:
                    outcome(lambda: client(Op.SET_PERMS, path, "n5", "r6", "b32757", tx=tx))  # noqa: B023 - called at once
                case _:
                    client.raw(Op.WRITE, path.encode() + b"\0" + chance.randbytes(chance.randrange(40)), tx=tx)
        if tx:
            client.end(tx, chance.choice("TTF"))


def test_all_of_it_comes_back(tmp_path: Path) -> None:
    for seed in range(5):
        state = tmp_path / str(seed)
        journal, client = opened(state)
        some_work(client, 200, seed)
        expected = content(journal.tree)
        journal.close()
        again, _ = opened(state)
        assert content(again.tree) == expected
        assert again.dropped == 0
        some_work(InProcess(Store(again.tree, again.commit)), 50, seed)
        expected = content(again.tree)
        again.close()
        third = Journal(state)
        assert content(third.tree) == expected
        assert third.tree.nodes_of == again.tree.nodes_of
        third.close()


def test_a_file_cut_anywhere_is_a_state_that_was(tmp_path: Path) -> None:
    state = tmp_path / "state"
    journal, client = opened(state)
    states = [{}, content(journal.tree)]
    for number in range(12):
        tx = client.begin()
        client.write(f"/a{number}", "x" * number, tx)
        client.write("/both", str(number), tx)
        client.end(tx)
        states.append(content(journal.tree))
    journal.close()
    data = state.read_bytes()
    last = 0
    for size in [*range(len(MAGIC), len(data), 5), len(data)]:
        state.write_bytes(data[:size])
        cut = Journal(state)
        found = states.index(content(cut.tree))
        cut.close()
        assert found >= last
        last = found
    assert last == len(states) - 1


def test_a_damaged_record_ends_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    journal, client = opened(state)
    for number in range(20):
        client.write(f"/n{number}", "value")
    journal.close()
    data = state.read_bytes()
    for at in range(len(MAGIC), len(data), 3):
        state.write_bytes(data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :])
        damaged = Journal(state)
        numbers = [path for path in damaged.tree.nodes if path.startswith(b"/n")]
        assert numbers == [b"/n%d" % number for number in range(len(numbers))]
        assert len(numbers) < 20
        assert damaged.dropped > 0
        damaged.close()


def test_it_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "_GROWTH_MIN", 10_000)
    state = tmp_path / "state"
    journal, client = opened(state)
    for number in range(2000):
        client.write("/always/the/same", str(number))
        assert state.stat().st_size < 14_000
    journal.close()
    again = Journal(state)
    assert again.tree.nodes[b"/always/the/same"].value == b"1999"
    again.close()
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_files_that_are_no_state(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("my diary")
    with pytest.raises(JournalError, match="is no state of a store"):
        Journal(other)
    assert other.read_text() == "my diary"
    with pytest.raises(JournalError, match="No such file or directory"):
        Journal(tmp_path / "none" / "state")
    crafted = tmp_path / "crafted"
    for change in (b"\xff", b"\1\0\0\0\0\0\0\0\0\0\0\0a", b"\xff\xff\1\0\xff\xff\xff\xff\0\0\0\0a"):
        crafted.write_bytes(MAGIC + journals._record([change]))  # with a checksum that is right
        with pytest.raises(JournalError, match="holds what no store has written"):
            Journal(crafted)


def test_devices_are_left_alone_and_links_followed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for special in (Path("/dev/null"), tmp_path / "fifo"):
        before = special.stat()
        with pytest.raises(JournalError, match=f"{special} is no regular file"):
            Journal(special)
        assert (special.stat().st_ino, special.stat().st_mode) == (before.st_ino, before.st_mode)
    (tmp_path / "link").symlink_to("real")
    journal, client = opened(tmp_path / "link")
    client.write("/a", "1")
    journal.close()
    assert (tmp_path / "link").is_symlink()
    again = Journal(tmp_path / "real")
    assert again.tree.nodes[b"/a"].value == b"1"
    again.close()


def test_one_server_at_a_time(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state")
    with pytest.raises(JournalError, match="another server keeps its state in"):
        Journal(tmp_path / "state")
    journal.close()
    Journal(tmp_path / "state").close()


def test_a_full_disk_ends_the_server_before_it_answers(tmp_path: Path) -> None:
    # /dev/full cannot be locked and renamed; a limit on the size of files does as well.
    argv = [sys.executable, "-m", "xentool", "store", "serve", "--socket", str(tmp_path / "dom0")]
    limited = f'ulimit -f 8; exec "$@" --state {tmp_path / "state"}'
    argv = ["bash", "-c", f"trap '' XFSZ; {limited}", "sh", *argv]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        server.stderr.readline()
        answered = 0
        with Client(tmp_path / "dom0") as client, suppress(ConnectionLost, NoStore):
            while answered < 1000:
                client.write(f"/n{answered}", b"x" * 1000)
                answered += 1
        assert 4 < answered < 9
        assert server.wait(120) == 1
        assert server.stderr.read() == f"xentool: cannot keep the state in {tmp_path / 'state'}: File too large\n"
    journal = Journal(tmp_path / "state")
    assert all(f"/n{number}".encode() in journal.tree.nodes for number in range(answered))
    journal.close()


def test_what_was_answered_survives_kill_9(tmp_path: Path) -> None:
    words = ("--state", str(tmp_path / "state"))
    answered = 0
    for round_ in range(4):
        with served(tmp_path, *words) as server:
            with suppress(ConnectionLost, NoStore), Client(tmp_path / "dom0") as client:
                if answered:
                    found = int(client.read("/one"))
                    # One more may have been done that was not answered.
                    assert found in (answered, answered + 1)
                    assert client.read("/two") == b"%d" % found
                    answered = found
                for done in count():
                    if done == 10:
                        killer = subprocess.Popen(["sh", "-c", f"sleep 0.{1 + round_}; kill -9 {server.pid}"])
                    with client.transaction() as transaction:
                        transaction.write("/one", b"%d" % (answered + 1))
                        transaction.write("/two", b"%d" % (answered + 1))
                    answered += 1
            killer.wait()
    assert answered >= 40
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o600
