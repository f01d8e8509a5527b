"""``xentool store watch``."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from pvdrivers.xenstore.client import Client
from tests.pvdrivers.xenstore.served import served
from tests.xentool.cli.running import Store
from tests.xentool.cli.store.watched import STAMP, watching


def lines(told: str) -> list[str]:
    return [STAMP.sub("", line) for line in told.splitlines()]


def test_each_change_with_what_was_and_what_is(client: Client, socket: Path) -> None:
    client.write("/w/a", b"1")
    with watching(client, socket, "/w", first="/w/first") as watch:
        client.write("/w/a", b"\x1b2")
        assert watch.line() == r'~ /w/a = "1" -> "\x1b2"'
        client.write("/w/a", b"\x1b2")
        assert watch.line() == r'= /w/a = "\x1b2"'
        client.set_permissions("/w/a", ["n0", "r5"])
        assert watch.line() == "~ /w/a  (n0) -> (n0,r5)"
        client.write("/w/new/deep/er", b"3")
        created = ['+ /w/new = ""  (n0)', '+ /w/new/deep = ""  (n0)', '+ /w/new/deep/er = "3"  (n0)']
        assert watch.upto("er") == created
        client.remove("/w/new")
        client.write("/w/end", b"")
        assert watch.upto("end") == [
            *('- /w/new = ""', '- /w/new/deep = ""', '- /w/new/deep/er = "3"'),
            '+ /w/end = ""  (n0)',
        ]
        watch.process.send_signal(signal.SIGINT)
        assert watch.ended() == (130, "\n")  # click ends the line of ^C


def test_json_lines_and_a_depth(client: Client, socket: Path) -> None:
    client.write("/j/a", b"1")
    words = ("--json", "--depth", "1", "--until-exists", "/j/end", "/j")
    with watching(client, socket, *words, first="/j/first") as watch:
        client.write("/j/deep/er", b"too deep")
        client.write("/j/a", b"\xff")
        before = time.time()
        client.mkdir("/j/end")
        created, changed, end = map(json.loads, watch.upto("/j/end"))
        assert watch.ended() == (0, "")
    assert abs(changed.pop("time") - before) < 600
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
        for count in range(3000):
            client.write(f"/n/{count}", b"")
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
                break
        told, _ = process.communicate()
    assert process.returncode == 0
    # The node of a write between the watch and its first look at the nodes was there before, for all that it knows.
    told_of = [re.fullmatch(r'(?:\+ /n/(\d+) = ""  \(n0\)|= /n/(\d+) = "")', line) for line in lines(told)]
    first, second = [int(each[1] or each[2]) for each in told_of if each]
    assert len(told_of) == 2
    assert second == first + 1


def test_a_transaction_is_told_whole_and_once(client: Client, socket: Path) -> None:
    with watching(client, socket, "/tx", first="/tx/first") as watch:
        with client.transaction() as transaction:
            transaction.mkdir("/tx/dev")
            transaction.write("/tx/dev/a", b"1")
            transaction.write("/tx/dev/b", b"2")
        client.mkdir("/tx/end")
        assert watch.upto("end") == [
            *('+ /tx/dev = ""  (n0)', '+ /tx/dev/a = "1"  (n0)', '+ /tx/dev/b = "2"  (n0)'),
            '+ /tx/end = ""  (n0)',
        ]


def test_until_all_conditions_hold(client: Client, socket: Path) -> None:
    client.write("/gone", b"")
    words = ("--until", "/u/state=4", "--until-gone", "/gone", "--until-exists", "/u/there/now", "/u")
    with watching(client, socket, *words, first="/u/first") as watch:
        client.write("/u/state", b"4")
        assert watch.upto("/u/state") == ['+ /u/state = "4"  (n0)']
        client.write("/u/there/now", b"")
        client.write("/u/state", b"5")
        assert watch.upto('"5"')[-1] == '~ /u/state = "4" -> "5"'
        client.remove("/gone")
        assert watch.upto("/gone") == ['- /gone = ""']
        client.write("/u/state", b"4")
        assert watch.upto("/u/state") == ['~ /u/state = "5" -> "4"']
        assert watch.ended() == (0, "")


def test_conditions_at_once_and_in_vain(store: Store, client: Client) -> None:
    client.write("/c/state", b"4")
    done = store("watch", "--until", "/c/state=4", "--until-gone", "/c/none")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = store("watch", "--until", "/c/state=5", "--timeout", "0.2")
    assert (done.returncode, done.stderr) == (1, 'xentool: 0.2 seconds have passed: /c/state is "4", not "5"\n')
    client.write("/c/quote", b'say "hi"  (n0)\x1b')
    words = ["--until-gone", "/c/quote", "--until", "/c/no=1", "--until-exists", "/d", "--until", "/c/quote=x"]
    done = store("watch", *words, "--timeout", "0.2")
    assert done.stderr == (
        'xentool: 0.2 seconds have passed: /c/no is not there, and was to be "1"; '
        r'/c/quote is "say \"hi\"  (n0)\x1b", not "x"; /d is not there; /c/quote is still there'
        "\n"
    )
    # And it is drawn so that no value can pass for two, or for what follows one.
    assert r'quote = "say \"hi\"  (n0)\x1b"  (n0)' in store("tree", "/c").stdout
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
        watching(client, socket, "/", first="/first") as watch,
    ):
        server.terminate()
        server.wait()
        status, said = watch.ended()
    assert status == 3
    assert said.startswith(f"xentool: cannot connect to XenStore at {tmp_path}/dom0: ")
    assert said.count("\n") == 1
