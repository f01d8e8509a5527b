"""Writes to a file whose file system cannot say whether they would wait: a thread is for those that do."""

import re
import subprocess
from pathlib import Path

import pytest

from pvdrivers.block.front import frontend
from pvdrivers.transport.loopback import Loopback
from tests.pvdrivers.block.slow_files import SOURCE
from tests.xentool.cli.serving import serving

SECTOR = 512


# The first comes before its page is mapped, and goes the way of what is not plain.
@pytest.mark.parametrize(
    ("nanoseconds", "threads"),
    [
        # A machine that is busy may make some slow all the same.
        (0, "t?[qt]*q{20}[qt]*"),
        # Each that is slow has the next done by threads: four at first, then twice as many.
        (3_000_000, "t?qt{4}qt{8}qt{16}qt{32}qt{64}qt*"),
    ],
)
@pytest.mark.parametrize(
    "way", [(), ("--no-persistent",), ("--no-persistent", "--grants", "map")], ids=["persistent", "copy", "map"]
)
def test_threads_do_what_waits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, nanoseconds: int, threads: str, way: tuple[str, ...]
) -> None:
    library, log, image = tmp_path / "slow_file.so", tmp_path / "log", tmp_path / "image"
    subprocess.run(["gcc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, SOURCE], check=True)
    sectors = [b"%-512d" % number for number in range(250)]
    image.write_bytes(bytes(len(sectors) * SECTOR))
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("SLOW_FILE_LOG", str(log))
    monkeypatch.setenv("SLOW_FILE_NS", str(nanoseconds))
    place = tmp_path / "loop"
    with (
        serving(place, "--disk", str(image), *way),
        Loopback(place, 1) as guest,
        frontend.disk(guest, "/local/domain/1/device/vbd/51712") as disk,
    ):
        for number, sector in enumerate(sectors):
            disk.write(number * SECTOR, sector)
    assert image.read_bytes() == b"".join(sectors)
    assert re.fullmatch(threads, log.read_text())
    assert len(log.read_text()) >= len(sectors) - 1
