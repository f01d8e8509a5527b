"""What labs have left in the cache: what of it is needed, how large it is, and that the rest goes."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.xentool.cli.inprocess import ran
from xentool.errors import XentoolError
from xentool.lab import cache, image, locks, releases
from xentool.lab.record import Lab

NOW = image.key(releases.RELEASES["4.17"])
MIB = 1 << 20


@pytest.fixture(autouse=True)
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give a cache with images and snapshots of now and before, wheels, and consoles of a lab and of one that ended."""
    monkeypatch.setenv("XENTOOL_CACHE", str(tmp_path))
    lab = tmp_path / "lab"
    for name in (NOW, "4.17-used", "4.17-old", "4.20-old.part"):
        (lab / "images" / name).mkdir(parents=True)
        (lab / "images" / name / "root.ext4").write_bytes(bytes(MIB))
    for name, used in (("4.17-new", 1 << 40), ("4.17-before", 1000)):
        (lab / "snapshots" / name).mkdir(parents=True)
        (lab / "snapshots" / name / "snapshot.json").write_text("{}")
        os.utime(lab / "snapshots" / name, (used, used))
    for name, used in (("first", 1000), ("second", 2000)):
        (lab / "wheels" / name).mkdir(parents=True)
        os.utime(lab / "wheels" / name, (used, used))
    running = Lab("here", "4.17", str(lab / "images/4.17-used"), "tcg", 1, 1, 1, "", "", 0, 0.0, "up")
    for name in ("here", "ended"):
        (lab / "run" / name).mkdir(parents=True)
        (lab / "run" / name / "console.log").write_text("(XEN)")
    (lab / "run/here/state.json").write_text(json.dumps(asdict(running)))
    return lab


def needed(*, everything: bool = False) -> dict[str, str | None]:
    return {f"{one.kind} {one.path.name}": one.needed for one in cache.look(everything=everything)}


def test_what_is_needed_and_what_for() -> None:
    assert needed() == {
        f"image {NOW}": "of Xen 4.17",
        "image 4.17-used": "of lab here",
        "image 4.17-old": None,
        "image 4.20-old.part": None,
        "snapshot 4.17-new": "since this machine booted",
        "snapshot 4.17-before": None,
        "wheel first": None,
        "wheel second": "the newest",
        "console here": "of lab here",
        "console ended": None,
    }


def test_of_everything_what_a_lab_needs_stays() -> None:
    stays = {name: what for name, what in needed(everything=True).items() if what}
    assert stays == {"image 4.17-used": "of lab here", "console here": "of lab here"}


def test_sizes_are_those_on_disk(lab: Path) -> None:
    with (lab / "images/4.17-old/hole").open("wb") as file:
        file.truncate(1 << 30)
    (size,) = (one.size for one in cache.look() if one.path.name == "4.17-old")
    assert MIB <= size < 2 * MIB


def test_what_goes_is_gone_and_told(lab: Path) -> None:
    done = ran("lab", "clean")
    assert done.returncode == 0
    assert "image 4.17-old, 1.0 MB: removed\n" in done.stdout
    assert f"image {NOW}, 1.0 MB: stays (of Xen 4.17)\n" in done.stdout
    assert re.fullmatch(rf"{lab.parent}: 2\.\d MB; 2\.\d MB freed", done.stdout.splitlines()[-1])
    left = {str(path.relative_to(lab)) for path in lab.glob("*/*/")}
    assert left == {f"images/{NOW}", "images/4.17-used", "snapshots/4.17-new", "wheels/second", "run/here"}


def test_a_rehearsal_removes_nothing(lab: Path) -> None:
    before = sorted(lab.rglob("*"))
    done = ran("lab", "clean", "--all", "--dry-run")
    assert f"image {NOW}, 1.0 MB: would be removed\n" in done.stdout
    assert done.stdout.splitlines()[-1].endswith(" would be freed")
    assert sorted(lab.rglob("*")) == before


class _Silent:
    def step(self, text: str) -> None: ...

    def detail(self, text: str) -> None: ...


@contextmanager
def held(path: Path) -> Iterator[None]:
    with locks.wait_for(path, _Silent(), ""):
        yield


@pytest.mark.parametrize(("name", "lock"), [("4.17-old", "images/4.17.lock"), ("ended", "run/ended/lock")])
def test_what_another_one_is_about_to_use_stays(lab: Path, name: str, lock: str) -> None:
    (old,) = (one for one in cache.look() if one.path.name == name)
    with held(lab / lock):
        with pytest.raises(XentoolError, match="is about to use"):
            cache.remove(old)
        assert f" {name}, " in ran("lab", "clean").stdout
        assert old.path.exists()
    cache.remove(old)
    assert not old.path.exists()
