"""A guest's shell, and who uses a disk by it."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from pvdrivers.abi.blkif import BlkifOp
from pvdrivers.conformance.block.subject import NotSupported
from pvdrivers.errors import MachineError
from tests.xentool.tools.conformance.xen.told import Told
from xentool.tools.conformance.xen.guest_disks import GuestUser
from xentool.tools.conformance.xen.shell import Said, Shell


@pytest.fixture
def port() -> Iterator[int]:
    """Port of shells, as ``nc -ll -e /bin/sh`` has them."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    subprocess.run(["sh"], stdin=connection.fileno(), stdout=connection.fileno(), check=False)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_what_a_script_prints_is_had_to_the_byte(port: int) -> None:
    shell = Shell("127.0.0.1", port)
    assert shell.run(r"printf 'a\nxentool: done 7\n\n\000b'", 60) == Said(b"a\nxentool: done 7\n\n\0b", 0)
    assert shell.run("echo no; exit 3", 60) == Said(b"no\n", 3)


def test_a_script_reads_nothing_of_what_follows(port: int) -> None:
    assert Shell("127.0.0.1", port).run("cat", 60) == Said(b"", 0)


def test_a_guest_that_is_gone(port: int) -> None:
    with pytest.raises(MachineError, match=r"shell at 127\.0\.0\.1 ended: half"):
        # Its shell is the parent of the script's.
        Shell("127.0.0.1", port).run("printf half; kill -9 $$", 60)
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        nobody = taken.getsockname()[1]
    with pytest.raises(MachineError, match="does not answer"):
        Shell("127.0.0.1", nobody).run("true")


def test_reads_and_writes_are_of_bytes() -> None:
    shell = Told(Said(b"x" * 1024, 0), Said(b"1+0 records in", 0))
    user = GuestUser(shell, "xvdcn")
    assert user.start(BlkifOp.READ, 1536, 1024).result(600) == b"x" * 1024
    assert user.start(BlkifOp.WRITE, 512, data=b"\0\xff" * 256).result(600) == b""
    read, write = shell.scripts
    assert "dd if=/dev/xvdcn of=/read.$$ bs=1024 count=1 skip=1536 iflag=direct,skip_bytes" in read
    assert "dd if=/write.$$ of=/dev/xvdcn bs=512 count=1 seek=512 oflag=direct,seek_bytes" in write
    assert "AP8A/w" in write


@pytest.mark.parametrize(
    ("said", "kind", "why"),
    [
        (Said(b"dd: /dev/xvdz: I/O error\n", 1), MachineError, "I/O error"),
        (Said(b"blkdiscard: BLKDISCARD: Operation not supported\n", 1), NotSupported, "not supported"),
        (Said(b"", 1), MachineError, "status 1"),
        (Said(b"short", 0), MachineError, "5 bytes were read, of 512"),
        (MachineError("the guest's shell ended"), MachineError, "ended"),
    ],
)
def test_what_goes_wrong_is_told(said: Said | MachineError, kind: type[Exception], why: str) -> None:
    with pytest.raises(kind, match=why):
        GuestUser(Told(said), "xvdz").start(BlkifOp.READ, 0, 512).result(600)


def test_the_size_is_the_guests() -> None:
    user = GuestUser(Told(Said(b"2048\n", 0), Said(b"cat: no such file\n", 1)), "xvdz")
    assert (user.sectors, user.sectors) == (2048, 0)
