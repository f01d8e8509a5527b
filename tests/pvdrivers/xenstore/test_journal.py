"""A state file: what was answered is there again, whole, whatever became of the server and the file's end."""

import errno
import os
import random
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from pvdrivers.xenstore import journal as journals
from pvdrivers.xenstore.client import Client, ConnectionLost, NoStore
from pvdrivers.xenstore.journal import Journal, JournalError
from pvdrivers.xenstore.perms import NONE, Perm
from pvdrivers.xenstore.records import MAGIC, MAGIC_1, encode, encode_change
from pvdrivers.xenstore.store import Store
from pvdrivers.xenstore.tree import Node, Tree, walk
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
        assert (again.torn, again.damage) == (0, [])
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
    for size in [*range(len(MAGIC), len(data), 19), len(data)]:
        state.write_bytes(data[:size])
        cut = Journal(state)
        found = states.index(content(cut.tree))
        cut.close()
        assert found >= last
        last = found
        # An operator may know what cut it off.
        if cut.torn:
            assert cut.aside
            assert cut.aside.read_bytes() == data[:size]
            cut.aside.unlink()
        assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert last == len(states) - 1


def test_one_flipped_bit_costs_what_it_hit(tmp_path: Path) -> None:
    state = tmp_path / "state"
    journal, client = opened(state)
    for number in range(20):
        client.write(f"/n{number}", "value")
    before = content(journal.tree)
    journal.close()
    Journal(state).close()  # a record for each node
    data = state.read_bytes()
    for at in range(len(MAGIC), len(data), 23):
        state.write_bytes(data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :])
        flipped = Journal(state)
        after = content(flipped.tree)
        # The root's children are found again by themselves; a lost node is missed among them.
        gone = set(before) - set(after)
        assert len(gone) <= 1
        assert all(after[path] == before[path] for path in set(after) - {b"/", b"/tool"}), at
        assert flipped.torn == 0
        if at < len(MAGIC) + 8:
            assert (flipped.damage, flipped.aside) == ([], None)
        else:
            assert len(flipped.damage) == 1
            assert flipped.damage[0].at <= at < flipped.damage[0].at + flipped.damage[0].size
            assert flipped.aside
            assert flipped.aside.read_bytes()[at] == data[at] ^ 0x40
            flipped.aside.unlink()
        flipped.close()


def test_a_long_life_with_damage_goes_on_as_a_tree(tmp_path: Path) -> None:
    chance = random.Random(1)  # noqa: S311 - test data
    for seed in range(20):
        state = tmp_path / str(seed)
        journal, client = opened(state)
        some_work(client, 100, seed)
        journal.close()
        data = bytearray(state.read_bytes())
        for _ in range(1 + seed % 5):
            at = chance.randrange(len(MAGIC) + 8, len(data))
            data[at : at + chance.randrange(1, 100)] = chance.randbytes(chance.randrange(100))
        state.write_bytes(data)
        again = Journal(state)
        paths = dict(walk(again.tree))
        assert paths.keys() == again.tree.nodes.keys()
        assert again.damage
        assert again.aside
        assert again.aside.read_bytes() == data
        expected = content(again.tree)
        again.close()
        third = Journal(state)
        assert (content(third.tree), third.damage) == (expected, [])
        third.close()


def test_lost_nodes_are_nobodys_but_domain_0s(tmp_path: Path) -> None:
    state = tmp_path / "state"
    journal, client = opened(state)
    client.write("/a/b/c", "value")
    client(Op.SET_PERMS, "/a/b", "b5")
    journal.close()
    Journal(state).close()
    data = state.read_bytes()
    at = data.index(b"/a/b") - 4
    state.write_bytes(data[:at] + b"?" + data[at + 1 :])
    again = Journal(state)
    assert again.lost == 1
    assert content(again.tree)[b"/a/b"] == ((Perm(NONE, 0),), b"", b"c\0")
    assert content(again.tree)[b"/a/b/c"][1] == b"value"
    again.close()


