"""Frontends that ask for what cannot be: an answer to each, or the end of that one ring; nothing is touched or kept.

The numbers of cases are those of the checklist that other kits are judged by: 1, 3 to 11, 16.
"""

import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvdrivers.abi.blkif import PROTOCOLS, X86_64, Blkif, BlkifOp, BlkifRsp
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.back.backqueue import BackQueue
from pvdrivers.block.disks import open_disk
from pvdrivers.block.errors import Refusal
from pvdrivers.conformance.block.messages import Answer, direct, discard, indirect
from pvdrivers.errors import BadRing, MachineError
from pvdrivers.transport.loopback import Machine, machine
from tests.pvdrivers.block.rig import BACK, FRONT, STRANGER, WAYS, Rig, descriptors, rig
from tests.pvdrivers.bus.joined import until

OKAY, ERROR, UNSUPPORTED = BlkifRsp.OKAY, BlkifRsp.ERROR, BlkifRsp.EOPNOTSUPP
READ, WRITE, DISCARD = BlkifOp.READ, BlkifOp.WRITE, BlkifOp.DISCARD
LAYOUT = X86_64
SECTORS = 2048
NOBODYS = 0x00FF_FFFF


@pytest.fixture(params=[*WAYS])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def made(loopback: Machine, way: str) -> Iterator[Rig]:
    """A backend whose disk is full of 'd', and pages full of 'p'; neither may become the other by what is refused."""
    disk = open_disk(f"mem:{SECTORS * 512}")
    disk.write(0, [memoryview(b"d" * SECTORS * 512)])
    with rig(loopback, LAYOUT, pages=40) as made:
        made.data.memory[:] = b"p" * len(made.data.memory)
        made.start(disk, **WAYS[way])
        # That all is well, and what a backend keeps is kept.
        assert made.read(0, [0, 1]).status == OKAY
        made.data.memory[: 2 * PAGE_SIZE] = b"p" * 2 * PAGE_SIZE
        yield made
        # And that it still is.
        assert bytes(made.data.memory) == b"p" * len(made.data.memory)
        buffer = bytearray(SECTORS * 512)
        disk.read(0, [memoryview(buffer)])
        assert buffer == b"d" * SECTORS * 512
        if made.queue.error is None:
            assert made.read(8, [1]).status == OKAY
            assert made.page(1) == b"d" * PAGE_SIZE


@pytest.mark.parametrize("ahead", [33, 2**31, 2**32 - 1])
def test_1_a_producer_index_that_cannot_be(ahead: int, made: Rig, loopback: Machine) -> None:
    with rig(loopback, LAYOUT) as sibling:
        sibling.start(open_disk("mem:1M"))
        before = made.queue.stats
        # req_prod is the ring's first word, and one request has been answered.
        struct.pack_into("<I", made.pages.memory, 0, 1 + ahead & 0xFFFFFFFF)
        made.channel.notify()
        assert "producer index" in made.ended()
        assert isinstance(made.queue.error, BadRing)
        after = made.queue.stats
        assert (after.requests, after.grant_copies, after.grant_maps) == (1, before.grant_copies, before.grant_maps)
        assert sibling.read(0, [0]).status == OKAY


def test_1_a_ring_that_is_bad_from_the_beginning(loopback: Machine) -> None:
    with rig(loopback, LAYOUT) as made:
        struct.pack_into("<I", made.pages.memory, 0, 33)
        ring = made.back.map(FRONT, made.pages.grefs)
        channel = made.back.bind_interdomain(FRONT, made.channel.port)
        before = descriptors()
        with pytest.raises(BadRing):
            BackQueue(made.back, FRONT, ring, channel, LAYOUT, open_disk("null:1M"))
        assert descriptors() == before
        ring.unmap()
        channel.close()


