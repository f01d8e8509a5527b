import dataclasses
import sys
from pathlib import Path

import pytest

from xentool.errors import XentoolError
from xentool.lab import bootstrap, image, locks, logged, releases
from xentool.lab.progress import SILENT


@pytest.mark.parametrize("xen", releases.RELEASES)
def test_packages_are_those_of_the_release(xen: str) -> None:
    packages = releases.packages(releases.RELEASES[xen])
    assert f"xen-hypervisor-{xen}-amd64" in packages
    assert f"xen-utils-{xen}" in packages
    assert len(packages) == len(set(packages))
    assert not any("{" in name or " " in name for name in packages)


def test_the_key_follows_what_goes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    release = releases.RELEASES["4.17"]
    key = image.key(release)
    assert key == image.key(release)
    assert key.startswith("4.17-")
    assert key != image.key(dataclasses.replace(release, suite="trixie"))
    monkeypatch.setattr(bootstrap, "LEFT_OUT", [])
    assert key != image.key(release)


def test_scripts_do_not_count_for_the_key() -> None:
    assert "dom0-start.sh" not in repr(image.inputs(releases.RELEASES["4.17"]))


def test_an_image_that_is_not_built_is_not_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XENTOOL_CACHE", str(tmp_path))
    assert image.find(releases.RELEASES["4.17"]) is None


def test_a_failed_step_shows_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "print('first', *range(9), sep='\\n'); raise SystemExit(3)"
    with pytest.raises(XentoolError, match=r"(?s)failed \(exit status 3\); the end of .*log:\n  1\n.*  8$") as caught:
        logged.run([sys.executable, "-c", script], log, SILENT)
    assert "first" not in str(caught.value).split(":\n")[1]
    assert log.read_bytes().startswith(b"first")


def test_a_build_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XENTOOL_CACHE", str(tmp_path))

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "make_archive", fail)
    with pytest.raises(KeyboardInterrupt):
        image.ensure(releases.RELEASES["4.17"])
    assert sorted(path.name for path in (tmp_path / "lab/images").iterdir()) == ["4.17.lock"]


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    with locks.hold(tmp_path / "lock", "busy"), pytest.raises(XentoolError, match=r"^busy$"):  # noqa: SIM117 - order matters
        with locks.hold(tmp_path / "lock", "busy"):
            pass
    with locks.hold(tmp_path / "lock", "busy"):
        pass
