"""``xentool store watch``."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pvdrivers.xenstore.client import Client
from tests.pvdrivers.xenstore.served import served
from tests.xentool.cli.store.conftest import Store

STAMP = re.compile(r"^\d\d:\d\d:\d\d\.\d{6} ", re.MULTILINE)


@contextmanager
def watching(client: Client, socket: Path, *words: str, first: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a watch and give it once it told of a write to the node ``first``, which must be watched."""
    argv = [sys.executable, "-m", "xentool", "store", "watch", *words]
    environment = os.environ | {"XENSTORED_PATH": str(socket), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        try:
            for count in range(400):
                client.write(first, b"%d" % count)
                if process.stdout.readline():
                    break
                time.sleep(0.05)
            time.sleep(0.2)
            process.stdout.read()
            os.set_blocking(process.stdout.fileno(), True)
            yield process
        finally:
            process.kill()


def rest(process: "subprocess.Popen[str]", number: signal.Signals | None = None) -> tuple[int, str, str]:
    if number:
        process.send_signal(number)
    told, said = process.communicate(timeout=20)
    return process.returncode, STAMP.sub("", told), said


def test_each_change_with_what_was_and_what_is(client: Client, socket: Path) -> None:
    client.write("/w/a", b"1")
    client.write("/w/device/x/state", b"1")
    with watching(client, socket, "/w", first="/w/first") as process:
        client.write("/w/a", b"\x1b2")
        time.sleep(0.3)
        client.write("/w/a", b"\x1b2")
        time.sleep(0.3)
        client.set_permissions("/w/a", ["n0", "r5"])
        client.write("/w/new/deep/er", b"3")
        time.sleep(0.3)
        client.remove("/w/new")
        time.sleep(0.3)
        status, told, said = rest(process, signal.SIGINT)
    assert (status, said) == (130, "\n")  # click ends the line of ^C
    assert told.splitlines() == [
        r'~ /w/a = "1" -> "\x1b2"',
        r'= /w/a = "\x1b2"',
        "~ /w/a  (n0) -> (n0,r5)",
        '+ /w/new = ""  (n0)',
        '+ /w/new/deep = ""  (n0)',
        '+ /w/new/deep/er = "3"  (n0)',
        '- /w/new = ""',
        '- /w/new/deep = ""',
        '- /w/new/deep/er = "3"',
    ]


def test_json_lines_and_a_depth(client: Client, socket: Path) -> None:
    client.write("/j/a", b"1")
    with watching(
        client, socket, "--json", "--depth", "1", "--until-exists", "/j/end", "/j", first="/j/first"
    ) as process:
        client.write("/j/deep/er", b"too deep")
        client.write("/j/a", b"\xff")
        before = time.time()
        client.mkdir("/j/end")
        status, told, said = rest(process)
    assert (status, said) == (0, "")
    created, changed, end = map(json.loads, told.splitlines())
    assert abs(changed.pop("time") - before) < 20
    assert (created["path"], created["change"], created["old"]) == ("/j/deep", "created", None)
    assert changed == {
        "path": "/j/a",
        "change": "changed",
        "old": {"value": "1", "permissions": ["n0"]},
        "new": {"value_base64": "/w==", "permissions": ["n0"]},
    }
    assert (end["path"], end["change"]) == ("/j/end", "created")


def test_a_number_of_changes(client: Client, socket: Path) -> None:
    argv = [sys.executable, "-m", "xentool", "store", "watch", "-n", "2", "/n"]
    environment = os.environ | {"XENSTORED_PATH": str(socket)}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment) as process:
        for count in range(400):
            client.write(f"/n/{count}", b"")
            if process.poll() is not None:
                break
            time.sleep(0.05)
        status, told, _ = rest(process)
    assert status == 0
    assert [line[:5] for line in told.splitlines()] == ["+ /n/"] * 2


def test_a_transaction_is_told_whole_and_once(client: Client, socket: Path) -> None:
    with watching(client, socket, "/tx", first="/tx/first") as process:
        with client.transaction() as transaction:
            transaction.mkdir("/tx/dev")
            transaction.write("/tx/dev/a", b"1")
            transaction.write("/tx/dev/b", b"2")
        time.sleep(0.5)
        status, told, _ = rest(process, signal.SIGINT)
    assert status == 130
    assert told.splitlines() == ['+ /tx/dev = ""  (n0)', '+ /tx/dev/a = "1"  (n0)', '+ /tx/dev/b = "2"  (n0)']


def test_until_all_conditions_hold(client: Client, socket: Path) -> None:
    client.write("/gone", b"")
    words = ("--until", "/u/state=4", "--until-gone", "/gone", "--until-exists", "/u/there/now", "/u")
    with watching(client, socket, *words, first="/u/first") as process:
        client.write("/u/state", b"4")
        client.write("/u/there/now", b"")
        client.write("/u/state", b"5")
        client.remove("/gone")
        time.sleep(0.5)
        assert process.poll() is None
        client.write("/u/state", b"4")
        status, told, said = rest(process)
    assert (status, said) == (0, "")
    assert told.splitlines()[-1] == '~ /u/state = "5" -> "4"'
    assert '- /gone = ""' in told


def test_conditions_at_once_and_in_vain(store: Store, client: Client) -> None:
    client.write("/c/state", b"4")
    done = store("watch", "--until", "/c/state=4", "--until-gone", "/c/none")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = store("watch", "--until", "/c/state=5", "--timeout", "0.2")
    assert (done.returncode, done.stderr) == (1, "xentool: 0.2 s have passed, and what was waited for is not so\n")
    done = store("watch", "/c", "--timeout", "0.2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert store("watch").returncode == 2
    done = store("watch", "--until", "/c/state")
    assert done.returncode == 2
    assert "--until-exists waits for a node" in done.stderr


def test_a_store_that_ends_is_an_error_in_one_line(tmp_path: Path) -> None:
    socket = tmp_path / "dom0"
    with (
        served(tmp_path) as server,
        Client(socket) as client,
        watching(client, socket, "/", first="/first") as process,
    ):
        server.terminate()
        server.wait(10)
        status, told, said = rest(process)
    assert (status, told) == (3, "")
    assert said.startswith(f"xentool: cannot connect to XenStore at {tmp_path}/dom0: ")
    assert said.count("\n") == 1