def test_4_segments_that_are_none_or_too_many(made: Rig) -> None:
    segments = [(made.gref(0), 0, 7)] * 11
    for number in (0, 12, 32, 255):
        for operation in (READ, WRITE):
            (answer,) = made.ask(direct(LAYOUT, operation, 1, 0, segments, number))
            assert answer == Answer(1, operation, ERROR)
    # A flush may have none, and no more than others either.
    (answer,) = made.ask(direct(LAYOUT, BlkifOp.FLUSH_DISKCACHE, 1, 0, segments, 12))
    assert answer.status == ERROR


def test_5_segments_that_are_not_within_their_page(made: Rig) -> None:
    for first, last in ((1, 0), (0, 8), (8, 8), (255, 255), (7, 255), (255, 0)):
        for operation in (READ, WRITE):
            good, bad = (made.gref(0), 0, 7), (made.gref(1), first, last)
            assert made.ask(
                direct(LAYOUT, operation, 1, 0, [bad]), direct(LAYOUT, operation, 2, 0, [good, good, bad])
            ) == [Answer(1, operation, ERROR), Answer(2, operation, ERROR)]


@pytest.mark.parametrize("sector", [SECTORS - 7, SECTORS, 2**55 + 1, 2**63, 2**64 - 8, 2**64 - 1])
def test_6_sectors_beyond_the_end(sector: int, made: Rig) -> None:
    made.table(39, made.segments(0))
    answers = made.ask(
        direct(LAYOUT, READ, 1, sector, made.segments(0)),
        direct(LAYOUT, WRITE, 2, sector, made.segments(0)),
        indirect(LAYOUT, READ, 3, sector, 1, [made.gref(39)]),
        direct(LAYOUT, BlkifOp.WRITE_BARRIER, 4, sector, made.segments(0)),
    )
    assert [answer.status for answer in answers] == [ERROR] * 4
    made.page(39, b"p" * PAGE_SIZE)


def test_7_changes_to_a_disk_that_is_read_only(way: str, loopback: Machine) -> None:
    disk = open_disk("mem:1M", readonly=True)
    with rig(loopback, LAYOUT) as made:
        made.start(disk, **WAYS[way])
        # Pages that are known are where a compiled backend needs nobody to ask.
        assert made.read(0, [0, 1]).status == OKAY
        made.page(0, b"x" * PAGE_SIZE)
        made.table(1, made.segments(0))
        answers = made.ask(
            direct(LAYOUT, WRITE, 1, 0, made.segments(0)),
            indirect(LAYOUT, WRITE, 2, 0, 1, [made.gref(1)]),
            direct(LAYOUT, BlkifOp.WRITE_BARRIER, 3, 0, made.segments(0)),
            discard(LAYOUT, 4, 0, 8),
            direct(LAYOUT, BlkifOp.FLUSH_DISKCACHE, 5, 0, made.segments(0)),
            direct(LAYOUT, BlkifOp.FLUSH_DISKCACHE, 6, 0, []),
        )
        assert [answer.status for answer in answers] == [ERROR] * 5 + [OKAY]
        assert made.read(0, [0]).status == OKAY
        assert made.page(0) == bytes(PAGE_SIZE)


def test_8_discards_that_cannot_be(made: Rig) -> None:
    cases = [(2**64 - 1, 2), (SECTORS, 1), (SECTORS - 1, 2), (0, 0), (1, 2**64 - 1), (0, SECTORS + 1)]
    for sector, count in cases:
        for flag in (0, 1, 255):
            assert made.ask(discard(LAYOUT, 1, sector, count, flag)) == [Answer(1, DISCARD, ERROR)]


def test_9_indirect_requests_that_cannot_be(made: Rig) -> None:
    assert made.read(0, [39]).status == OKAY
    made.table(39, [(made.gref(0), 0, 0)] * 512)
    page = [made.gref(39)]
    for inner in (2, 3, 5, 6, 255):
        assert made.ask(indirect(LAYOUT, inner, 1, 0, 1, page)) == [Answer(1, inner, ERROR)]
    for number in (0, 257, 65535):
        assert made.ask(indirect(LAYOUT, READ, 1, 0, number, page * 8)) == [Answer(1, READ, ERROR)]
    for gref in (NOBODYS, 0, 2**32 - 1):
        assert made.ask(indirect(LAYOUT, WRITE, 1, 0, 1, [gref])) == [Answer(1, WRITE, ERROR)]
    # One bad segment among good ones, and the worst place for it.
    made.table(39, [(made.gref(0), 0, 7)] * 255 + [(made.gref(0), 7, 6)])
    assert made.ask(indirect(LAYOUT, READ, 1, 0, 256, page)) == [Answer(1, READ, ERROR)]
    made.page(39, b"p" * PAGE_SIZE)


