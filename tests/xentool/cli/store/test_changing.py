"""``xentool store write|mkdir|rm|chmod|apply``, done and rehearsed."""

import json
from pathlib import Path

import pytest

from pvdrivers.xenstore.client import Client
from tests.xentool.cli.running import Store

BINARY = bytes(range(256))


def test_what_read_shows_can_be_written(store: Store, client: Client) -> None:
    client.write("/w/binary", BINARY)
    shown = store("read", "-p", "/w/binary").stdout.rstrip("\n").removeprefix("/w/binary: ")
    assert store("write", "/w/copy", shown).returncode == 0
    assert client.read("/w/copy") == BINARY
    assert store("write", "--raw", "/w/copy", r"\n\x41", "/w/minus", "-5").returncode == 0
    assert (client.read("/w/copy"), client.read("/w/minus")) == (rb"\n\x41", b"-5")


def test_several_are_written_or_none(store: Store, client: Client) -> None:
    client.write("/several/a", b"old")
    done = store("write", "/several/a", "new", "/several/b//c", "1")
    assert (done.returncode, done.stderr) == (1, "xentool: '/several/b//c' is no path: Invalid argument\n")
    assert client.read("/several/a") == b"old"
    assert store("write", "/several/a", "1", "/several/b/c", "2").returncode == 0
    assert client.snapshot("/several") == {
        "/several": b"",
        "/several/a": b"1",
        "/several/b": b"",
        "/several/b/c": b"2",
    }


def test_a_rehearsal_tells_all_that_would_change_and_changes_nothing(store: Store, client: Client) -> None:
    client.write("/r/a/b", b"1")
    client.write("/r/a/c", b"\x1b2")
    client.set_permissions("/r/a/c", ["n0", "r5"])
    before = client.snapshot()
    told = {
        ("write", "/r/a/b", "2", "/r/x/y", "z"): '~ /r/a/b = "1" -> "2"\n+ /r/x = ""  (n0)\n+ /r/x/y = "z"  (n0)\n',
        ("write", "/r/a/b", "1"): "",
        ("mkdir", "/r/a", "/r/d/e"): '+ /r/d = ""  (n0)\n+ /r/d/e = ""  (n0)\n',
        ("rm", "/r/a"): '- /r/a = ""\n- /r/a/b = "1"\n- /r/a/c = "\\x1b2"\n',
        ("rm", "--tidy", "/r/a/b", "/r/a/c"): '- /r = ""\n- /r/a = ""\n- /r/a/b = "1"\n- /r/a/c = "\\x1b2"\n',
        ("chmod", "/r/a/b", "r5"): "~ /r/a/b  (n0) -> (r5)\n",
        ("chmod", "-u", "-r", "/r/a", "n0", "b5"): (
            "~ /r  (n0) -> (n0,b5)\n~ /r/a  (n0) -> (n0,b5)\n~ /r/a/b  (n0) -> (n0,b5)\n~ /r/a/c  (n0,r5) -> (n0,b5)\n"
        ),
    }
    for (command, *words), expected in told.items():
        done = store(command, "--dry-run", *words)
        assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")
    assert client.snapshot() == before
    assert client.permissions("/r/a/c") == ["n0", "r5"]
    document = json.loads(store("rm", "-n", "--json", "/r/a/c").stdout)
    assert document == {
        "schema": "xentool.store.changes/1",
        "changes": [
            {
                "path": "/r/a/c",
                "change": "removed",
                "old": {"value": "\x1b2", "permissions": ["n0", "r5"]},
                "new": None,
            }
        ],
    }


def test_a_rehearsal_meets_the_stores_own_refusal(store: Store, socket: Path, client: Client) -> None:
    client.write("/mine", b"x")
    for words in ("write", "/mine", "y"), ("write", "-n", "/mine", "y"), ("chmod", "-n", "/mine", "n5"):
        done = store(*words, path=socket.with_name("dom5"))
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.endswith("/mine: Permission denied\n")


