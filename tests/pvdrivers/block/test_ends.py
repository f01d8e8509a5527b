"""Backend and frontend together: what they agree on, data, and what becomes of them when one goes."""

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pvdrivers.abi.blkif import X86_32
from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.block.back.backend import Options
from pvdrivers.block.front import frontend
from pvdrivers.block.front.client import Client
from pvdrivers.bus import joining, toolstack
from pvdrivers.errors import MachineError
from pvdrivers.transport.loopback.hypervisor import InUse
from tests.pvdrivers.block.pair import BACK, GUEST, SPOT, Bench, bench
from tests.pvdrivers.bus.joined import until

NOTHING = InUse(0, 0, 0)
WANTED = [
    frontend.Options(max_order=0, persistent=False),
    frontend.Options(max_order=4),
    frontend.Options(max_queues=4, max_order=2, data_pages=128),
    frontend.Options(max_indirect=0, layout=X86_32),
    frontend.Options(max_order=1, layout=X86_32, max_queues=2, data_pages=128),
]


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


@pytest.mark.parametrize("grants", ["copy", "map"])
@pytest.mark.parametrize("wanted", WANTED, ids=range(len(WANTED)))
def test_what_is_written_is_read(loop: Bench, wanted: frontend.Options, grants: str) -> None:
    assert grants in {"copy", "map"}
    options = Options(grants="copy" if grants == "copy" else "map", persistent=wanted.persistent)
    with loop.backend(options=options):
        with loop.disk(wanted) as disk:
            assert disk.geometry.sectors == 16 << 11
            data = random.Random(1).randbytes(1 << 20)  # noqa: S311 - test data
            disk.write(4096, data)
            disk.flush()
            assert disk.read(4096, 1 << 20) == data
            assert disk.read(0, 4096) == bytes(4096)
            store = loop.dom0.store
            queues = store.directory(SPOT.front)
            if wanted.max_queues > 1:
                assert store.read(f"{SPOT.front}/multi-queue-num-queues") == b"%d" % wanted.max_queues
                assert {f"queue-{number}" for number in range(wanted.max_queues)} <= set(queues)
            else:
                assert "multi-queue-num-queues" not in queues
            assert store.read(f"{SPOT.front}/protocol").decode() == wanted.layout.protocol
        assert loop.machine.hypervisor.in_use(GUEST) == NOTHING
    assert loop.machine.hypervisor.in_use(BACK) == NOTHING
    assert loop.lines == []


def test_no_more_is_agreed_on_than_both_can(loop: Bench) -> None:
    few = Options(max_order=1, max_queues=2, max_indirect=0)
    with loop.backend(options=few), loop.disk(frontend.Options(max_queues=8, data_pages=64)) as disk:
        store = loop.dom0.store
        assert store.read(f"{SPOT.front}/multi-queue-num-queues") == b"2"
        assert store.read(f"{SPOT.front}/ring-page-order") == b"1"
        assert disk.read(0, 1 << 17) == bytes(1 << 17)


def test_what_a_disk_is(loop: Bench, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))

    def opened() -> object:
        from pvdrivers.block.disks import open_disk  # noqa: PLC0415 - one test's

        return open_disk(str(image), readonly=True, sector_size=4096)

    with loop.backend(opened), loop.disk() as disk:  # type: ignore[arg-type] # a disk
        assert disk.geometry.sector_size == 4096
        assert disk.geometry.readonly
        store = loop.dom0.store
        assert store.read(f"{SPOT.back}/sector-size") == b"4096"
        assert store.read(f"{SPOT.back}/sectors") == b"2048"
        assert store.read(f"{SPOT.back}/info") == b"4"


def test_a_disk_that_grows_is_told(loop: Bench, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    with loop.backend(str(image)), loop.disk() as disk:
        assert disk.geometry.sectors == 2048
        image.write_bytes(bytes(1 << 21))
        until(lambda: disk.geometry.sectors == 4096)
        disk.write(4095 * 512, b"x" * 512)
    assert image.read_bytes()[-512:] == b"x" * 512


def test_statistics_are_in_the_store(loop: Bench) -> None:
    with loop.backend(), loop.disk() as disk:
        for number in range(5):
            disk.write(number << 12, bytes(4096))
        disk.read(0, 8192)
        store = loop.dom0.store
        until(lambda: store.exists(f"{SPOT.back}/statistics/writes"))
        until(lambda: store.read(f"{SPOT.back}/statistics/writes") == b"5")
        until(lambda: store.read(f"{SPOT.back}/statistics/sectors-read") == b"16")


def test_a_backend_that_comes_back_gets_what_was_not_answered(loop: Bench, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(8 << 20))
    written: dict[int, bytes] = {}
    going = threading.Event()

    def write(disk: Client) -> None:
        chosen = random.Random(2)  # noqa: S311 - test data
        while not going.is_set():
            place, data = chosen.randrange(2048) << 12, chosen.randbytes(4096)
            disk.write(place, data)
            written[place] = data

    with ExitStack() as later:
        with ExitStack() as first:
            first.enter_context(loop.backend(str(image)))
            disk = later.enter_context(loop.disk())
            thread = threading.Thread(target=write, args=[disk])
            thread.start()
            until(lambda: len(written) > 50)
        for _ in range(3):
            before = len(written)
            with loop.backend(str(image)) as served:
                assert served.wait([S.CONNECTED], 600)
                until(lambda before=before: len(written) > before + 20)  # type: ignore[misc] # a lambda's default
        with loop.backend(str(image)):
            going.set()
            thread.join(600)
            assert not thread.is_alive()
            for place, data in written.items():
                assert disk.read(place, 4096) == data
            later.close()


def test_a_disk_that_is_not_there(loop: Bench) -> None:
    toolstack.remove(loop.dom0.store, SPOT)
    with pytest.raises(MachineError, match=f"there is no device at {SPOT.front}"), loop.disk():
        pass


def test_a_disk_that_cannot_be_opened(loop: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "PATIENCE", 0.5)
    with loop.backend(str(tmp_path / "none")):
        with pytest.raises(MachineError, match="does not connect"), loop.disk():
            pass
        until(lambda: loop.lines)
    assert f"cannot open {tmp_path}/none" in loop.lines[0]
