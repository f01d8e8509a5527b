"""A frontend's queue, and backends that answer what they like: cases 26, 27 and 30 of the checklist."""

import struct
from collections.abc import Callable, Iterator, Sequence

import pytest

from pvdrivers.abi.blkif import PROTOCOLS, X86_64, Blkif, BlkifOp, BlkifRsp
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.errors import BadResponse
from pvdrivers.block.front.frontqueue import FrontQueue, Part
from pvdrivers.block.load.makers import Load
from pvdrivers.block.request import Limits, parse
from pvdrivers.errors import BadRing, PeerError
from pvdrivers.ring import Back
from pvdrivers.transport.base import Mapping
from pvdrivers.transport.loopback import Loopback, Machine
from tests.pvdrivers.block.rig import BACK, FRONT

READ, WRITE = BlkifOp.READ, BlkifOp.WRITE


class Backend:
    """A backend that does what it is told, and sees all that it was granted."""

    def __init__(self, transport: Loopback, queue: FrontQueue) -> None:
        self.layout = queue.layout
        self.pages = transport.map(FRONT, queue.grefs)
        self.data: Mapping = transport.map(FRONT, queue.data_grefs)
        self.ring = Back(self.pages.memory, self.layout.ring)

    def answer(self, *responses: tuple[int, int, int]) -> None:
        self.ring.put(b"".join(self.layout.response.struct.pack(*each) for each in responses))
        self.ring.push()

    def idents(self) -> list[int]:
        size, at = self.layout.request.size, self.layout.request.offsets["id"]
        taken = self.ring.take()
        return [int.from_bytes(taken[place + at :][:8], "little") for place in range(0, len(taken), size)]

    def close(self) -> None:
        self.ring.release()
        self.data.unmap()
        self.pages.unmap()


@pytest.fixture(params=PROTOCOLS.values(), ids=lambda layout: layout.protocol)
def layout(request: pytest.FixtureRequest) -> Blkif:
    assert isinstance(request.param, Blkif)
    return request.param


@pytest.fixture
def ends(loopback: Machine, layout: Blkif) -> Iterator[tuple[FrontQueue, Backend]]:
    with Loopback(loopback.directory, FRONT) as front, Loopback(loopback.directory, BACK) as back:
        queue = FrontQueue(front, BACK, layout, max_indirect=32, data_pages=100)
        backend = Backend(back, queue)
        yield queue, backend
        backend.close()
        queue.close()
        assert not loopback.hypervisor.in_use(FRONT).grants
        assert not loopback.hypervisor.in_use(FRONT).ports


