"""A store that cannot list one directory: all else is told, that one is named, and the status is 1."""

import errno
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pvdrivers.xenstore.client import Client, Refused
from xentool.cli.store import group
from xentool.errors import XentoolError

TOP = "/unlisted"
NAMED = f"cannot list {TOP}/b: it has more children than fit into one reply"


@pytest.fixture(autouse=True)
def old_store(client: Client, socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b/1", "b/2", "c"):
        client.write(f"{TOP}/{name}", b"held")
    directory = Client.directory

    def some(self: Client, path: str) -> list[str]:
        if path == f"{TOP}/b":
            raise Refused(errno.E2BIG, f"cannot list {path}")
        return directory(self, path)

    monkeypatch.setattr("pvdrivers.xenstore.client.client.View.directory", some)
    monkeypatch.setenv("XENSTORED_PATH", str(socket))


def store(*words: str) -> Result:
    return CliRunner().invoke(group, words)


@pytest.mark.parametrize(
    "words", [("tree", TOP), ("tree", TOP, "--json"), ("ls", TOP), ("ls", TOP, "-f"), ("ls", "--json", TOP)]
)
def test_the_rest_is_told(words: tuple[str, ...]) -> None:
    done = store(*words)
    assert isinstance(done.exception, XentoolError)
    assert str(done.exception).startswith(NAMED)
    assert done.exception.exit_code == 1
    for name in "abc":
        assert name in done.stdout
    if "--json" in words:
        told = json.loads(done.stdout)
        assert [each["path"] for each in told["nodes"]] == [TOP, f"{TOP}/a", f"{TOP}/b", f"{TOP}/c"]
        assert [each["path"] for each in told["unlisted"]] == [f"{TOP}/b"]


def test_what_is_not_shown_need_not_be_listed() -> None:
    done = store("tree", TOP, "-d", "1")
    assert (done.exit_code, done.stdout.count("held")) == (0, 2)


def test_a_snapshot_is_kept_and_what_it_lacks_is_no_difference(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "snapshot")
    assert NAMED in str(store("snapshot", file, TOP).exception)
    client.write(f"{TOP}/c", b"other")
    monkeypatch.undo()
    monkeypatch.setenv("XENSTORED_PATH", str(client.path))
    done = store("diff", file)
    assert done.stdout == f'~ {TOP}/c = "held" -> "other"\n'
    assert NAMED in str(done.exception)


def test_a_watch_says_so_at_once_and_ends_with_1() -> None:
    done = store("watch", TOP, "--timeout", "0")
    assert done.exit_code == 1
    assert done.stderr.startswith(f"xentool: {NAMED}")
