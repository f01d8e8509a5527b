"""Making an image as an ordinary user: what is said where that can't be."""

import os
import select
from contextlib import suppress
from pathlib import Path

import pytest

from xentool.errors import Unavailable
from xentool.lab import bootstrap, releases

#: As util-linux does where user namespaces are refused: whom it forked to map ids waits for ever.
REFUSED = """#!/bin/sh
sleep 1000 &
echo $! > "$0.child"
exit 1
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


class _Silent:
    def step(self, text: str) -> None:
        raise AssertionError(f"no step is taken: {text}")


def make(folder: Path) -> None:
    release = next(iter(releases.RELEASES.values()))
    bootstrap.make_archive(release, (), folder / "root.tar", folder / "log", _Silent())  # type: ignore[arg-type] # see there


def test_refused_namespaces_are_told_with_what_to_do_and_leave_nobody_behind(tools: Path) -> None:
    fake = tools / "unshare"
    fake.write_text(REFUSED)
    fake.chmod(0o755)
    with pytest.raises(Unavailable, match=r"needs user namespaces .* or root: `sudo env XENTOOL_CACHE="):
        make(tools)
    child = int((tools / "unshare.child").read_text())
    # Readable once it is dead, whoever inherited it; gone if that one has noticed.
    with suppress(ProcessLookupError):
        ended, _, _ = select.select([os.pidfd_open(child)], [], [], 600)
        assert ended


def test_without_unshare_its_package_is_named(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(Unavailable, match=r"unshare is not installed; .* package util-linux"):
        make(tools)