def test_9_indirect_requests_where_none_were_offered(way: str, loopback: Machine) -> None:
    with rig(loopback, LAYOUT) as made:
        made.start(open_disk("mem:1M"), max_indirect=0, **WAYS[way])
        made.table(1, made.segments(0))
        for _ in range(2):
            assert made.ask(indirect(LAYOUT, READ, 1, 0, 1, [made.gref(1)])) == [Answer(1, READ, UNSUPPORTED)]


def test_10_pages_that_were_not_granted_so(made: Rig) -> None:
    strangers = made.front.grant(STRANGER)
    readonly = made.front.grant(BACK, writable=False)
    readonly.memory[:] = b"d" * PAGE_SIZE
    gone = made.front.grant(BACK)
    lost = list(gone.grefs)
    gone.revoke()
    for _ in range(2):
        bad = [NOBODYS, 0, strangers.grefs[0], readonly.grefs[0], lost[0]]
        messages = [direct(LAYOUT, READ, ident, 0, [(gref, 0, 7)]) for ident, gref in enumerate(bad)]
        # With good ones before, behind and in the same request.
        messages.append(direct(LAYOUT, READ, 5, 0, [(made.gref(2), 0, 7), (NOBODYS, 0, 7)]))
        messages.insert(2, direct(LAYOUT, WRITE, 6, 0, [(readonly.grefs[0], 0, 7)]))
        messages += [direct(LAYOUT, WRITE, 7, 0, [(strangers.grefs[0], 0, 7)])]
        messages += [direct(LAYOUT, WRITE, 8, 0, [(lost[0], 0, 7)])]
        good = made.front.grant(BACK)
        messages += [direct(LAYOUT, READ, 9, 0, [(good.grefs[0], 0, 7)])]
        answers = made.ask(*messages)
        assert [answer.status for answer in answers] == [ERROR] * 6 + [OKAY, ERROR, ERROR, OKAY]
        assert bytes(good.memory) == b"d" * PAGE_SIZE
        assert bytes(readonly.memory) == b"d" * PAGE_SIZE
        # What was in a request that failed may have been written to, with what is the disk's.
        assert made.page(2) in {b"d" * PAGE_SIZE, b"p" * PAGE_SIZE}
        made.page(2, b"p" * PAGE_SIZE)
    assert bytes(strangers.memory) == bytes(PAGE_SIZE)


@pytest.mark.parametrize("layout", PROTOCOLS.values(), ids=lambda layout: layout.protocol)
def test_11_nothing_foreign_is_in_a_response(layout: Blkif, way: str, loopback: Machine) -> None:
    with rig(loopback, layout) as made:
        made.start(open_disk("mem:1M"), **WAYS[way])
        # Each request's own bytes poison the slot of its response.
        messages = [
            direct(layout, READ, 2**64 - 1, 0, made.segments(0)),
            direct(layout, READ, 2**64 - 1, 0, made.segments(0)),
            direct(layout, READ, 2**64 - 1, 2**64 - 1, [(2**32 - 1, 255, 255)] * 11),
            b"\xff" * layout.request.size,
            direct(layout, BlkifOp.FLUSH_DISKCACHE, 2**64 - 1, 2**64 - 1, []),
        ]
        made.ask(*messages)
        slots = bytes(made.pages.memory[64:])
        found = []
        for number in range(len(messages)):
            response = slots[number * layout.request.size :][: layout.response.size]
            ident, operation, status = layout.response.struct.unpack(response)
            assert response == layout.response.struct.pack(ident, operation, status)
            found.append((ident, operation, status))
        assert sorted(found) == sorted(
            (2**64 - 1, operation, status)
            for operation, status in [(0, OKAY), (0, OKAY), (0, ERROR), (255, UNSUPPORTED), (3, OKAY)]
        )


