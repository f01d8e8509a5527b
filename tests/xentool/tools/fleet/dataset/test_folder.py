"""A dataset in a folder: what is not whole is never seen in it, and what was left is swept."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from xentool.errors import XentoolError
from xentool.tools import outputs
from xentool.tools.fleet.dataset.folder import Folder

PATH = "host=a/day=b/capture=c~1/2.parquet"


@pytest.fixture(params=["nameless", "named"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """Give a dataset where files can be without a name, and one where they cannot."""
    if request.param == "named":
        monkeypatch.setattr(outputs, "_nameless", lambda _folder: None)
    return Folder(str(tmp_path / "dataset"))


def seen(folder: Path) -> list[str]:
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*"))


def test_a_file_is_there_when_it_is_whole(folder: Folder, tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    with folder.held():
        with folder.part() as (file, put):
            file.write(b"half")
            file.flush()
            assert seen(root) == []
            file.write(b" and half")
            put(PATH, [])
            assert (root / PATH).read_bytes() == b"half and half"
        assert list(folder.paths()) == [PATH]
    assert seen(tmp_path) == ["dataset", *(f"dataset/{each}" for each in seen(root))]
    assert seen(root)[-1] == PATH


def test_what_fails_leaves_nothing(folder: Folder, tmp_path: Path) -> None:
    with folder.held():
        with suppress(ValueError), folder.part() as (file, _put):
            file.write(b"half")
            raise ValueError
        assert seen(tmp_path / "dataset") == []
    assert seen(tmp_path) == ["dataset"]


def test_a_changed_one_takes_the_place_of_the_old(folder: Folder, tmp_path: Path) -> None:
    other = "host=z/day=b/capture=c~1/3.parquet"
    with folder.held():
        for path, instead in ((PATH, []), (other, [PATH]), (other, [])):
            with folder.part() as (file, put):
                file.write(path.encode())
                put(path, instead)
        assert list(folder.paths()) == [other]
    # Empty folders are gone as well.
    assert [one.name for one in (tmp_path / "dataset").iterdir()] == ["host=z"]


def test_what_a_killed_run_left_beside_is_swept(tmp_path: Path) -> None:
    aside = tmp_path / ".dataset.xentool-parts"
    aside.mkdir()
    (aside / "x").write_bytes(b"half")
    with Folder(str(tmp_path / "dataset")).held():
        assert not aside.exists()


def test_two_runs_at_once_and_other_folders_are_refused(tmp_path: Path) -> None:
    one = Folder(str(tmp_path / "dataset"))
    with (
        one.held(),
        pytest.raises(XentoolError, match="another run writes to"),
        Folder(str(tmp_path / "dataset")).held(),
    ):
        pass
    with one.held():
        pass
    (tmp_path / "dataset/notes.txt").write_text("x")
    with pytest.raises(XentoolError, match=r"is no dataset: it has 'notes.txt'"), one.held():
        pass
    (tmp_path / "file").touch()
    with pytest.raises(XentoolError, match=r"cannot write to .*file"), Folder(str(tmp_path / "file")).held():
        pass


def test_what_lies_in_it_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one = Folder("dataset")
    assert one.holds(f"{tmp_path}/dataset/x")
    assert one.holds(f"dataset{os.sep}x")
    assert not one.holds("dataset2/x")
