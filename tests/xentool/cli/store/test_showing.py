"""``xentool store ls|tree|list|read|exists``."""

import base64
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from pvdrivers.xenstore.client import Client
from tests.xentool.cli.running import Store
from tests.xentool.cli.terminals import said

BINARY = bytes(range(256))
ESCAPED = (
    r"\000\001\002\003\004\005\006\007\x08\t\n\x0b\x0c\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c"
    r"\x1d\x1e\x1f !"
)


@pytest.fixture(scope="module", autouse=True)
def nodes(client: Client) -> None:
    device = "/local/domain/7/device/vif/0"
    client.write("/local/domain/7/name", b"guest")
    client.write(f"{device}/state", b"4")
    client.write(f"{device}/mac", b"\x1b[31mred\n")
    client.write("/local/domain/7/data", BINARY)
    client.mkdir("/local/domain/7/empty")
    client.write("/local/domain/7/long", b"x" * 300)
    client.set_permissions(device, ["n7", "r0"])
    client.write("/libxl/7/device/vif/0/state", b"1")


def theirs(socket: Path, *words: str) -> str:
    """What one of Xen's own programs prints."""
    done = subprocess.run(words, capture_output=True, check=True, env=os.environ | {"XENSTORED_PATH": str(socket)})
    return done.stdout.decode()


def terminal(socket: Path, columns: int, *words: str) -> str:
    """What ``xentool store`` prints on a terminal, without colours."""
    main, side = pty.openpty()
    environment = {"XENSTORED_PATH": str(socket), "COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "xterm"}
    argv = [sys.executable, "-m", "xentool", "store", *words]
    with subprocess.Popen(argv, stdout=side, env=os.environ | environment) as process:
        os.close(side)
        shown = said(main)
        assert process.wait(600) == 0
    os.close(main)
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("ours", "xens"),
    [
        (["ls", "-f"], ["xenstore-ls", "-f"]),
        (["ls", "-f", "-p", "/local"], ["xenstore-ls", "-f", "-p", "/local"]),
        (["ls", "-p", "/local/domain/7/device"], ["xenstore-ls", "-p", "/local/domain/7/device"]),
        (["ls", "/libxl", "/tool"], ["xenstore-ls", "/libxl", "/tool"]),
        (["list", "/local/domain/7", "/libxl"], ["xenstore-list", "/local/domain/7", "/libxl"]),
        (["list", "-p", "/local/domain/7"], ["xenstore-list", "-p", "/local/domain/7"]),
        (["read", "-p", "/local/domain/7/data"], ["xenstore-read", "-p", "/local/domain/7/data"]),
        (
            ["read", "/local/domain/7/data", "/local/domain/7/name"],
            ["xenstore-read", "/local/domain/7/data", "/local/domain/7/name"],
        ),
        (
            ["read", "-R", "/libxl/7", "/local/domain/7/name"],
            ["xenstore-read", "-R", "/libxl/7", "/local/domain/7/name"],
        ),
    ],
    ids=" ".join,
)
def test_prints_what_xens_programs_print(store: Store, socket: Path, ours: list[str], xens: list[str]) -> None:
    done = store(*ours)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == theirs(socket, *xens)
    assert done.stdout


def test_in_a_pipe_nothing_is_shortened_and_on_a_terminal_to_its_width(store: Store, socket: Path) -> None:
    whole = f'long = "{"x" * 300}"'
    assert whole in store("ls", "/local/domain/7").stdout
    assert whole in store("tree", "/local/domain/7").stdout
    assert whole in terminal(socket, 80, "tree", "--wide", "/local/domain/7").replace("\n", "")
    shown = terminal(socket, 80, "tree", "/local/domain/7").splitlines()
    assert max(map(len, shown)) == 80
    (line,) = (line for line in shown if " long = " in line)
    assert line.endswith('xxx…"  (n0)')
    # xenstore-ls leaves two columns free.
    (line,) = (line for line in terminal(socket, 80, "ls", "/local/domain/7").splitlines() if line.startswith("long"))
    assert line == f'long = "{"x" * (78 - len("long") - 8)}\\..."'


def test_a_tree_cuts_no_number_however_narrow_the_terminal(client: Client, socket: Path) -> None:
    top = "/narrow/domain/8/a-name-with-some-letters"
    client.write(f"{top}/event-channel-of-the-device", b"1234567890")
    client.write(f"{top}/another-name", b"-12.5")
    client.write(f"{top}/state", b"4")
    client.write(f"{top}/words", b"12 monkeys that do not fit at all")
    client.write(f"{top}/x/{'y' * 20}/z", b"0x" + b"f" * 33)
    shown = terminal(socket, 40, "tree", "/narrow/domain/8")
    assert (
        shown
        == """\
/narrow/domain/8  (n0)
└─ a-name-with-some-letters  (n0)
   ├─ event-channel-of-the-device
   │   = "1234567890"  (n0)
   ├─ another-name = "-12.5"  (n0)
   ├─ state = "4"  (n0)
   ├─ words = "12 monkeys that d…"  (n0)
   └─ x  (n0)
      └─ yyyyyyyyyyyyyyyyyyyy  (n0)
         └─ z
 = "0xfffffffffffffffffffffffffffffffff"
              (n0)
"""
    )