def read(size: int, sector: int = 0) -> Part:
    return Part(READ, sector, size // 512, memoryview(bytearray(size)))


def test_requests_are_what_a_backend_parses(ends: tuple[FrontQueue, Backend]) -> None:
    queue, backend = ends

    def fetch(wanted: Sequence[tuple[int, int]]) -> bytes:
        ((gref, size),) = wanted
        return bytes(backend.data.memory[queue.data_grefs.index(gref) * PAGE_SIZE :][:size])

    written = bytes(range(256)) * 16 * 13
    parts = [
        Part(WRITE, 24, 104, memoryview(written)),
        read(512, 2**40),
        Part(BlkifOp.FLUSH_DISKCACHE),
        Part(BlkifOp.DISCARD, 8, 2**33, secure=True),
        read(44 * 1024 - 512),
        Part(BlkifOp.WRITE_BARRIER, 0, 9, memoryview(written)[: 9 * 512]),
    ]
    for part in parts:
        assert queue.submit(part)
    queue.push()
    taken = backend.ring.take()
    size = queue.layout.request.size
    limits = Limits(2**50, secure=True, max_indirect=32)
    requests = [parse(taken[at : at + size], queue.layout, limits, fetch) for at in range(0, len(taken), size)]
    assert len({request.ident for request in requests}) == len(parts)
    for part, request in zip(parts, requests, strict=True):
        assert (request.operation, request.sectors, request.secure) == (part.operation, part.sectors, part.secure)
        assert part.operation == BlkifOp.FLUSH_DISKCACHE or request.sector == part.sector
        if part.operation in {WRITE, BlkifOp.WRITE_BARRIER}:
            sent = b"".join(
                bytes(backend.data.memory[queue.data_grefs.index(gref) * PAGE_SIZE + offset :][:length])
                for gref, offset, length in request.segments
            )
            assert sent == bytes(part.data)


def test_answers_come_in_any_order(ends: tuple[FrontQueue, Backend]) -> None:
    queue, backend = ends
    parts = [read(PAGE_SIZE * 20, 8), read(512), Part(BlkifOp.FLUSH_DISKCACHE), read(1024)]
    for part in parts:
        assert queue.submit(part)
    queue.push()
    first, second, third, fourth = backend.idents()
    backend.data.memory[:] = bytes(number // PAGE_SIZE for number in range(len(backend.data.memory)))
    backend.answer((fourth, READ, 0), (first, READ, 0), (third, BlkifOp.FLUSH_DISKCACHE, -2), (second, READ, -1))
    done = queue.complete()
    assert done == [
        (parts[3], BlkifRsp.OKAY),
        (parts[0], BlkifRsp.OKAY),
        (parts[2], BlkifRsp.EOPNOTSUPP),
        (parts[1], BlkifRsp.ERROR),
    ]
    # Each has what is in its own pages, and what failed has nothing.
    assert len({*parts[0].data[::PAGE_SIZE], parts[3].data[0]}) == 21
    assert bytes(parts[1].data) == bytes(512)
    assert queue.pending == 0


def test_room_is_for_slots_and_pages(ends: tuple[FrontQueue, Backend]) -> None:
    queue, backend = ends
    assert queue.max_sectors == 256
    with pytest.raises(ValueError, match="264 sectors, and no more than 256 at once"):
        queue.submit(read(33 * PAGE_SIZE))
    # 33 pages each, with the one for its segments.
    assert [queue.submit(read(32 * PAGE_SIZE)) for _ in range(4)] == [True, True, True, False]
    assert queue.submit(read(512))
    assert not queue.submit(read(512))
    flushes = [queue.submit(Part(BlkifOp.FLUSH_DISKCACHE)) for _ in range(29)]
    assert flushes == [True] * 28 + [False]
    queue.push()
    backend.answer(*[(ident, READ, 0) for ident in backend.idents()[:1]])
    assert len(queue.complete()) == 1
    assert queue.submit(read(32 * PAGE_SIZE))


ODD: dict[str, Callable[[int], list[tuple[int, int, int]]]] = {
    "an id that is none": lambda _: [(2**64 - 1, READ, 0)],
    "an id beyond the ring": lambda _: [(32, READ, 0)],
    "an id that nobody asked": lambda ident: [(ident ^ 1, READ, 0)],
    "twice": lambda ident: [(ident, READ, 0), (ident, READ, 0)],
    "another operation": lambda ident: [(ident, WRITE, 0)],
    "the operation INDIRECT": lambda ident: [(ident, BlkifOp.INDIRECT, 0)],
    "a status that is none": lambda ident: [(ident, READ, 1)],
    "another that is none": lambda ident: [(ident, READ, -3)],
    "the worst": lambda ident: [(ident, READ, -32768)],
}


@pytest.mark.parametrize("odd", ODD)
def test_27_answers_to_nothing(odd: str, ends: tuple[FrontQueue, Backend]) -> None:
    queue, backend = ends
    kept = read(512)
    other = Part(BlkifOp.FLUSH_DISKCACHE)
    assert queue.submit(kept)
    queue.push()
    (ident,) = backend.idents()
    assert ident ^ 1 < 32
    responses = ODD[odd](ident)
    # As many requests as it answers; that their ids are not those is what is wrong.
    for _ in responses[1:]:
        queue.submit(other)
    queue.push()
    backend.idents()
    backend.answer(*responses)
    done = queue.complete()
    assert [part for part, _ in done] == ([kept] if odd == "twice" else [])
    assert isinstance(queue.error, BadResponse)
    assert "the backend answers" in str(queue.error)
    # Nothing goes on, and nothing is lost.
    assert queue.complete() == []
    assert not queue.more()
    with pytest.raises(BadResponse):
        queue.submit(kept)
    assert queue.take_back() == ([other] if odd == "twice" else [kept])


@pytest.mark.parametrize("odd", ODD)
def test_27_a_load_judges_as_a_queue_does(odd: str) -> None:
    layout = X86_64
    message = layout.request.struct.pack(READ, 1, 0, 5, 0, *[0] * 33)
    offsets = layout.request.offsets, layout.response.offsets
    places = (
        offsets[0]["id"],
        offsets[0]["sector_number"],
        offsets[1]["id"],
        offsets[1]["operation"],
        offsets[1]["status"],
    )
    load = Load(message * 4, layout.request.size, 1, places, layout.response.size, READ, 100, 8, False)
    assert len(load.ask(1)) == layout.request.size
    responses = b"".join(layout.response.struct.pack(*each) for each in ODD[odd](0))
    with pytest.raises(BadResponse):
        load.answered(responses)


@pytest.mark.parametrize("prod", [2, 3, 33, 2**31, 2**32 - 1])
def test_26_a_producer_index_that_cannot_be(prod: int, ends: tuple[FrontQueue, Backend]) -> None:
    queue, backend = ends
    kept = read(512)
    assert queue.submit(kept)
    queue.push()
    struct.pack_into("<I", backend.pages.memory, 8, prod)
    assert queue.complete() == []
    assert isinstance(queue.error, BadRing)
    assert queue.take_back() == [kept]


def test_26_a_producer_index_that_goes_back(ends: tuple[FrontQueue, Backend]) -> None:
    queue, backend = ends
    for _ in range(2):
        assert queue.submit(read(512))
    queue.push()
    backend.answer(*[(ident, READ, 0) for ident in backend.idents()])
    assert len(queue.complete()) == 2
    struct.pack_into("<I", backend.pages.memory, 8, 1)
    assert not queue.more()
    assert isinstance(queue.error, PeerError)


def test_28_what_a_backend_changes_after_its_answer_is_not_seen(ends: tuple[FrontQueue, Backend]) -> None:
    queue, backend = ends
    part = read(PAGE_SIZE)
    assert queue.submit(part)
    queue.push()
    backend.data.memory[:] = b"a" * len(backend.data.memory)
    backend.answer((backend.idents()[0], READ, 0))
    queue.complete()
    backend.data.memory[:] = b"b" * len(backend.data.memory)
    assert bytes(part.data) == b"a" * PAGE_SIZE


def test_30_a_backend_sees_payload_or_zeros(ends: tuple[FrontQueue, Backend]) -> None:
    queue, backend = ends
    assert bytes(backend.data.memory) == bytes(len(backend.data.memory))
    secret = b"w" * 512 * 3
    assert queue.submit(Part(WRITE, 0, 3, memoryview(secret)))
    assert queue.submit(Part(BlkifOp.DISCARD, 0, 3))
    assert queue.submit(read(20 * PAGE_SIZE))
    queue.push()
    # What tells segments is no secret either: grefs, and sectors.
    pages = [bytes(backend.data.memory[at : at + PAGE_SIZE]) for at in range(0, len(backend.data.memory), PAGE_SIZE)]
    used = [page for page in pages if any(page)]
    assert len(used) == 2
    assert used[0] == secret + bytes(PAGE_SIZE - len(secret))
    table = struct.unpack("<" + "IBBxx" * 20, used[1][:160])
    assert set(table[::3]) <= set(queue.data_grefs)
    assert table[1::3] + table[2::3] == (0,) * 20 + (7,) * 20
    assert used[1][160:] == bytes(PAGE_SIZE - 160)
    # Nor is there anything in the ring but requests.
    ring = bytes(backend.pages.memory)
    assert ring[64 + 3 * queue.layout.request.size :] == bytes(len(ring) - 64 - 3 * queue.layout.request.size)


def test_what_was_not_answered_is_asked_of_another_queue(loopback: Machine, ends: tuple[FrontQueue, Backend]) -> None:
    queue, backend = ends
    parts = [Part(WRITE, number, 1, memoryview(bytes([number]) * 512)) for number in range(5)]
    for part in parts:
        assert queue.submit(part)
    queue.push()
    idents = backend.idents()
    backend.answer((idents[2], WRITE, 0))
    assert queue.complete() == [(parts[2], BlkifRsp.OKAY)]
    left = queue.take_back()
    assert left == [*parts[:2], *parts[3:]]
    with Loopback(loopback.directory, FRONT) as front, Loopback(loopback.directory, BACK) as back:
        other = FrontQueue(front, BACK, queue.layout)
        again = Backend(back, other)
        for part in left:
            assert other.submit(part)
        other.push()
        assert len(again.idents()) == 4
        assert bytes(again.data.memory[:512]) == bytes(512)
        assert bytes(again.data.memory[PAGE_SIZE : PAGE_SIZE + 512]) == b"\1" * 512
        again.close()
        other.close()