def test_operations_that_there_are_not(made: Rig) -> None:
    for operation in (4, 7, 99, 255):
        assert made.ask(direct(LAYOUT, operation, 1, 0, made.segments(0))) == [Answer(1, operation, UNSUPPORTED)]
    assert made.queue.refused
    assert made.queue.refused.refusal is Refusal.NO_OPERATION
    assert str(made.queue.refused) == "operation 255 is none"


def test_ids_are_the_frontends_own_business(made: Rig) -> None:
    messages = [direct(LAYOUT, WRITE, 7, 2**40, made.segments(0))] * 32
    assert made.ask(*messages) == [Answer(7, WRITE, ERROR)] * 32


def test_16_events_without_work(made: Rig) -> None:
    made.read(0, [0])
    made.page(0, b"p" * PAGE_SIZE)
    clock = time.thread_time()
    before, began = os.times(), time.monotonic()
    for _ in range(100_000):
        made.channel.notify()
    ours = time.thread_time() - clock
    time.sleep(0.2)
    after = os.times()
    backends = after.user + after.system - before.user - before.system - ours
    assert backends < 0.3 * (time.monotonic() - began)

    # It is heard again; and as well as ever, once it has something to say.
    def quick() -> bool:
        # Each takes a tenth of a second where it is not; where others have the processors, some do as well.
        began = time.monotonic()
        assert made.read(0, [0]).status == OKAY
        return time.monotonic() - began < 0.05

    until(quick)
    made.page(0, b"p" * PAGE_SIZE)


def test_16_whoever_is_not_heard_does_not_keep_a_queue_from_its_end(way: str, loopback: Machine) -> None:
    with rig(loopback, LAYOUT) as made:
        made.start(open_disk("mem:1M"), **WAYS[way])
        # Fifteen in vain: by then it hears nothing for a tenth of a second.
        for _ in range(15):
            before = made.queue.stats.notifications_received
            made.channel.notify()
            until = time.monotonic() + 60
            while made.queue.stats.notifications_received == before and time.monotonic() < until:
                time.sleep(0.001)
        time.sleep(0.01)
        made.queue.stop()
        made.thread.join(600)
        assert not made.thread.is_alive()


def test_a_frontend_that_fills_the_events_counter(made: Rig) -> None:
    # The kernel's limit for what an eventfd counts; the backend is to answer into it.
    os.eventfd_write(made.channel.fileno(), 2**64 - 2)
    assert made.read(0, [0]).status == OKAY
    made.page(0, b"p" * PAGE_SIZE)


def test_a_frontend_that_dies(way: str, loopback: Machine) -> None:
    disk = open_disk("mem:1M")
    with rig(loopback, LAYOUT, pages=40) as made:
        made.start(disk, **WAYS[way])
        made.put(*[direct(LAYOUT, READ, ident, 0, made.segments(ident)) for ident in range(32)])
        made.ring.release()
        made.front.close()
        time.sleep(0.05)
        made.queue.stop()
        made.thread.join()
        assert made.queue.error is None


def test_a_machine_that_dies(way: str, tmp_path: Path) -> None:
    before = descriptors()
    with machine(tmp_path, [BACK, FRONT]) as running:
        made = Rig(running, LAYOUT, 0, 4)
        made.start(open_disk("mem:1M"), **WAYS[way])
        assert made.read(0, [0]).status == OKAY
    # Both ends are told; neither waits for the other.
    made.thread.join()
    assert str(made.queue.error) == f"the loopback in {tmp_path} is gone: its process has ended"
    with pytest.raises(MachineError, match="is gone"):
        made.channel.wait()
    made.ring.release()
    made.front.close()
    made.back.close()
    del made
    # Fewer, when what other tests have left goes only now.
    assert descriptors() <= before
