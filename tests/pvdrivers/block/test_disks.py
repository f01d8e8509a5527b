"""Disks: what is written is read, what is discarded is gone, what is around it stays, and errors are told."""

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pvdrivers.block.disks import Disk, open_disk
from pvdrivers.block.disks.nbd import Nbd
from pvdrivers.block.errors import NoDisk
from tests.pvdrivers.block.rig import descriptors

SIZE = 1 << 20

Opened = Callable[..., Disk]


@pytest.fixture(params=["mem", "raw", "qcow2"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    spec = f"mem:{SIZE}"
    if request.param == "raw":
        (tmp_path / "disk").write_bytes(bytes(SIZE))
        spec = str(tmp_path / "disk")
    elif request.param == "qcow2":
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "disk.qcow2", str(SIZE)], check=True)
        spec = str(tmp_path / "disk.qcow2")
    return lambda **options: open_disk(spec, **options)


def read(disk: Disk, sector: int, count: int) -> bytes:
    buffers = [memoryview(bytearray(512)) for _ in range(count)]
    disk.read(sector, buffers)
    return b"".join(buffers)


def test_what_is_written_is_read(opened: Opened) -> None:
    disk = opened()
    assert (disk.sectors, disk.sector_size, disk.readonly) == (SIZE // 512, 512, False)
    data = os.urandom(512 * 7)
    disk.write(3, [memoryview(data)[:512], memoryview(data)[512:]])
    disk.flush()
    assert read(disk, 2, 9) == bytes(512) + data + bytes(512)
    # More buffers than one call of the kernel takes.
    data = os.urandom(512 * 1100)
    disk.write(100, [memoryview(data)[at : at + 512] for at in range(0, len(data), 512)])
    assert read(disk, 100, 1100) == data
    assert not disk.refresh()
    disk.close()


def test_what_is_discarded_is_zeros_and_what_is_around_stays(opened: Opened) -> None:
    disk = opened()
    data = os.urandom(512 * 64)
    disk.write(0, [memoryview(data)])
    assert disk.discards
    disk.discard(16, 8)
    disk.discard(30, 1)
    assert read(disk, 0, 16) == data[: 16 * 512]
    assert read(disk, 16, 8) == (bytes(8 * 512) if disk.granularity <= 4096 else data[16 * 512 : 24 * 512])
    assert read(disk, 24, 6) == data[24 * 512 : 30 * 512]
    assert read(disk, 30, 1) in {bytes(512), data[30 * 512 : 31 * 512]}
    assert read(disk, 31, 33) == data[31 * 512 :]
    disk.close()


def test_threads_at_once(opened: Opened) -> None:
    disk = opened()
    failed = []

    def work(number: int) -> None:
        for turn in range(30):
            data = bytes([number, turn]) * 2048
            disk.write(number * 8, [memoryview(data)])
            if read(disk, number * 8, 8) != data:
                failed.append((number, turn))

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    disk.close()


def test_sectors_of_4096_bytes_and_read_only(opened: Opened) -> None:
    disk = opened(readonly=True, sector_size=4096)
    assert (disk.sectors, disk.sector_size, disk.readonly) == (SIZE // 512, 4096, True)
    assert read(disk, 0, 8) == bytes(4096)
    disk.close()


def test_nothing_is_left_open(opened: Opened) -> None:
    opened().close()
    before = descriptors()
    opened().close()
    assert descriptors() == before


def test_only_whole_sectors_count_and_files_grow(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(bytes(4096 * 2 + 600))
    small, large = open_disk(str(path)), open_disk(f"raw:{path}", sector_size=4096)
    assert (small.sectors, large.sectors) == (17, 16)
    path.write_bytes(bytes(4096 * 3))
    assert small.refresh()
    assert large.refresh()
    assert (small.sectors, large.sectors) == (24, 24)
    small.close()
    large.close()


def test_a_hole_takes_no_room(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(os.urandom(SIZE))
    disk = open_disk(str(path))
    blocks = path.stat().st_blocks
    disk.discard(0, SIZE // 1024)
    assert path.stat().st_blocks <= blocks // 2
    assert path.stat().st_size == SIZE
    disk.close()


def test_a_null_disk() -> None:
    disk = open_disk("null:3M")
    assert disk.sectors == 3 << 11
    disk.write(0, [memoryview(b"x" * 512)])
    assert read(disk, 0, 1) == bytes(512)


def test_sizes() -> None:
    for spec, sectors in (
        ("mem:512", 1),
        ("null:1k", 2),
        ("null:2G", 4 << 20),
        ("null:1TiB", 2 << 30),
        ("null", 2 << 20),
    ):
        assert open_disk(spec).sectors == sectors
    for spec in ("mem:", "mem:0", "mem:511", "mem:-1", "mem:1X", "null:1.5G", "null:G"):
        with pytest.raises(NoDisk, match=r"a disk's size is bytes, or with K, M, G or T"):
            open_disk(spec)
    with pytest.raises(NoDisk, match=r"4096 bytes at least: not '4095'"):
        open_disk("null:4095", sector_size=4096)
    with pytest.raises(NoDisk, match="no memory for a disk"):
        open_disk("mem:9999999T")
    with pytest.raises(NoDisk, match="512 or 4096 bytes, not 520"):
        open_disk("null", sector_size=520)


def test_what_is_no_disk(tmp_path: Path) -> None:
    before = descriptors()
    with pytest.raises(NoDisk, match="cannot open /nowhere: No such file"):
        open_disk("/nowhere")
    with pytest.raises(NoDisk, match="Is a directory"):
        open_disk(str(tmp_path))
    with pytest.raises(NoDisk, match="/dev/null is neither a file nor a block device"):
        open_disk("/dev/null")
    with pytest.raises(NoDisk, match="/proc/cpuinfo has no size: Invalid argument"):
        open_disk("/proc/cpuinfo", readonly=True)
    with pytest.raises(NoDisk, match="No such file"):
        open_disk("qcow2:/nowhere")
    (tmp_path / "raw.qcow2").write_bytes(bytes(4096))
    with pytest.raises(NoDisk, match=r"qemu-nbd does not serve .*qcow2"):
        open_disk(str(tmp_path / "raw.qcow2"))
    with pytest.raises(NoDisk, match="no NBD server at /nowhere"):
        Nbd(Path("/nowhere"))
    assert descriptors() == before


def test_an_image_without_its_server(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, str(SIZE)], check=True)
    disk = open_disk(str(path))
    disk.write(0, [memoryview(b"kept" * 128)])
    disk.flush()
    disk._server.kill()  # type: ignore[attr-defined] # qcow2's, which has a process
    disk._server.wait()  # type: ignore[attr-defined] # the same
    for _ in range(2):
        with pytest.raises(OSError, match=r"."):
            disk.flush()
    disk.close()
    disk = open_disk(str(path))
    assert read(disk, 0, 1) == b"kept" * 128
    disk.close()


def test_a_content_never_tells_a_format(tmp_path: Path) -> None:
    # Else a guest whose raw disk begins as an image does would be given any file that it names as backing file.
    path = tmp_path / "disk"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, str(SIZE)], check=True)
    disk = open_disk(str(path))
    assert read(disk, 0, 1)[:4] == b"QFI\xfb"
    disk.close()