def test_no_value_is_taken_for_a_record(tmp_path: Path) -> None:
    # A guest's value, with all that makes a record but what only the file knows.
    forged = encode(bytes(8), [encode_change(b"/forged", Node(0, (Perm(NONE, 5),), b"", b""))])
    state = tmp_path / "state"
    journal, client = opened(state)
    client.raw(Op.WRITE, b"/guest\0" + forged)
    client.write("/after", "1")
    journal.close()
    data = state.read_bytes()
    at = data.index(b"/guest")
    state.write_bytes(data[:at] + b"?" + data[at + 1 :])
    again = Journal(state)
    assert b"/after" in again.tree.nodes
    assert not {b"/guest", b"/forged"} & again.tree.nodes.keys()
    again.close()


def test_files_of_version_1(tmp_path: Path) -> None:
    def version_1(changes: list[bytes]) -> bytes:
        body = b"".join(changes)
        return struct.pack("<II", len(body), zlib.crc32(body)) + body

    state = tmp_path / "state"
    journal, client = opened(state)
    for number in range(5):
        client.write(f"/n{number}", "value")
    nodes = list(walk(journal.tree))
    expected = content(journal.tree)
    journal.close()
    records = [version_1([encode_change(path, node)]) for path, node in nodes]
    state.write_bytes(MAGIC_1 + b"".join(records))
    again = Journal(state)
    assert (content(again.tree), again.damage, again.aside) == (expected, [], None)
    again.close()
    assert state.read_bytes().startswith(MAGIC)
    # Behind a record whose size is right, others are found; zeroes are none.
    records[-3] = records[-3][:-1] + b"?"
    state.write_bytes(MAGIC_1 + b"".join(records) + bytes(100))
    again = Journal(state)
    assert len(again.tree.nodes) == len(expected) - 1
    assert [piece.size for piece in again.damage] == [len(records[-3]), 100]
    again.close()


def test_a_file_without_a_whole_record_is_left_as_it_is(tmp_path: Path) -> None:
    state = tmp_path / "state"
    Journal(state).close()
    damaged = state.read_bytes()[: len(MAGIC) + 8] + bytes(200)
    state.write_bytes(damaged)
    with pytest.raises(JournalError, match="is damaged: no record in it is whole"):
        Journal(state)
    assert state.read_bytes() == damaged
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_what_a_server_says_of_damage(tmp_path: Path) -> None:
    state = tmp_path / "state"
    journal, client = opened(state)
    for name in ("zero", "one", "two"):
        client.write(f"/{name}", name)
    journal.close()
    data = state.read_bytes()
    at = data.index(b"/one") - 32
    state.write_bytes(data[: at + 30] + b"?" + data[at + 31 :] + data[24:40])
    words = ["--socket", str(tmp_path / "dom0"), "--state", str(state)]
    with subprocess.Popen(
        [sys.executable, "-m", "xentool", "store", "serve", *words], stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        torn, damaged, serving = (server.stderr.readline() for _ in range(3))
        server.terminate()
    (aside,) = tmp_path.glob("state.damaged-*")
    assert torn == (
        f"xentool: {state}: left out 16 bytes at its end, a change that was never answered, or was cut off\n"
    )
    assert damaged.startswith(f"xentool: {state}: damaged: ")
    assert damaged.endswith(f"; 1 node known to be lost; the file as it was is {aside}\n")
    assert serving.startswith("xentool: serving")


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


def test_no_room_for_a_shorter_log_is_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journals, "_GROWTH_MIN", 1000)
    journal, client = opened(tmp_path / "state")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        for number in range(200):
            client.write("/n", str(number))
        assert [path.name for path in tmp_path.iterdir()] == ["state"]
        assert journal._size > 4000
    for number in range(1000):
        client.write("/n", str(number))
    assert journal._size < 4000
    journal.close()
    again = Journal(tmp_path / "state")
    assert again.tree.nodes[b"/n"].value == b"999"
    again.close()


def test_a_file_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "state"
    Journal(state).close()
    if os.geteuid() == 0:
        os.chown(state, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(JournalError, match="belongs to another user"):
        Journal(state)


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
        crafted.write_bytes(MAGIC + bytes(8) + encode(bytes(8), [change]))  # with checksums that are right
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
        assert server.wait(600) == 1
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
