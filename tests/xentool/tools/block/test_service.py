"""What one daemon of disks leaves to the next."""

import os
import tempfile
from pathlib import Path

import pytest

from pvdrivers.block.back.backend import Options
from pvdrivers.transport.loopback import Loopback, machine
from xentool import runtime
from xentool.errors import XentoolError
from xentool.tools.block.disk_class import Disks
from xentool.tools.block.disks import parse
from xentool.tools.serving import service
from xentool.tools.serving.service import Service
from xentool.tools.transports import loopbacks


def test_a_number_that_was_kept_is_not_given_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(service, "PATIENCE", 0.1)  # there is no guest that could let go
    with machine(tmp_path, [0, 5]), Loopback(tmp_path, 0) as dom0:
        with Service(dom0, Disks(Options()), keep=True) as first:
            (kept,) = first.attach(5, [parse("mem:1M,vdev=xvdc")])
        with Service(dom0, Disks(Options())) as second:
            with pytest.raises(XentoolError, match=r"^xvdc of domain 5 is there with front=kernel$"):
                second.attach(5, [parse("mem:1M,vdev=xvdc,front=user")])
            assert dom0.store.directory("/local/domain/5/device") == ["vbd"]
            assert second.attach(5, [parse("mem:1M,vdev=xvdc"), parse("mem:1M,vdev=xvdd,front=user")])[0] == kept
            with pytest.raises(XentoolError, match=r"^xvdd of domain 5 is there with front=user$"):
                second.attach(5, [parse("mem:1M,vdev=xvdd")])


def test_a_loopbacks_place_goes_with_it_unless_it_is_its_users(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    environ = {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    with loopbacks.hosted("demo", environ) as place, loopbacks.hosted("demo", environ):
        (place / "lock").touch()
    assert (place / "lock").exists()
    (place / "lock").unlink()
    with loopbacks.hosted("demo", environ):
        assert place.is_dir()
    assert not place.exists()
    with loopbacks.hosted(str(tmp_path / "mine")) as mine:
        pass
    assert mine.is_dir()


def test_a_loopbacks_place_is_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    user = os.geteuid()
    # Not of this user, so that all that is left is /tmp.
    monkeypatch.setattr(runtime, "_LOGINS", tmp_path / "none")
    monkeypatch.setattr(runtime, "_ROOTS", tmp_path / "none")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    theirs.chmod(0o777)
    environ = {"XDG_RUNTIME_DIR": str(theirs)}
    place = loopbacks.made("demo", environ)
    base = tmp_path / f"xentool-{user}"
    assert place == base / "loopback/demo"
    assert [path.stat().st_mode & 0o777 for path in (base, base / "loopback", place)] == [0o700] * 3
    assert loopbacks.made("demo", environ) == loopbacks.directory("demo", environ) == place
    base.chmod(0o777)
    for way in (loopbacks.made, loopbacks.directory):
        with pytest.raises(XentoolError, match="loopbacks have no place: others may write to"):
            way("demo", environ)
    base.rename(tmp_path / "aside")
    base.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(XentoolError, match="cannot make"):
        loopbacks.made("demo", environ)
    assert not (tmp_path / "elsewhere").exists()
    theirs.chmod(0o700)
    assert loopbacks.directory("demo", environ) == theirs / "xentool/loopback/demo"
    with pytest.raises(XentoolError, match=r"no loopback can be there: "):
        loopbacks.made("/tmp/")
