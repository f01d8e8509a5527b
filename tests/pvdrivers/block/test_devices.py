"""A block device as a disk: a loop device of this machine, with sectors of 512 and of 4096 bytes.

Only root may make one; elsewhere this is left out, unless CI=true.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EOPNOTSUPP
from pathlib import Path

import pytest

from pvdrivers.abi.blkif import X86_64, BlkifOp, BlkifRsp, Discard
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.disks import Disk, open_disk
from pvdrivers.conformance.block.messages import Answer, direct, discard
from pvdrivers.transport.loopback import Machine
from tests.missing import missing
from tests.pvdrivers.block.rig import WAYS, rig

SIZE = 1 << 20
OKAY, ERROR = BlkifRsp.OKAY, BlkifRsp.ERROR


@contextmanager
def looped(image: Path, *words: str) -> Iterator[str]:
    argv = ["losetup", "--find", "--show", *words, str(image)]
    made = subprocess.run(argv, capture_output=True, text=True, check=False)
    if made.returncode:
        missing(f"no loop device to be had ({made.stderr.strip()})")
    try:
        yield made.stdout.strip()
    finally:
        subprocess.run(["losetup", "--detach", made.stdout.strip()], check=True)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(os.urandom(SIZE))
    return path


@pytest.fixture(params=[512, 4096])
def device(request: pytest.FixtureRequest, image: Path) -> Iterator[Disk]:
    with looped(image, "--sector-size", str(request.param)) as path:
        disk = open_disk(path)
        assert disk.sector_size == request.param
        yield disk
        disk.close()


def content(image: Path, sector: int, count: int) -> bytes:
    return image.read_bytes()[sector * 512 : (sector + count) * 512]


@pytest.mark.parametrize("way", WAYS)
def test_requests(way: str, device: Disk, image: Path, loopback: Machine) -> None:
    before = image.read_bytes()
    large = device.sector_size > 512
    with rig(loopback, X86_64) as made:
        made.start(device, **WAYS[way])
        assert made.read(8, [0, 1]).status == OKAY
        assert made.page(0) + made.page(1) == before[PAGE_SIZE : 3 * PAGE_SIZE]
        made.page(2, b"w" * PAGE_SIZE)
        # Whole sectors of the device's, and parts of one.
        asked = [
            direct(X86_64, BlkifOp.WRITE, 1, 32, made.segments(2)),
            direct(X86_64, BlkifOp.WRITE, 2, 49, [(made.gref(2), 0, 0)]),
            direct(X86_64, BlkifOp.FLUSH_DISKCACHE, 3, 0, []),
            direct(X86_64, BlkifOp.READ, 4, SIZE // 512 - 7, made.segments(3)),
            discard(X86_64, 5, 64, 32),
            discard(X86_64, 6, 97, 1),
        ]
        answers = {answer.ident: answer.status for answer in made.ask(*asked)}
        odd = ERROR if large else OKAY
        assert answers == {1: OKAY, 2: odd, 3: OKAY, 4: ERROR, 5: OKAY, 6: odd}
    device.flush()
    assert content(image, 32, 8) == b"w" * PAGE_SIZE
    assert content(image, 49, 1) == (before[49 * 512 :][:512] if large else b"w" * 512)
    assert content(image, 64, 32) == bytes(32 * 512)
    assert content(image, 96, 1) == before[96 * 512 :][:512]
    assert content(image, 100, 100) == before[100 * 512 :][: 100 * 512]


def test_what_cannot_be_erased(device: Disk, image: Path, loopback: Machine) -> None:
    # A loop device discards, and does not promise that nothing can be had back.
    assert device.discards
    assert not device.secure
    before = image.read_bytes()
    with pytest.raises(OSError, match="not supported") as raised:
        device.discard(0, 8, secure=True)
    assert raised.value.errno == EOPNOTSUPP
    with rig(loopback, X86_64) as made:
        made.start(device)
        asked = discard(X86_64, 1, 0, 8, Discard.SECURE)
        assert made.ask(asked) == [Answer(1, BlkifOp.DISCARD, BlkifRsp.EOPNOTSUPP)]
        # Whatever it said that it can do.
        device.secure = True
        assert made.ask(asked) == [Answer(1, BlkifOp.DISCARD, BlkifRsp.EOPNOTSUPP)]
    assert image.read_bytes() == before


def test_it_grows(image: Path) -> None:
    with looped(image) as path:
        disk = open_disk(path)
        assert disk.sectors == SIZE // 512
        os.truncate(image, 2 * SIZE)
        subprocess.run(["losetup", "--set-capacity", path], check=True)
        assert disk.refresh()
        assert disk.sectors == 2 * SIZE // 512
        disk.close()


def test_read_only(image: Path) -> None:
    with looped(image, "--read-only") as path:
        disk = open_disk(path, readonly=True)
        assert (disk.readonly, disk.discards, disk.secure) == (True, False, False)
        disk.close()