def test_a_tree_in_full(store: Store) -> None:
    assert (
        store("tree", "/local/domain/7/device").stdout
        == """\
/local/domain/7/device  (n0)
└─ vif  (n0)
   └─ 0  (n7,r0)
      ├─ state = "4" Connected  (n0)
      └─ mac = "\\x1b[31mred\\n"  (n0)
"""
    )
    lines = store("tree", "-d", "1", "/local/domain/7").stdout.splitlines()
    assert lines[:3] == ["/local/domain/7  (n0)", '├─ name = "guest"  (n0)', '├─ device = ""  (n0)']
    assert lines[3].startswith(f'├─ data = "{ESCAPED}')
    assert lines[4] == '├─ empty = ""  (n0)'
    # libxl keeps what the state was when it made the device: that is not the device's.
    assert '└─ state = "1"  (n0)' in store("tree", "/libxl/7").stdout


def test_colours_only_on_a_terminal_that_has_them(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in terminal(socket, 80, "tree", "/local/domain/7/device")
    monkeypatch.delenv("NO_COLOR", raising=False)
    script = ["script", "-qc", f"{sys.executable} -m xentool store tree /local/domain/7/device", "/dev/null"]
    environment = os.environ | {"XENSTORED_PATH": str(socket), "TERM": "xterm"}
    done = subprocess.run(script, capture_output=True, check=True, env=environment)
    assert b"\x1b[32m Connected" in done.stdout
    assert b"\x1b[31mred" not in done.stdout


def test_one_value_goes_into_a_pipe_to_the_byte(socket: Path) -> None:
    argv = [sys.executable, "-m", "xentool", "store", "read", "/local/domain/7/data"]
    done = subprocess.run(argv, capture_output=True, check=True, env=os.environ | {"XENSTORED_PATH": str(socket)})
    assert done.stdout == BINARY
    assert terminal(socket, 80, "read", "/local/domain/7/name") == "guest\n"


def test_json_has_text_as_text_and_other_bytes_as_base64(store: Store) -> None:
    document = json.loads(store("read", "--json", "/local/domain/7/data", "/local/domain/7/name").stdout)
    assert document == {
        "schema": "xentool.store.values/1",
        "nodes": [
            {"path": "/local/domain/7/data", "value_base64": base64.b64encode(BINARY).decode()},
            {"path": "/local/domain/7/name", "value": "guest"},
        ],
    }
    nodes = json.loads(store("tree", "--json", "/local/domain/7/device/vif/0").stdout)["nodes"]
    assert nodes == [
        {"path": "/local/domain/7/device/vif/0", "value": "", "permissions": ["n7", "r0"]},
        {"path": "/local/domain/7/device/vif/0/state", "value": "4", "permissions": ["n0"]},
        {"path": "/local/domain/7/device/vif/0/mac", "value": "\x1b[31mred\n", "permissions": ["n0"]},
    ]
    assert json.loads(store("ls", "--json", "/local/domain/7/device/vif/0").stdout)["nodes"] == nodes
    several = json.loads(store("ls", "--json", "/local/domain/7/device/vif/0", "/libxl/7/device/vif/0/state").stdout)
    assert several["schema"] == "xentool.store.trees/1"
    assert [(tree["schema"], tree["top"]) for tree in several["trees"]] == [
        ("xentool.store/1", "/local/domain/7/device/vif/0"),
        ("xentool.store/1", "/libxl/7/device/vif/0/state"),
    ]
    assert several["trees"][0]["nodes"] == nodes
    assert [node["value"] for node in several["trees"][1]["nodes"]] == ["1"]
    assert json.loads(store("list", "--json", "/local/domain").stdout) == {
        "schema": "xentool.store.list/1",
        "directories": [{"path": "/local/domain", "children": ["7"]}],
    }


def test_exists_answers_by_its_status_alone(store: Store) -> None:
    for words, status in (("/local", "/libxl"), 0), (("/local", "/none"), 1), (("/none",), 1):
        done = store("exists", *words)
        assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_what_a_domain_may_not_read_is_said(socket: Path, client: Client) -> None:
    client.write("/secret/of/dom0", b"x")
    client.set_permissions("/secret", ["r0"])
    client.set_permissions("/secret/of", ["n0"])
    done = subprocess.run(
        [sys.executable, "-m", "xentool", "store", "tree", "/secret"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"XENSTORED_PATH": str(socket.with_name("dom5"))},
    )
    assert done.stdout == "/secret  (r0)\n└─ of may not be read  (?)\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("read", "/none"), "xentool: cannot read /none: No such file or directory\n"),
        (("tree", "/none"), "xentool: cannot read /none: No such file or directory\n"),
        (("list", "/none"), "xentool: cannot list /none: No such file or directory\n"),
        (("ls", "/a//b"), "xentool: '/a//b' is no path: Invalid argument\n"),
        (("exists", "/a\n"), "xentool: '/a\\n' is no path: Invalid argument\n"),
    ],
)
def test_an_error_is_one_line(store: Store, words: tuple[str, ...], said: str) -> None:
    done = store(*words)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


def test_a_store_that_is_not_there(tmp_path: Path, store: Store) -> None:
    done = store("read", "/", path=tmp_path / "none")
    assert done.returncode == 3
    assert done.stderr == f"xentool: cannot connect to XenStore at {tmp_path}/none: No such file or directory\n"
