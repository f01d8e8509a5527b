"""Which way a lab comes up: from a snapshot if there is one that works, else by a boot, which makes one."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xentool import extras
from xentool.errors import Unavailable, XentoolError
from xentool.lab import hypervisors, image, leftovers, releases, snapshot, start, up
from xentool.lab.snapshot import Snapshot
from xentool.lab.start import Plan


class World:
    """What is done, in order, and what fails of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.did: list[str] = []
        self.fails: set[str] = set()
        self.saved: Snapshot | None = None
        monkeypatch.setattr(start, "initrd", lambda _: b"")
        monkeypatch.setattr(Plan, "system", lambda _: {})
        monkeypatch.setattr(snapshot, "key", lambda *_: "key")
        monkeypatch.setattr(snapshot, "find", lambda _: self.saved)
        for module, name in (
            (start, "boot"),
            (start, "restore"),
            (start, "wake"),
            (snapshot, "save"),
            (snapshot, "overlay"),
            (leftovers, "clear"),
        ):
            monkeypatch.setattr(module, name, self._doing(name))
        built = image.Image(folder, releases.RELEASES["4.17"], "6.1", "3.11")
        self.plan = Plan("a", built, hypervisors.XEN, "tcg", 3072, 2, "oxenstored", {})
        self.plan.run.mkdir()

    def _doing(self, name: str) -> Any:  # noqa: ANN401 - in the stead of several
        def does(*_: object, kept: bool | None = None, **__: object) -> object:
            self.did.append(f"{name} to keep" if kept else name)
            if name in self.fails:
                raise XentoolError(f"no {name}")
            return SimpleNamespace(name="a")

        return does

    def step(self, text: str) -> None:
        self.did.append(f"says {text}")

    def detail(self, text: str) -> None:
        raise AssertionError(text)

    def up(self, *, anew: bool = False, **other: object) -> list[str]:
        up._start(replace(self.plan, **other), anew, self)  # type: ignore[arg-type] # fields
        return self.did


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    monkeypatch.setenv("XENTOOL_CACHE", str(tmp_path))
    return World(monkeypatch, tmp_path)


def test_a_missing_library_is_told_before_anything_is_built(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(extras, "is_there", lambda module: module != "zstandard")
    monkeypatch.setattr(image, "ensure", lambda *_: world.did.append("image"))
    with pytest.raises(Unavailable, match=r"^a lab needs zstandard: .*zstandard>=0\.22"):
        up.up("a", xen="4.20", progress=world)
    assert world.did == []


SAVING = "says saving a snapshot of it for labs to come"


def test_the_first_of_its_kind_boots_and_is_saved(world: World) -> None:
    assert world.up() == ["overlay", "boot to keep", SAVING, "save", "wake"]


def test_the_next_goes_on_from_that(world: World, tmp_path: Path) -> None:
    world.saved = Snapshot(tmp_path / "saved", "")
    assert world.up() == ["restore"]


def test_a_snapshot_of_no_use_is_removed_and_said(world: World, tmp_path: Path) -> None:
    world.saved = Snapshot(tmp_path / "saved", "")
    world.saved.folder.mkdir()
    world.fails = {"restore"}
    said = "says its snapshot is of no use (no restore)"
    assert world.up() == ["restore", "clear", said, "overlay", "boot to keep", SAVING, "save", "wake"]
    assert not world.saved.folder.exists()


def test_one_that_cannot_be_saved_is_up_all_the_same(world: World) -> None:
    world.fails = {"save"}
    assert world.up()[-2:] == ["says no snapshot is kept (no save)", "wake"]


def test_without_a_disk_to_save_it_boots_as_ever(world: World) -> None:
    world.fails = {"overlay"}
    assert world.up() == ["overlay", "says no snapshot will be kept (no overlay)", "boot"]


@pytest.mark.parametrize("how", [{"anew": True}, {"accel": "kvm"}])
def test_who_asks_for_a_boot_or_has_kvm_has_no_snapshot(world: World, tmp_path: Path, how: dict[str, Any]) -> None:
    world.saved = Snapshot(tmp_path / "saved", "")
    assert world.up(**how) == ["boot"]
