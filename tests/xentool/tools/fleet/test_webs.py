"""Captures that a web server has, whether a part of a file can be asked of it or not."""

import lzma
from pathlib import Path

import pytest

from tests.traces.captures import FOLDER
from tests.xentool.tools.fleet.made import trace, written
from tests.xentool.tools.fleet.webs import web
from xentool.tools.fleet import patient
from xentool.tools.fleet.places import Place, find
from xentool.tools.fleet.task import look


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for so little at once that each file has several pieces."""
    monkeypatch.setattr(patient, "PIECE", 4096)


@pytest.mark.parametrize("ranges", [True, False])
def test_what_is_below_a_url_is_read_whole(tmp_path: Path, *, ranges: bool) -> None:
    files = {f"{host}/{number}.xentrace": trace(number, storm=True) for number in range(2) for host in ("a", "b")}
    for name, data in files.items():
        written(tmp_path / name, data, name[0])
    with web(tmp_path, ranges=ranges) as url:
        places = [one for one in find([url]) if isinstance(one, Place)]
        assert [one.url for one in places] == sorted(url + name for name in files)
        for place in places:
            looked = look(place, 600)
            assert looked.error is None
            assert looked.digest is not None
            name = place.url.removeprefix(url)
            assert (looked.digest.bytes, looked.digest.host) == (len(files[name]), name[0])
            assert looked.digest.damage is None


def test_what_is_read_here_and_there_needs_ranges(tmp_path: Path) -> None:
    path = tmp_path / "linux.dat"
    path.write_bytes(lzma.decompress((FOLDER / "kvm/linux-6.1-virtio.dat.xz").read_bytes()))
    (here,) = find([str(path)])
    assert isinstance(here, Place)
    alone = look(here, 600).digest
    assert alone is not None
    for ranges in (True, False):
        with web(tmp_path, ranges=ranges) as url:
            (place,) = find([f"{url}linux.dat"])
            assert isinstance(place, Place)
            looked = look(place, 600)
        if ranges:
            assert looked.digest is not None
            assert (looked.digest.records, looked.digest.source) == (alone.records, "kvm")
        else:
            assert looked.error is not None
            assert looked.error.endswith("its server sends it from its beginning only: copy it here")
