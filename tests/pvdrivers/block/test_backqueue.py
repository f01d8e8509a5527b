"""A backend: what it does for frontends that behave, in all layouts and ways to their pages."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from pvdrivers.abi.blkif import PROTOCOLS, X86_32, X86_64, Blkif, BlkifOp, BlkifRsp
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.back import pages as pages_module
from pvdrivers.block.disks import Disk, open_disk
from pvdrivers.conformance.block.messages import Answer, direct, discard, indirect
from pvdrivers.transport.loopback import Machine
from tests.pvdrivers.block.rig import WAYS, Rig, rig, sectors
from tests.pvdrivers.bus.joined import until

OKAY, ERROR, UNSUPPORTED = BlkifRsp.OKAY, BlkifRsp.ERROR, BlkifRsp.EOPNOTSUPP
SIZE = 1 << 20
READ, WRITE = BlkifOp.READ, BlkifOp.WRITE
Serving = Callable[..., AbstractContextManager[tuple[Rig, Disk]]]


def content(start: int = 0, count: int = SIZE // 512) -> bytes:
    """Each sector says where it is."""
    return b"".join(number.to_bytes(4, "little") * 128 for number in range(start, start + count))


@pytest.fixture(params=[*WAYS])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["mem", "file"])
def serving(request: pytest.FixtureRequest, way: str, loopback: Machine, tmp_path: Path) -> Serving:
    """Give a backend for a disk whose sectors say where they are."""

    @contextmanager
    def serve(
        layout: Blkif = X86_64,
        *,
        order: int = 0,
        sector_size: int = 512,
        readonly: bool = False,
        pages: int = 300,
        **options: object,
    ) -> Iterator[tuple[Rig, Disk]]:
        disk: Disk
        if request.param == "mem":
            disk = open_disk(f"mem:{SIZE}", sector_size=sector_size)
            disk.write(0, [memoryview(content())])
            disk.readonly = readonly
        else:
            (tmp_path / "disk").write_bytes(content())
            disk = open_disk(str(tmp_path / "disk"), sector_size=sector_size, readonly=readonly)
        with rig(loopback, layout, order=order, pages=pages) as made:
            made.start(disk, **WAYS[way], **options)
            yield made, disk
        disk.close()

    return serve


@pytest.mark.parametrize("layout", PROTOCOLS.values(), ids=lambda layout: layout.protocol)
def test_reads_and_writes(layout: Blkif, serving: Serving) -> None:
    with serving(layout) as (made, disk):
        assert made.read(8, [0, 1]) == Answer(77, READ, OKAY)
        assert made.page(0) + made.page(1) == content(8, 16)
        # Parts of pages, in any order, in pages that are used twice.
        made.page(2, b"." * PAGE_SIZE)
        parts = [(made.gref(2), 3, 4), (made.gref(2), 0, 0), (made.gref(2), 7, 7)]
        assert made.ask(direct(layout, READ, 2**64 - 1, 100, parts)) == [Answer(2**64 - 1, READ, OKAY)]
        dots, found = b"." * 512, [content(sector, 1) for sector in range(100, 104)]
        assert made.page(2) == b"".join([found[2], dots, dots, found[0], found[1], dots, dots, found[3]])
        made.page(3, sectors(*b"abcdefgh"))
        parts = [(made.gref(3), 6, 7), (made.gref(3), 1, 1)]
        assert made.ask(direct(layout, WRITE, 5, 2044, parts)) == [Answer(5, WRITE, OKAY)]
        assert made.read(2040, [0]).status == OKAY
        assert made.page(0) == content(2040, 4) + sectors(*b"ghb") + content(2047, 1)
        # The same once more, now that a backend may have kept the pages.
        made.page(3, sectors(*b"ABCDEFGH"))
        assert made.ask(direct(layout, WRITE, 6, 2044, parts)) == [Answer(6, WRITE, OKAY)]
        buffer = bytearray(2048)
        disk.read(2044, [memoryview(buffer)])
        assert buffer == sectors(*b"GHB") + content(2047, 1)


@pytest.mark.parametrize("layout", PROTOCOLS.values(), ids=lambda layout: layout.protocol)
def test_indirect_requests_are_answered_as_what_they_wrap(layout: Blkif, serving: Serving) -> None:
    with serving(layout, pages=257) as (made, _):
        for _ in range(2):
            made.data.memory[:] = bytes(len(made.data.memory))
            made.table(0, made.segments(*range(1, 257)))
            message = indirect(layout, READ, 9, 0, 256, [made.gref(0)])
            assert made.ask(message) == [Answer(9, READ, OKAY)]
            assert bytes(made.data.memory[PAGE_SIZE:]) == content()
        made.page(20, sectors(*b"abcdefgh"))
        made.table(0, [(made.gref(20), 2, 3), (made.gref(20), 0, 0)])
        assert made.ask(indirect(layout, WRITE, 10, 7, 2, [made.gref(0)])) == [Answer(10, WRITE, OKAY)]
        assert made.read(0, [1, 2]).status == OKAY
        assert made.page(1) + made.page(2) == content(0, 7) + sectors(*b"cda") + content(10, 6)


@pytest.mark.parametrize("order", [1, 4])
def test_rings_of_many_pages(order: int, serving: Serving) -> None:
    with serving(X86_32, order=order, pages=64) as (made, _):
        number = made.ring.size
        assert number == 32 << order
        for _ in range(2):
            messages = [direct(X86_32, READ, ident, ident % 200 * 8, made.segments(ident % 64)) for ident in range(64)]
            messages += [direct(X86_32, READ, ident, 0, made.segments(63)) for ident in range(64, number)]
            answers = made.ask(*messages)
            assert answers == [Answer(ident, READ, OKAY) for ident in range(number)]
            assert made.page(5) == content(40, 8)


def test_flush_and_barrier(serving: Serving) -> None:
    with serving() as (made, disk):
        flushed: list[bytes] = []
        flush = disk.flush

        def watching() -> None:
            buffer = bytearray(512)
            disk.read(16, [memoryview(buffer)])
            flushed.append(bytes(buffer[:1]))
            flush()

        disk.flush = watching  # type: ignore[method-assign] # this one disk's
        made.page(0, sectors(*b"aaaaaaaa"))
        made.page(1, sectors(*b"bbbbbbbb"))
        made.page(2, sectors(*b"cccccccc"))
        for operation in (BlkifOp.FLUSH_DISKCACHE, BlkifOp.WRITE_BARRIER):
            assert made.ask(direct(X86_64, operation, 3, 2**63, [])) == [Answer(3, operation, OKAY)]
        # A barrier is between what came before and what comes after, and both are many.
        for _ in range(20):
            flushed.clear()
            answers = made.ask(
                direct(X86_64, WRITE, 0, 16, made.segments(0)),
                direct(X86_64, BlkifOp.WRITE_BARRIER, 1, 16, made.segments(1)),
                direct(X86_64, WRITE, 2, 16, made.segments(2)),
            )
            assert answers == [
                Answer(0, WRITE, OKAY),
                Answer(1, BlkifOp.WRITE_BARRIER, OKAY),
                Answer(2, WRITE, OKAY),
            ]
            assert flushed == [b"a", b"b"]
            assert made.read(16, [3]).status == OKAY
            assert made.page(3) == sectors(*b"cccccccc")
        stats = made.queue.stats
        assert (stats.flushes, stats.writes, stats.sectors_written) == (22, 60, 480)
        disk.flush = flush  # type: ignore[method-assign] # as it was


def test_a_disk_that_does_not_flush_says_so(loopback: Machine, way: str) -> None:
    disk = open_disk("mem:1M")
    disk.flushes = disk.discards = False
    with rig(loopback, X86_64) as made:
        made.start(disk, **WAYS[way])
        assert made.ask(
            direct(X86_64, BlkifOp.FLUSH_DISKCACHE, 1, 0, []),
            direct(X86_64, BlkifOp.WRITE_BARRIER, 2, 0, made.segments(0)),
            discard(X86_64, 3, 0, 8),
        ) == [
            Answer(1, BlkifOp.FLUSH_DISKCACHE, UNSUPPORTED),
            Answer(2, BlkifOp.WRITE_BARRIER, UNSUPPORTED),
            Answer(3, BlkifOp.DISCARD, UNSUPPORTED),
        ]


@pytest.mark.parametrize("layout", PROTOCOLS.values(), ids=lambda layout: layout.protocol)
def test_discard(layout: Blkif, serving: Serving) -> None:
    with serving(layout) as (made, disk):
        # Nobody is told that what can be had back cannot: memory forgets, a file does not say so.
        status = OKAY if disk.secure else UNSUPPORTED
        assert made.ask(discard(layout, 4, 8, 16, 1)) == [Answer(4, BlkifOp.DISCARD, status)]
        assert made.read(0, [0, 1, 2, 3]).status == OKAY
        left = content(0, 8) + bytes(16 * 512) + content(24, 8) if disk.secure else content(0, 32)
        assert b"".join(map(made.page, range(4))) == left
        assert made.ask(discard(layout, 4, 8, 16)) == [Answer(4, BlkifOp.DISCARD, OKAY)]
        assert made.read(0, [0, 1, 2, 3]).status == OKAY
        found = b"".join(map(made.page, range(4)))
        assert found == content(0, 8) + bytes(16 * 512) + content(24, 8)
        assert made.queue.stats.discards == 1 + disk.secure


def test_sectors_of_4096_bytes(serving: Serving) -> None:
    with serving(sector_size=4096) as (made, _):
        assert made.read(8, [0]).status == OKAY
        assert made.page(0) == content(8, 8)
        part = [(made.gref(0), 0, 3), (made.gref(1), 4, 7)]
        assert made.ask(
            direct(X86_64, READ, 1, 9, made.segments(0)),
            direct(X86_64, READ, 2, 8, [(made.gref(0), 0, 6)]),
            direct(X86_64, WRITE, 3, 8, [(made.gref(0), 0, 0)]),
            discard(X86_64, 4, 4, 8),
            # Whole sectors, although none of its segments is one.
            direct(X86_64, READ, 5, 16, part),
        ) == [
            Answer(1, READ, ERROR),
            Answer(2, READ, ERROR),
            Answer(3, WRITE, ERROR),
            Answer(4, BlkifOp.DISCARD, ERROR),
            Answer(5, READ, OKAY),
        ]
        assert made.page(0)[:2048] + made.page(1)[2048:] == content(16, 8)


def test_a_disk_that_grows_and_shrinks(way: str, loopback: Machine, tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(content(0, 8))
    disk = open_disk(str(path))
    with rig(loopback, X86_64) as made:
        made.start(disk, **WAYS[way])
        for _ in range(2):
            assert made.read(8, [0]).status == ERROR
            path.write_bytes(content(0, 16))
            assert disk.refresh()
            assert not disk.refresh()
            assert made.read(8, [0]).status == OKAY
            assert made.page(0) == content(8, 8)
            # It is shorter, and the backend has not noticed.
            os.truncate(path, 4096)
            assert made.read(8, [0]).status == ERROR
            assert disk.refresh()
    disk.close()


def test_it_goes_on_with_what_is_in_the_ring_until_drained(serving: Serving) -> None:
    with serving(order=2, pages=128) as (made, _):
        messages = [direct(X86_64, READ, ident, ident * 8, made.segments(ident)) for ident in range(128)]
        made.put(*messages)
        made.queue.stop(drain=True)
        assert len(made.take(128)) == 128
        assert made.page(127) == content(127 * 8, 8)
        made.thread.join()
        assert made.queue.error is None


def test_a_stop_answers_what_it_has_taken(serving: Serving) -> None:
    with serving(pages=32) as (made, _):
        made.read(0, [0])
        made.queue.stop(drain=False)
        made.thread.join()
        made.put(direct(X86_64, READ, 0, 0, made.segments(0)))
        assert made.ring.take() == b""


def test_counts(loopback: Machine, way: str) -> None:
    disk = open_disk("mem:1M")
    with rig(loopback, X86_64) as made:
        made.start(disk, **WAYS[way])
        for _ in range(3):
            made.ask(
                direct(X86_64, READ, 1, 0, made.segments(0, 1)),
                direct(X86_64, WRITE, 2, 0, made.segments(0)),
                direct(X86_64, WRITE, 3, 2**40, made.segments(0)),
                direct(X86_64, BlkifOp.FLUSH_DISKCACHE, 4, 0, []),
            )
        stats = made.queue.stats
        # The last is only counted before it is answered, and read after that.
        assert (stats.requests, stats.reads, stats.writes, stats.flushes, stats.errors) == (12, 3, 3, 3, 3)
        assert (stats.sectors_read, stats.sectors_written) == (48, 24)
        expected = {"copy": (0, 9), "map": (9, 0)}.get(WAYS[way].get("grants", ""), (2, 0))
        assert (stats.grant_maps, stats.grant_copies) == expected
        assert 0 < stats.notifications_sent <= 12

        def woken() -> bool:
            # Asleep by then, if it got the processor.
            threading.Event().wait(0.1)
            made.read(0, [0])
            return made.queue.stats.notifications_received >= 1

        until(woken)


@pytest.mark.parametrize("compiled", [False, True])
def test_kept_pages_are_the_latest_ones(compiled: bool, loopback: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = open_disk("mem:1M")
    disk.write(0, [memoryview(content())])
    monkeypatch.setattr(pages_module, "PURGE_SHARE", 1.0)
    monkeypatch.setattr(pages_module, "PURGE_SECONDS", 0.0)
    with rig(loopback, X86_64, pages=40) as made:
        made.start(disk, persistent=True, compiled=compiled, persistent_max=16)
        for turn in range(3):
            for page in range(40):
                assert made.read(page * 8, [page]).status == OKAY
                assert made.page(page) == content(page * 8, 8)
                # Used all the time, and so never let go.
                assert made.read(0, [0]).status == OKAY
            assert loopback.hypervisor.in_use(0).mappings == 1 + 16
            assert made.queue.stats.grant_maps == [40, 79, 118][turn]
        # More pages in one request than are kept.
        for _ in range(2):
            made.table(39, made.segments(*range(30)))
            assert made.ask(indirect(X86_64, READ, 1, 0, 30, [made.gref(39)]))[0].status == OKAY
            assert b"".join(map(made.page, range(30))) == content(0, 240)
            assert loopback.hypervisor.in_use(0).mappings == 1 + 16


@pytest.mark.parametrize("compiled", [False, True])
def test_not_all_pages_make_room_for_others(compiled: bool, loopback: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = open_disk("mem:1M")
    disk.write(0, [memoryview(content())])
    # As long as this takes, one may go.
    monkeypatch.setattr(pages_module, "PURGE_SECONDS", 3600.0)
    with rig(loopback, X86_64, pages=40) as made:
        made.start(disk, persistent=True, compiled=compiled, persistent_max=16)
        for turn in range(5):
            for page in range(40):
                assert made.read((page + turn) * 8, [page]).status == OKAY
                assert made.page(page) == content((page + turn) * 8, 8)
        stats = made.queue.stats
        assert stats.grant_maps - stats.grant_unmaps == 16
        assert stats.grant_unmaps == 1
        assert stats.grant_copies + stats.grant_maps >= 40


def test_some_at_hand_and_some_not(way: str, loopback: Machine, tmp_path: Path) -> None:
    # Those that a thread has to wait for are taken, and had their pages, together with those that are done at once.
    path = tmp_path / "disk"
    path.write_bytes(content())
    disk = open_disk(str(path))
    disk.flush()
    with rig(loopback, X86_64) as made, path.open("rb") as file:
        made.start(disk, **WAYS[way])
        for turn in range(3):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            for page in range(0, 32, 2):
                os.pread(file.fileno(), PAGE_SIZE, page * PAGE_SIZE)
            answers = made.ask(*(direct(X86_64, READ, page, page * 8, made.segments(page)) for page in range(32)))
            assert answers == [Answer(page, READ, OKAY) for page in range(32)]
            assert b"".join(map(made.page, range(32))) == content(0, 256)
            assert made.queue.stats.sectors_read == 256 * (turn + 1)
            made.data.memory[:] = bytes(len(made.data.memory))
    disk.close()


def test_an_idle_queue_costs_nothing(serving: Serving) -> None:
    with serving() as (made, _):
        made.read(0, [0])

        def idle() -> bool:
            # It falls asleep when it gets the processor.
            before = made.queue.stats.syscalls
            clock = os.times()
            threading.Event().wait(0.3)
            after = os.times()
            return made.queue.stats.syscalls == before and after.user + after.system - clock.user - clock.system < 0.1

        until(idle)
