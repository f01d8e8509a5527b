"""Where captures lie: what is found below what was said, and what is told of what is not."""

import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import infer_storage_options

from tests.xentool.tools.fleet.made import trace, written
from xentool.tools.fleet import patient
from xentool.tools.fleet.kept import Kept
from xentool.tools.fleet.places import Place, find
from xentool.tools.fleet.task import look


class Hangs(fsspec.AbstractFileSystem):  # type: ignore[misc] # no types
    """A store that answers nothing."""

    protocol = "hangs"
    over = threading.Event()

    def info(self, path: str, **_about: object) -> NoReturn:
        self.over.wait()
        raise FileNotFoundError(path)

    def open(self, path: str, *_about: object, **_more: object) -> NoReturn:
        self.info(path)


class Ssh(LocalFileSystem):  # type: ignore[misc] # no types
    """This machine's files, by the arguments that fsspec's driver for ssh takes: others it hands on to a library."""

    protocol = "sftp"

    def __init__(self, host: str, username: str, port: int) -> None:
        super().__init__()
        assert (host, username, port) == ("xen1", "root", 2222)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(infer_storage_options(path)["path"])

    @staticmethod
    def _get_kwargs_from_urls(url: str) -> dict[str, object]:
        about = infer_storage_options(url)
        return {name: about[name] for name in ("host", "username", "port")}


@pytest.fixture
def ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    # As an attribute, it is what this module holds.
    monkeypatch.setitem(import_module("fsspec.registry")._registry, "sftp", Ssh)


@pytest.fixture
def hanging() -> Iterator[None]:
    fsspec.register_implementation("hangs", Hangs, clobber=True)
    Hangs.over.clear()
    yield
    Hangs.over.set()


def names(*wanted: str) -> list[str]:
    return [one.url if isinstance(one, Place) else f"{one[0]}: {one[1]}" for one in find(wanted)]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b/2.xentrace", "b/1.xentrace", "a[1].x", "a1.x", ".hidden", "b/1.xentrace.meta.json", "b/.git/x"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"data")
    return tmp_path


def test_folders_patterns_and_files_are_found_once(tree: Path) -> None:
    assert names(str(tree / "b"), str(tree / "b/*.xentrace"), f"file://{tree}/b/1.xentrace") == [
        f"{tree}/b/1.xentrace",
        f"{tree}/b/2.xentrace",
    ]
    # What is called so is meant, before what it is a pattern of.
    assert names(str(tree / "a[1].x")) == [f"{tree}/a[1].x"]
    assert names(str(tree / "a?.x")) == [f"{tree}/a1.x"]


def test_what_is_not_there_is_told_and_the_rest_found(tree: Path) -> None:
    assert names(str(tree / "none"), str(tree / "*.none"), "nowhere://x/y", str(tree / "a1.x")) == [
        f"{tree}/none: there is no such file",
        f"{tree}/*.none: no file has such a name",
        "nowhere://x/y: nowhere://x/y: Protocol not known: nowhere",
        f"{tree}/a1.x",
    ]


def test_urls_are_found_as_files_are(tree: Path) -> None:
    for path in tree.glob("b/*"):
        if path.is_file():
            fsspec.filesystem("memory").pipe_file(f"/fleet/{path.name}", path.read_bytes())
    assert names("memory://fleet/", "memory://fleet/*.xentrace", "memory://fleet/1.xentrace") == [
        "memory:///fleet/1.xentrace",
        "memory:///fleet/2.xentrace",
    ]
    assert names("memory://fleet/none") == ["memory://fleet/none: there is no such file"]


@pytest.mark.usefixtures("ssh")
def test_files_by_ssh_are_asked_for_as_its_driver_wants_it(tmp_path: Path) -> None:
    written(tmp_path / "1.xentrace", trace(1), "xen7")
    (place,) = find([f"sftp://root@xen1:2222{tmp_path}"])
    assert isinstance(place, Place)
    assert place.url == f"sftp://root@xen1:2222{tmp_path}/1.xentrace"
    found = look(place, patient.LIMIT_S)
    assert (found.error, found.digest and found.digest.host) == (None, "xen7")


@pytest.mark.usefixtures("hanging")
def test_a_store_that_hangs_is_given_up() -> None:
    ((url, error),) = [one for one in find(["hangs://x"], 0.01) if not isinstance(one, Place)]
    assert (url, error) == ("hangs://x", "hangs://x: nothing came for 0.01 s")
    looked = look(Place("hangs://x", 1, "", searched=False), 0.01)
    assert (looked.digest, looked.error) == (None, "hangs://x: nothing came for 0.01 s")


def test_what_a_store_raises_is_told() -> None:
    def fails() -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(PermissionError):
        patient.within("x", fails)
    assert look(Place("memory://fleet/gone", 1, "", searched=False), 60).error == "there is no such file"


def test_answers_are_kept_until_the_file_changes(tmp_path: Path) -> None:
    path = written(tmp_path / "1.xentrace", trace(1), "xen1")
    ((place),) = find([str(path)])
    assert isinstance(place, Place)
    one = look(place, 60).digest
    assert one is not None
    kept = Kept(tmp_path / "kept")
    kept.put(place, one)
    assert kept.get(place) == one
    path.with_name(path.name + ".meta.json").write_text("{}")
    ((changed),) = find([str(path)])
    assert isinstance(changed, Place)
    assert kept.get(changed) is None
    kept.close()
    # Damaged, it is as if there were none, and begins anew.
    (tmp_path / "kept").write_bytes(b"no database at all" * 100)
    again = Kept(tmp_path / "kept")
    assert again.get(place) is None
    again.put(place, one)
    assert again.get(place) == one
    again.close()
