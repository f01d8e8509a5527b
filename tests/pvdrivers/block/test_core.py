"""The compiled core does what it is there for, and leaves the rest; that both are right is for the other tests."""

import os
import struct
from collections.abc import Iterator

import pytest

from pvdrivers.abi.blkif import PROTOCOLS, Blkif, BlkifOp
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.back.plain.kept import KeptCore
from pvdrivers.block.disks import open_disk
from pvdrivers.conformance.block.messages import direct, discard, indirect

READ, WRITE = BlkifOp.READ, BlkifOp.WRITE
SECTORS = 2048


@pytest.fixture(params=PROTOCOLS.values(), ids=lambda layout: layout.protocol)
def layout(request: pytest.FixtureRequest) -> Blkif:
    assert isinstance(request.param, Blkif)
    return request.param


@pytest.fixture
def core(layout: Blkif) -> Iterator[KeptCore]:
    wake = os.eventfd(0)
    core = KeptCore(layout, open_disk(f"mem:{SECTORS * 512}"), 256, wake, 8)
    yield core
    core.close()
    os.close(wake)


def page(content: bytes = b"") -> memoryview:
    return memoryview(bytearray(content.ljust(PAGE_SIZE, b"\0")))


def test_plain_requests_are_done(layout: Blkif, core: KeptCore) -> None:
    data, table = page(b"data" * 1024), page(struct.pack("<IBBxx", 2**32 - 1, 0, 7))
    core.learn(2**32 - 1, data)
    core.learn(8, table)
    messages = [
        direct(layout, WRITE, 1, 8, [(2**32 - 1, 0, 7)]),
        direct(layout, READ, 2, 0, [(2**32 - 1, 0, 7)] * 11),
        indirect(layout, READ, 3, 8, 1, [8]),
    ]
    answers, rest = core.serve(b"".join(messages), SECTORS)
    assert answers == b"".join(
        layout.response.struct.pack(*each) for each in ((1, WRITE, 0), (2, READ, 0), (3, READ, 0))
    )
    assert rest == b""
    assert bytes(data) == b"data" * 1024
    assert (core.reads, core.writes, core.sectors_read, core.sectors_written, core.pending) == (2, 1, 96, 8, 0)


def test_the_rest_is_left_in_order(layout: Blkif, core: KeptCore) -> None:
    core.learn(8, page())
    plain = direct(layout, READ, 1, 0, [(8, 0, 7)])
    odd = [
        direct(layout, READ, 2, 0, [(9, 0, 7)]),
        discard(layout, 3, 0, 8),
        direct(layout, BlkifOp.FLUSH_DISKCACHE, 4, 0, []),
    ]
    barrier = direct(layout, BlkifOp.WRITE_BARRIER, 5, 0, [(8, 0, 7)])
    # What comes after a barrier waits for it.
    messages = [odd[0], plain, odd[1], odd[2], plain, barrier, plain, plain]
    answers, rest = core.serve(b"".join(messages), SECTORS)
    assert answers == layout.response.struct.pack(1, READ, 0) * 2
    assert rest == b"".join([*odd, barrier, plain, plain])


def test_pages_come_and_go(core: KeptCore) -> None:
    pages = [page() for _ in range(9)]
    for gref in range(8):
        # As far apart as can be, and alike in their lowest bits.
        core.learn(gref << 28, pages[gref])
    for gref in (1 << 28, 5):
        with pytest.raises(ValueError, match="no room for a page, or it is known"):
            core.learn(gref, pages[8])
    assert core.oldest() == 0
    assert core.forget(0)
    assert core.forget(12345)
    assert core.oldest() == 1 << 28
    pages[0].release()
    with pytest.raises(ValueError, match="not a page"):
        core.learn(7, pages[8][:512])
    core.learn(7, pages[8])
    for gref in (*(number << 28 for number in range(1, 8)), 7):
        assert core.forget(gref)
    assert core.oldest() is None
    for each in pages[1:]:
        each.release()


def test_more_messages_than_a_ring_has(layout: Blkif, core: KeptCore) -> None:
    with pytest.raises(ValueError, match="more messages than a ring has"):
        core.serve(bytes(layout.request.size * 1025), SECTORS)
