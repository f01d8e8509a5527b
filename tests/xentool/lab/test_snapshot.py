"""Snapshots in the cache: what decides which one a lab goes on from, who may use one, and how many there are."""

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from xentool.errors import Unavailable, XentoolError
from xentool.lab import image, monitor, places, qemu, releases, snapshot
from xentool.lab.record import Lab

FILES = {"etc/inittab": b"x"}


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> image.Image:
    monkeypatch.setenv("XENTOOL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(qemu, "PROGRAM", "sh")  # any that there is
    (tmp_path / qemu.ROOT_DISK).write_bytes(b"disk")
    return image.Image(tmp_path, releases.RELEASES["4.17"], "6.1", "3.11")


def machine(built: image.Image) -> qemu.Machine:
    return qemu.Machine("a", Path("/run/a"), built.folder, "tcg", 3072, 2, 4022)


def lab(folder: Path) -> Lab:
    """Make a lab that has booted, with the files that go with it."""
    folder.mkdir()
    for name in ("key", "host_key.pub", qemu.INITRD, qemu.CONSOLE, qemu.DISK):
        (folder / name).write_text(f"{name} of {folder.name}")
    gone = SimpleNamespace(disconnect=lambda: None)
    return SimpleNamespace(run=folder, host=lambda: gone)  # type: ignore[return-value] # what is asked of one


@pytest.fixture
def qemu_saves(monkeypatch: pytest.MonkeyPatch) -> None:
    def save(_run: Path, state: Path, meanwhile: Callable[[], None]) -> None:
        state.write_text("state")
        meanwhile()

    monkeypatch.setattr(monitor, "save", save)


def test_whose_it_is_does_not_count(built: image.Image) -> None:
    other = replace(machine(built), name="b", run=Path("/run/b"), ssh_port=1, kept=True)
    key = snapshot.key(built, machine(built), FILES)
    assert snapshot.key(built, other, FILES) == key
    assert key.startswith("4.17-")


def test_what_decides_what_a_boot_comes_to_counts(built: image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> str:
        return snapshot.key(built, machine(built), FILES)

    keys = [found(), snapshot.key(built, machine(built), {"etc/inittab": b"y"})]
    keys += [
        snapshot.key(built, replace(machine(built), **changed), FILES)
        for changed in ({"memory_mib": 4096}, {"vcpus": 1}, {"image": Path("/other")})
    ]
    os.utime(built.folder / qemu.ROOT_DISK, (1, 1))
    keys.append(found())
    monkeypatch.setattr(qemu, "PROGRAM", "env")
    keys.append(found())
    monkeypatch.setitem(qemu.CPU, "tcg", "max")
    keys.append(found())
    assert len(set(keys)) == len(keys)


def test_a_digest_tells_names_from_contents() -> None:
    assert snapshot.digest({"a": b"bc", "d": b""}) == snapshot.digest({"d": b"", "a": b"bc"})
    assert len({snapshot.digest({"a": b"bc"}), snapshot.digest({"ab": b"c"}), snapshot.digest({})}) == 3


@pytest.mark.usefixtures("built", "qemu_saves")
def test_what_is_saved_is_found_and_only_its_owner_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert snapshot.find("4.17-x") is None
    snapshot.save(lab(tmp_path / "a"), "4.17-x", "digest")
    found = snapshot.find("4.17-x")
    assert found is not None
    assert found.software == "digest"
    assert {path.name for path in found.folder.parent.iterdir()} == {"4.17-x"}
    assert {path.stat().st_mode & 0o777 for path in found.folder.iterdir()} == {0o600}
    assert found.folder.stat().st_mode & 0o777 == 0o700
    assert (found.folder / qemu.DISK).read_text() == "disk.qcow2 of a"

    other = tmp_path / "b"
    other.mkdir()
    found.unpack(other)
    assert (other / "key").read_text() == "key of a"
    assert (other / "key").stat().st_mode & 0o777 == 0o600
    assert not (other / qemu.DISK).exists()

    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    assert snapshot.find("4.17-x") is None


@pytest.mark.usefixtures("built", "qemu_saves")
@pytest.mark.parametrize("told", ["", "[]", "{}"])
def test_one_whose_record_is_broken_is_none(tmp_path: Path, told: str) -> None:
    snapshot.save(lab(tmp_path / "a"), "4.17-x", "digest")
    (places.snapshots() / "4.17-x/snapshot.json").write_text(told)
    assert snapshot.find("4.17-x") is None


@pytest.mark.usefixtures("built", "qemu_saves")
def test_one_that_lacks_a_file_is_said(tmp_path: Path) -> None:
    snapshot.save(lab(tmp_path / "a"), "4.17-x", "digest")
    found = snapshot.find("4.17-x")
    assert found is not None
    (found.folder / "key").unlink()
    with pytest.raises(XentoolError, match=r"4\.17-x/key: No such file"):
        found.unpack(tmp_path)


@pytest.mark.usefixtures("built")
def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise XentoolError("QEMU wrote no state")

    monkeypatch.setattr(monitor, "save", fail)
    with pytest.raises(XentoolError, match="wrote no state"):
        snapshot.save(lab(tmp_path / "a"), "4.17-x", "digest")
    assert list(places.snapshots().iterdir()) == []


@pytest.mark.usefixtures("built", "qemu_saves")
def test_a_disk_for_which_there_is_no_room_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", fail)
    with pytest.raises(XentoolError, match=r"snapshots: No space left on device"):
        snapshot.save(lab(tmp_path / "a"), "4.17-x", "digest")
    assert list(places.snapshots().iterdir()) == []


@pytest.mark.usefixtures("built", "qemu_saves")
def test_the_ones_that_were_used_last_are_kept(tmp_path: Path) -> None:
    for number in range(5):
        snapshot.save(lab(tmp_path / str(number)), f"4.17-{number}", "digest")
        os.utime(places.snapshots() / f"4.17-{number}", (number, number))
    assert snapshot.find("4.17-1") is not None
    snapshot.save(lab(tmp_path / "last"), "4.17-last", "digest")
    kept = {path.name for path in places.snapshots().iterdir()}
    assert kept == {"4.17-1", "4.17-3", "4.17-4", "4.17-last"}


def test_without_qemu_img_its_package_is_named(
    built: image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unavailable, match=r"qemu-img is not installed; .* package qemu-utils"):
        snapshot.overlay(built, tmp_path)


def test_a_disk_on_top_of_an_images(built: image.Image, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    snapshot.overlay(built, run)
    header = (run / qemu.DISK).read_bytes()
    assert header.startswith(b"QFI\xfb")
    assert str(built.folder / qemu.ROOT_DISK).encode() in header
    with pytest.raises(XentoolError, match=r"^qemu-img failed: .*none"):
        snapshot.overlay(replace(built, folder=tmp_path / "none"), run)
