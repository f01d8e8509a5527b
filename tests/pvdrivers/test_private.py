"""Places of this user alone, and claims on them."""

import os
from pathlib import Path

import pytest

from pvdrivers.private import Claim, distrusted


def test_folders_that_others_could_have_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    assert distrusted(folder) is None
    folder.chmod(0o755)
    assert distrusted(folder) is None
    for mode in (0o775, 0o702, 0o1777):
        folder.chmod(mode)
        assert distrusted(folder) == f"others may write to {folder} (mode {mode:o}; chmod 700 ends that)"
    folder.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    assert distrusted(folder) == f"{folder} belongs to another user ({folder.stat().st_uid})"
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        distrusted(tmp_path / "file")


def test_a_claim_is_one_processs(tmp_path: Path) -> None:
    place = tmp_path / "lock"
    first = Claim(place)
    for _ in range(2):
        with pytest.raises(BlockingIOError):
            Claim(place)
    first.release()
    assert not place.exists()
    Claim(place).release()


def test_a_claim_whose_file_goes_while_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "lock"
    opened = os.open
    left = [Claim(place)]

    def late(path: str | Path, flags: int, mode: int = 0o777) -> int:
        # Between opening and locking, who had it lets go.
        fd = opened(path, flags, mode)
        if left:
            left.pop().release()
        return fd

    monkeypatch.setattr(os, "open", late)
    second = Claim(place)
    with pytest.raises(BlockingIOError):
        Claim(place)
    second.release()


def test_a_claim_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="Too many levels"):
        Claim(tmp_path / "lock")
    assert not (tmp_path / "elsewhere").exists()
