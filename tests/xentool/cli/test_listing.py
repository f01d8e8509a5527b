"""`--sort`, `-o` and `--watch`: one mechanism, by way of every command that has it."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from pvdrivers.xenstore.client import Client
from tests.pvdrivers.xenstore.served import served
from tests.xentool.cli.inprocess import ran
from tests.xentool.cli.terminals import said
from tests.xentool.dom0 import hosted, pair
from xentool.cli.common import listing

RING = {"ring_ref": "8", "event_channel": "15"}
NODES = [
    *pair("3/device/vbd/51712", "0/backend/vbd/3/51712", **RING),
    *pair("3/device/vbd/51728", "0/backend/vbd/3/51728", state="2", **RING),
    *pair("10/device/vbd/51712", "0/backend/vbd/10/51712", **RING),
]
DOMAINS = {0: "Domain-0", 3: "web10", 10: "web2"}


def test_what_is_ordered() -> None:
    orders: listing.Orders[tuple[str, int | None]] = {"name": lambda one: one[0], "size": lambda one: one[1]}
    items = [("web10", 1), ("Web2", None), ("db", 7)]
    assert listing.ordered(items, orders, None) == items
    assert [name for name, _ in listing.ordered(items, orders, "name")] == ["db", "Web2", "web10"]
    assert [name for name, _ in listing.ordered(items, orders, "size")] == ["db", "web10", "Web2"]


def test_domains_and_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hosted(tmp_path, monkeypatch, DOMAINS, NODES):
        assert ran("list", "-o", "name").stdout == "Domain-0\nweb10\nweb2\n"
        assert ran("list", "-o", "name", "--sort", "name").stdout == "Domain-0\nweb2\nweb10\n"
        assert ran("list", "-o", "name", "--sort", "disks").stdout == "web10\nweb2\nDomain-0\n"
        told = json.loads(ran("list", "-o", "json", "--sort", "disks").stdout)
        assert [each["domid"] for each in told["domains"]] == [3, 10, 0]
        lines = ran("list", "--sort", "name").stdout.splitlines()
        assert [line.split()[1] for line in lines] == ["Name", "Domain-0", "web2", "web10"]
        assert ran("show", "3", "-o", "name").stdout == "web10\n"
        assert ran("device", "list", "-o", "name", "--sort", "frontend").stdout == "web10 xvdb\nweb10 xvda\nweb2 xvda\n"
        told = json.loads(ran("device", "list", "-o", "json", "--sort", "domain").stdout)
        assert [(each["domid"], each["name"]) for each in told["devices"]] == [(10, "xvda"), (3, "xvda"), (3, "xvdb")]


def test_wide_leaves_out_and_folds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "62")
    name = "a-name-that-is-longer-than-the-terminal-has-room-for-in-a-line"
    with hosted(tmp_path, monkeypatch, {0: "Domain-0", 3: name}, NODES):
        assert "no room for" in ran("list", "--color", "never", terminal=True).stdout
        wide = ran("list", "-o", "wide", "--color", "never", terminal=True).stdout
        assert "no room for" not in wide
        assert name in wide
        assert wide.splitlines()[0].endswith("Nets")


def test_the_stores_order_and_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tmp_path), Client(tmp_path / "dom0") as client:
        monkeypatch.setenv("XENSTORED_PATH", str(tmp_path / "dom0"))
        for path, value in (("t/b10/x", b"1"), ("t/b9", b"3"), ("t/a", b"2")):
            client.write(f"/{path}", value)
        names = ["/t/a", "/t/b9", "/t/b10", "/t/b10/x"]
        assert ran("store", "tree", "/t", "-o", "name", "--sort", "name").stdout.splitlines() == ["/t", *names]
        assert ran("store", "ls", "/t", "-o", "name", "--sort", "name").stdout.splitlines() == names
        assert ran("store", "ls", "/t", "--sort", "name").stdout == 'a = "2"\nb9 = "3"\nb10 = ""\n x = "1"\n'
        told = json.loads(ran("store", "tree", "/t", "-o", "json", "--sort", "value").stdout)
        assert [node["path"] for node in told["nodes"]] == ["/t", "/t/b10", "/t/b10/x", "/t/a", "/t/b9"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "--sort", "memroy"), "there is no column 'memroy'; did you mean 'memory'?"),
        (("list", "--sort", "x"), "there is no column 'x'; there are id, name, type, state,"),
        (("list", "--json", "-o", "name"), "--json and -o name are two forms: give one"),
        (("list", "--watch", "0.01"), "0.01 is not in the range 0.1<=x"),
        (("show", "--watch=nan", "web"), "'nan' is no number"),
        (("show", "--sort", "name", "web"), "No such option"),
    ],
)
def test_what_is_not_there(words: tuple[str, ...], said: str) -> None:
    done = ran(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())


def test_in_a_pipe_one_look_follows_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("xentool.cli.common.listing.sleep", sleep)
    with hosted(tmp_path, monkeypatch, DOMAINS, NODES):
        # The word behind it is a domain, and no number of seconds.
        done = ran("show", "--watch", "web2", "-o", "name")
        assert (done.returncode, done.stdout, slept) == (130, "web2\n\nweb2\n\n", [2, 2])
        slept.clear()
        lines = ran("list", "--json", "--watch", "7").stdout.splitlines()
        assert [len(json.loads(line)["domains"]) for line in lines] == [3, 3]
        assert slept == [7, 7]


def test_on_a_terminal_it_is_a_page_that_leaves_its_last_state() -> None:
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "xentool", "list", "-c", "test:///default", "--watch=3600"]
    environ = os.environ | {"TERM": "xterm", "COLUMNS": "80", "LINES": "24", "NO_COLOR": "1"}
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=environ) as child:
        os.close(theirs)
        shown = said(ours, b"q ends, ? helps")
        os.write(ours, b"/nobody\n")
        shown += said(ours, b"/nobody  every 3600 s")
        os.write(ours, b"\x1b[B")
        os.write(ours, b"q")
        last = said(ours)
        assert child.wait() == 0
    os.close(ours)
    assert b"running" in shown
    # Back from the page, what was seen last is below what was there before.
    assert last.rpartition(b"\x1b[?1049l")[2].replace(b"\x1b[?25h", b"").split() == (
        b"ID Name Type State vCPUs Memory CPU s Disks Nets".split()
    )
