"""``xentool store snapshot|diff``."""

import json
from pathlib import Path

import pytest

from pvdrivers.xenstore.client import Client
from tests.xentool.cli.running import Store

BINARY = bytes(range(256))


def test_a_snapshot_is_exact_and_for_its_owner_alone(store: Store, client: Client, tmp_path: Path) -> None:
    client.write("/s/binary", BINARY)
    client.write("/s/text", "ü\n".encode())
    client.set_permissions("/s/text", ["n3", "b4"])
    file = tmp_path / "snapshot"
    done = store("snapshot", str(file), "/s")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]
    document = json.loads(file.read_bytes())
    assert (document["schema"], document["top"], document["consistent"]) == ("xentool.store/1", "/s", True)
    assert [node["path"] for node in document["nodes"]] == ["/s", "/s/binary", "/s/text"]
    assert document["nodes"][2] == {"path": "/s/text", "value": "ü\n", "permissions": ["n3", "b4"]}
    assert json.loads(store("snapshot", "-", "/s").stdout)["nodes"] == document["nodes"]


def test_what_differs(store: Store, client: Client, tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in "ab"]
    device = "/local/domain/1/device/vbd/51712"
    client.write(f"{device}/state", b"4")
    client.write("/local/old", BINARY[:3])
    store("snapshot", files[0], "/local")
    assert store("diff", files[0]).stdout == ""
    client.remove("/local/old")
    client.write(f"{device}/state", b"6")
    client.set_permissions(device, ["n1"])
    client.write("/local/new", b"")
    client.write("/elsewhere", b"")
    store("snapshot", files[1], "/local")
    client.write("/local/new", b"later")
    expected = [
        r'- /local/old = "\000\001\002"',
        f"~ {device}  (n0) -> (n1)",
        f'~ {device}/state = "4" -> "6" Connected -> Closed',
    ]
    done = store("diff", *files)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [*expected, '+ /local/new = ""  (n0)']
    assert store("diff", files[0]).stdout.splitlines() == [*expected, '+ /local/new = "later"  (n0)']
    assert store("diff", files[1]).stdout == '~ /local/new = "" -> "later"\n'
    (change,) = json.loads(store("diff", "--json", files[1]).stdout)["changes"]
    assert (change["path"], change["old"]["value"], change["new"]["value"]) == ("/local/new", "", "later")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"schema": "xentool.report/1"}',
        '{"schema": "xentool.store/1", "top": "/", "taken": 1, "consistent": true}',
        '{"schema": "xentool.store/1", "top": "/", "taken": 1, "consistent": true, "nodes": [1]}',
        '{"schema": "xentool.store/1", "top": "/", "taken": 1, "consistent": true, '
        '"nodes": [{"path": "/a", "value_base64": "!", "permissions": []}]}',
        '{"schema": "xentool.store/1", "top": "/", "taken": 1, "consistent": true, '
        '"nodes": [{"path": "/a", "value": 5, "permissions": []}]}',
        "[" * 100_000,
    ],
)
def test_a_file_that_is_no_snapshot(store: Store, tmp_path: Path, text: str) -> None:
    file = tmp_path / "file"
    file.write_text(text)
    done = store("diff", str(file))
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(f"xentool: {file} is no snapshot of a XenStore (xentool.store/1): ")
    assert done.stderr.count("\n") == 1


def test_paths_of_a_hostile_file_reach_no_terminal(store: Store, tmp_path: Path) -> None:
    node = {"path": "/\x1b]0;owned\x07", "value": "\x1b", "permissions": ["\x1b"]}
    document = {"schema": "xentool.store/1", "top": "/", "taken": 1, "consistent": True, "nodes": []}
    for name, nodes in ("a", []), ("b", [node]):
        (tmp_path / name).write_text(json.dumps(document | {"nodes": nodes}))
    done = store("diff", str(tmp_path / "a"), str(tmp_path / "b"))
    assert done.returncode == 0
    assert done.stdout == '+ /\\x1b]0;owned\\007 = "\\x1b"  (\\x1b)\n'


def test_a_file_that_cannot_be_written(store: Store, tmp_path: Path) -> None:
    done = store("snapshot", str(tmp_path / "none" / "file"))
    assert (done.returncode, done.stderr) == (
        1,
        f"xentool: cannot write {tmp_path}/none/file: No such file or directory\n",
    )
