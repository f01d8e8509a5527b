"""Loop devices of runs that were killed go; those of others, and of runs that live, stay."""

import os
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from pvdrivers.errors import MachineError
from xentool.tools.conformance.xen import loops
from xentool.tools.conformance.xen.devices import mark


def test_what_killed_runs_have_left_is_swept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    left = tmp_path / "xentool-conformance-1-999-abc"
    left.mkdir()
    (left / "disk-51712").touch()
    devices = {
        "/dev/loop0": left / "disk-51712",
        "/dev/loop1": tmp_path / f"xentool-conformance-{mark(os.getpid())}-def/disk-51712",
        "/dev/loop2": tmp_path / "somebodys.img",
    }
    detached = []

    def run(argv: Sequence[str], **_: object) -> "CompletedProcess[str]":
        if argv[1] == "--detach":
            detached.append(argv[2])
        return CompletedProcess(argv, 0, "".join(f"{name} {path}\n" for name, path in devices.items()), "")

    monkeypatch.setattr("subprocess.run", run)
    loops.sweep()
    assert detached == ["/dev/loop0"]
    assert not left.exists()


def test_no_loop_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(argv: Sequence[str], **_: object) -> "CompletedProcess[str]":
        return CompletedProcess(argv, 1, "", "losetup: cannot find an unused loop device\n")

    monkeypatch.setattr("subprocess.run", run)
    with pytest.raises(MachineError, match="no loop device: losetup: cannot find an unused loop device"):
        loops.sweep()