def test_removing(store: Store, client: Client) -> None:
    for path in "/t/a/b/c", "/t/keep/x/y":
        client.write(path, b"1")
    client.write("/t/keep", b"value")
    assert store("rm", "/t/a").returncode == 0
    assert client.directory("/t") == ["keep"]
    assert store("rm", "--tidy", "/t/keep/x/y").returncode == 0
    # Above a node without value and children, one with a value stays.
    assert client.snapshot("/t") == {"/t": b"", "/t/keep": b"value"}
    assert store("rm", "/t/none").returncode == 0
    done = store("rm", "/t/none/none")
    assert (done.returncode, done.stderr) == (1, "xentool: cannot remove /t/none/none: No such file or directory\n")
    done = store("rm", "/t", "/")
    assert (done.returncode, done.stderr) == (
        1,
        "xentool: the root is not removed: every domain would lose its devices\n",
    )
    assert client.exists("/t")


def test_permissions(store: Store, client: Client) -> None:
    client.write("/p/a/b", b"1")
    assert store("chmod", "-r", "/p/a", "n0", "r5", "w6").returncode == 0
    assert client.permissions("/p/a") == client.permissions("/p/a/b") == ["n0", "r5", "w6"]
    assert client.permissions("/p") == ["n0"]
    assert store("chmod", "--upto", "/p/a/b", "b7").returncode == 0
    assert [client.permissions(path) for path in ("/", "/p", "/p/a", "/p/a/b")] == [["n0"], ["b7"], ["b7"], ["b7"]]
    done = store("chmod", "/p", "x5")
    assert (done.returncode, done.stderr) == (
        1,
        "xentool: 'x5' is no permission such as n0, r5, w5 or b5: Invalid argument\n",
    )


def test_usage(store: Store) -> None:
    done = store("write", "/a", "1", "/b")
    assert done.returncode == 2
    assert "give a VALUE with each PATH" in done.stderr
    assert store("rm", "--json", "/a").returncode == 2


def test_a_script_is_done_whole_or_not_at_all(store: Store, client: Client, tmp_path: Path) -> None:
    client.write("/s/old/below", b"1")
    script = tmp_path / "changes"
    script.write_text(
        "# a device goes, another comes\n\n"
        "rm /s/old\n  write /s/new two  words \\x01 \nwrite /s/none \nmkdir /s/dir\nchmod /s/dir n0 r5\n"
    )
    told = store("apply", "--dry-run", str(script)).stdout
    assert told == (
        '- /s/old = ""\n- /s/old/below = "1"\n'
        '+ /s/new = "two  words \\001 "  (n0)\n+ /s/none = ""  (n0)\n+ /s/dir = ""  (n0,r5)\n'
    )
    assert set(client.snapshot("/s")) == {"/s", "/s/old", "/s/old/below"}
    done = store("apply", str(script))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert client.snapshot("/s") == {"/s": b"", "/s/new": b"two  words \x01 ", "/s/none": b"", "/s/dir": b""}
    assert client.permissions("/s/dir") == ["n0", "r5"]

    # The store refuses the last line, so the first is not done either.
    script.write_text("rm /s/new\nwrite /s/x 1\nchmod /s/nothing n0\n")
    assert store("apply", str(script)).returncode == 1
    assert client.read("/s/new") == b"two  words \x01 "


def test_a_script_without_end(store: Store) -> None:
    done = store("apply", "/dev/zero")
    assert (done.returncode, done.stderr) == (
        1,
        "xentool: changes of more than 16 MiB are none that a store takes at once\n",
    )


@pytest.mark.parametrize(
    "line",
    ["write /s/a", "write", "rm", "rm /a b", "chmod /s", "chmod /s ", "mv /a /b", "WRITE /a 1", "\x1b[2J", "mkdir  x"],
)
def test_a_line_that_says_nothing_is_named(store: Store, tmp_path: Path, line: str) -> None:
    (tmp_path / "changes").write_text(f"# first\n{line}\n")
    done = store("apply", str(tmp_path / "changes"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("xentool: line 2 is not write PATH VALUE, ")
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr
