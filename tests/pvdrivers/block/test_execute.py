"""What is read at once, and what has to be waited for."""

from pathlib import Path

from pvdrivers.abi.blkif import BlkifOp
from pvdrivers.block.disks import open_disk
from pvdrivers.block.execute import at_once
from pvdrivers.block.request import Request


def test_at_once_comes_what_is_there_and_no_less(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(range(256)) * 16)
    disk = open_disk(str(image))
    buffers = [memoryview(bytearray(512)), memoryview(bytearray(1024))]
    request = Request(0, BlkifOp.READ, 1, 3)
    # Not every file system can tell what its cache holds.
    if at_once(disk, request, buffers):
        assert b"".join(buffers) == image.read_bytes()[512:2048]
    # A file that was cut off meanwhile is for `execute` to complain of.
    image.write_bytes(bytes(1024))
    assert not at_once(disk, request, buffers)
    assert not at_once(disk, Request(0, BlkifOp.WRITE, 0, 3), buffers)
    assert image.read_bytes() == bytes(1024)
    assert not at_once(open_disk("mem:1M"), request, buffers)
    disk.close()
