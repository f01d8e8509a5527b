"""The program of docs/backend.md: that it is as short as the page says, and serves our own frontend on a loopback."""

import ast
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pvdrivers.abi.blkif import NATIVE, BlkifOp, BlkifRsp
from pvdrivers.block.front import frontend
from pvdrivers.block.front.client import Client
from pvdrivers.bus.toolstack import Spot, part, parted, plug
from pvdrivers.transport.loopback import Loopback, machine
from tests.docs.program import program, whole

SPOT = Spot("vbd", "ramdisk", 0, 1, 51712)
SECTORS = (16 << 20) // 512


@pytest.fixture(scope="module")
def page() -> SimpleNamespace:
    names: dict[str, object] = {"__name__": "ramdisk"}
    exec(compile(whole(), "docs/backend.md", "exec"), names)  # noqa: S102 - it is ours
    return SimpleNamespace(**names)


@pytest.fixture
def disk(page: SimpleNamespace, tmp_path: Path) -> Iterator[Client]:
    with machine(tmp_path, [0, 1]), Loopback(tmp_path, 0) as dom0, Loopback(tmp_path, 1) as guest:
        backends = page.serve(dom0)
        plug(dom0.store, SPOT, {"mode": "w"}, {})
        with frontend.disk(guest, SPOT.front) as client:
            yield client
        part(dom0.store, SPOT)
        assert parted(dom0.store, SPOT, 120)
        backends.stop()


def test_it_has_40_lines_besides_imports() -> None:
    written = program()
    imports = {
        line
        for node in ast.walk(ast.parse(written))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    lines = [line for number, line in enumerate(written.splitlines(), 1) if line.strip() and number not in imports]
    assert 30 < len(lines) <= 40


def test_what_the_page_tries(page: SimpleNamespace, tmp_path: Path) -> None:
    found = page.tried(tmp_path)
    assert found[:4096] == b"hello".ljust(4096)
    assert found[4096:] == bytes(4 * 4096)


def test_the_frontend_sees_the_disk(disk: Client) -> None:
    geometry = disk.geometry
    assert (geometry.sectors, geometry.readonly, geometry.flush, geometry.discard) == (SECTORS, False, False, False)


def test_data_of_many_threads_comes_back(disk: Client) -> None:
    size = 96 << 10

    def use(number: int) -> None:
        data = bytes([number]) * size
        disk.write(number * size, data)
        assert disk.read(number * size, size) == data

    threads = [threading.Thread(target=use, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert disk.read(0, 8 * size) == b"".join(bytes([number]) * size for number in range(8))


def test_what_cannot_be_done_is_answered(page: SimpleNamespace) -> None:
    copied: list[object] = []

    def refused(*of: object) -> list[int]:
        copied.append(of)
        return [-3]

    transport = SimpleNamespace(copy_to=refused, copy_from=lambda *_: [0])
    device = page.RamDisk(transport, SPOT)

    def asked(operation: int, sector: int, first: int, last: int, segments: int = 1) -> tuple[int, ...]:
        fields = [operation, segments, 0, 77, sector, *([9, first, last] + [0] * 30)]
        return NATIVE.response.struct.unpack(device.answer(NATIVE, NATIVE.request.struct.pack(*fields)))

    assert asked(BlkifOp.WRITE, 0, 0, 7) == (77, BlkifOp.WRITE, BlkifRsp.OKAY)
    # A page that was not granted; an end beyond the page, the disk; an operation that is none; no flush, no indirect.
    assert asked(BlkifOp.READ, 0, 0, 7) == (77, BlkifOp.READ, BlkifRsp.ERROR)
    assert len(copied) == 1
    assert asked(BlkifOp.READ, 0, 0, 8)[2] == BlkifRsp.ERROR
    assert asked(BlkifOp.READ, SECTORS - 7, 0, 7)[2] == BlkifRsp.ERROR
    assert asked(99, 0, 0, 7) == (77, 99, BlkifRsp.EOPNOTSUPP)
    assert asked(BlkifOp.FLUSH_DISKCACHE, 0, 0, 0, 0)[2] == BlkifRsp.EOPNOTSUPP
    assert len(copied) == 1
