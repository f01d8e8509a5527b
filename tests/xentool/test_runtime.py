"""One folder of a user's for all that runs, by one rule."""

import os
from pathlib import Path

import pytest

from xentool import runtime
from xentool.hosts import control
from xentool.tools.transports import loopbacks


def test_connections_and_loopbacks_are_in_the_same_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named, logins, roots = (tmp_path / name for name in "nlr")
    for place in (named, logins / str(os.geteuid()), roots):
        place.mkdir(0o700, parents=True)
    monkeypatch.setattr(runtime, "_LOGINS", logins)
    monkeypatch.setattr(runtime, "_ROOTS", roots)
    monkeypatch.setattr(control, "LONGEST_DIRECTORY", 200)
    login = logins / str(os.geteuid())
    for environ, place in (({"XDG_RUNTIME_DIR": str(named)}, named), ({}, login), ({"XDG_RUNTIME_DIR": "n"}, login)):
        assert control.directory(environ) == place / "xentool/ssh"
        assert loopbacks.made("demo", environ) == place / "xentool/loopback/demo"
    # Others could put another in its place.
    named.chmod(0o770)
    assert control.directory({"XDG_RUNTIME_DIR": str(named)}) == login / "xentool/ssh"
    assert loopbacks.directory("demo", {"XDG_RUNTIME_DIR": str(named)}) == login / "xentool/loopback/demo"
