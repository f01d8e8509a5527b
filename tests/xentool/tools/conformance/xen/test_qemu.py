"""Which QEMU there is, and whether one serves dom0's devices already."""

from pathlib import Path

import pytest

from xentool.tools.conformance.xen import qemu


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("QEMU emulator version 7.2.15 (Debian 1:7.2+dfsg-7+deb12u12)", "7.2+dfsg-7+deb12u12"),
        ("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)", "10.0.2+ds-2"),
        ("QEMU emulator version 9.1.0", "9.1.0"),
        ("no emulator at all", ""),
    ],
)
def test_versions(said: str, version: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "qemu"
    program.write_text(f"#!/bin/sh\necho '{said}'\necho 'Copyright (c) 2003-2024 Fabrice Bellard'\n")
    program.chmod(0o755)
    monkeypatch.setattr(qemu, "_PROGRAMS", (str(tmp_path / "none"), str(program)))
    assert qemu.version() == version


def test_no_qemu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(qemu, "_PROGRAMS", (str(tmp_path / "none"),))
    assert (qemu.program(), qemu.version()) == (None, "")


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (b"qemu-system-i386\0-xen-domid\0000\0-xen-attach\0", True),
        (b"qemu-system-i386\0-xen-domid\00012\0-xen-attach\0", False),
        (b"sh\0-c\0echo -xen-domid 0\0", False),
        (b"", False),
    ],
)
def test_one_that_serves_dom0_already(argv: bytes, found: bool) -> None:
    assert qemu.attached(argv) is found
