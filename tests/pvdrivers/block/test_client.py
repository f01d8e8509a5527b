"""The client library against our own backend: sizes, threads, asyncio, and a backend that goes and comes again."""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from pvdrivers.abi.blkif import X86_32, X86_64, BlkifOp
from pvdrivers.block.back.backqueue import BackQueue
from pvdrivers.block.disks import Disk, open_disk
from pvdrivers.block.errors import BadResponse, RequestFailed, Unsupported
from pvdrivers.block.front.client import AsyncClient, Client, Geometry
from pvdrivers.block.front.frontqueue import FrontQueue
from pvdrivers.block.load import bench
from pvdrivers.errors import MachineError
from pvdrivers.ring import Back
from pvdrivers.transport.loopback import Loopback, Machine
from pvdrivers.transport.loopback.hypervisor import InUse
from tests.pvdrivers.block.rig import BACK, FRONT

SIZE = 4 << 20
GEOMETRY = Geometry(SIZE // 512, discard=True)


class Pair:
    """Queues of both roles, that can be made anew."""

    def __init__(self, machine: Machine, stack: ExitStack) -> None:
        self.front = stack.enter_context(Loopback(machine.directory, FRONT))
        self.back = stack.enter_context(Loopback(machine.directory, BACK))
        self.running: list[tuple[BackQueue, threading.Thread]] = []

    def fronts(self, number: int = 1, **options: Any) -> list[FrontQueue]:  # noqa: ANN401 - those of `FrontQueue`
        return [FrontQueue(self.front, BACK, X86_64, **options) for _ in range(number)]

    def serve(self, queues: list[FrontQueue], disk: Disk) -> None:
        for queue in queues:
            ring = self.back.map(FRONT, queue.grefs)
            channel = self.back.bind_interdomain(FRONT, queue.port)
            backend = BackQueue(self.back, FRONT, ring, channel, queue.layout, disk, max_indirect=32)
            thread = threading.Thread(target=backend.run, daemon=True)
            thread.start()
            self.running.append((backend, thread))

    def stop(self) -> None:
        for backend, thread in self.running:
            backend.stop(drain=False)
            thread.join(600)
            assert not thread.is_alive()
        self.running.clear()


@pytest.fixture
def pair(loopback: Machine) -> Iterator[Pair]:
    with ExitStack() as stack:
        made = Pair(loopback, stack)
        yield made
        made.stop()
        assert loopback.hypervisor.in_use(BACK) == loopback.hypervisor.in_use(FRONT) == InUse(0, 0, 0)


@pytest.fixture
def disk() -> Disk:
    return open_disk(f"mem:{SIZE}")


Connected = Callable[..., Client]


@pytest.fixture
def connected(pair: Pair, disk: Disk) -> Iterator[Connected]:
    with ExitStack() as stack:

        def connect(number: int = 1, geometry: Geometry = GEOMETRY, **options: int) -> Client:
            queues = pair.fronts(number, **options)
            pair.serve(queues, disk)
            return stack.enter_context(Client(queues, geometry))

        yield connect


@pytest.mark.parametrize("options", [{}, {"max_indirect": 32}, {"order": 2, "data_pages": 20}])
def test_reads_and_writes_of_any_size(options: dict[str, int], connected: Connected) -> None:
    chance = random.Random(5)  # noqa: S311 - no secret
    client = connected(2, **options)
    model = bytearray(SIZE)
    for _ in range(60):
        offset = chance.randrange(SIZE // 512) * 512
        length = min(chance.choice([512, 4096, 45056, 45568, 1 << 20, 3 << 20]), SIZE - offset)
        if chance.random() < 0.5:
            data = chance.randbytes(length)
            client.write(offset, data)
            model[offset : offset + length] = data
        else:
            assert client.read(offset, length) == model[offset : offset + length]
    client.flush()
    client.discard(0, SIZE)
    assert client.read(0, SIZE) == bytes(SIZE)


def test_threads_at_once(connected: Connected) -> None:
    client = connected(3)

    def work(number: int) -> None:
        base = number * (SIZE // 8)
        for turn in range(40):
            data = bytes([number, turn]) * 4096
            client.write(base + turn * 8192, data)
            assert client.read(base + turn * 8192, 8192) == data
        client.flush()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def test_asyncio(connected: Connected) -> None:
    client = AsyncClient(connected(max_indirect=32))

    async def work() -> None:
        await asyncio.gather(*(client.write(at * 4096, bytes([at]) * 4096) for at in range(200)))
        await client.flush()
        await client.discard(0, 8192)
        found = await asyncio.gather(*(client.read(at * 4096, 4096) for at in range(200)))
        assert found == [bytes([at if at > 1 else 0]) * 4096 for at in range(200)]
        # Who does not want to wait any more leaves nothing broken behind.
        waiting = asyncio.ensure_future(client.read(0, SIZE))
        await asyncio.sleep(0)
        waiting.cancel()
        assert await client.read(4096 * 7, 512) == bytes([7]) * 512

    asyncio.run(work())


def test_what_cannot_be_is_not_asked(connected: Connected) -> None:
    client = connected(geometry=Geometry(SIZE // 512, 4096, flush=False))
    for offset, length in ((0, 512), (512, 4096), (0, 0), (-4096, 4096), (SIZE, 4096), (0, SIZE + 4096)):
        with pytest.raises(ValueError, match="bytes at"):
            client.read(offset, length)
    with pytest.raises(Unsupported, match="no flush"):
        client.flush()
    with pytest.raises(Unsupported, match="no discard"):
        client.discard(0, 4096)
    readonly = connected(geometry=Geometry(SIZE // 512, readonly=True))
    with pytest.raises(RequestFailed, match="read-only"):
        readonly.write(0, bytes(512))


def test_a_backend_that_has_barriers_alone_is_flushed_by_one(connected: Connected, disk: Disk) -> None:
    flushed: list[str] = []
    disk.flush = lambda: flushed.append("flush")  # type: ignore[method-assign] # this one disk's
    client = connected(geometry=Geometry(SIZE // 512, flush=False, barrier=True))
    asked: list[int] = []
    (queue,) = client._queues
    submit = queue.submit
    queue.submit = lambda part: asked.append(part.operation) or submit(part)  # type: ignore[func-returns-value,method-assign] # see above
    client.flush()
    assert asked == [BlkifOp.WRITE_BARRIER]
    assert flushed == ["flush"]


def test_what_a_backend_refuses_is_an_error(connected: Connected, disk: Disk) -> None:
    client = connected(geometry=Geometry(SIZE // 256, discard=True))
    with pytest.raises(RequestFailed, match="could not do READ"):
        client.read(SIZE - 512, 1 << 20)
    disk.discards = disk.flushes = False
    with pytest.raises(Unsupported, match="does not do FLUSH_DISKCACHE"):
        client.flush()
    with pytest.raises(Unsupported, match="does not do DISCARD"):
        client.discard(0, 512)
    assert client.read(0, 512) == bytes(512)


def test_a_backend_that_comes_again(pair: Pair, disk: Disk) -> None:
    queues = pair.fronts(2, max_indirect=32, data_pages=300)
    pair.serve(queues, disk)
    with Client(queues, GEOMETRY) as client:
        client.write(0, b"before" * 512)
        # It is gone; what is asked now, and what lies in its ring, waits for the next one.
        pair.stop()
        data = random.Random(1).randbytes(SIZE // 2)  # noqa: S311 - no secret
        waiting = [
            client.start(BlkifOp.WRITE, at, 1 << 17, memoryview(data)[at : at + (1 << 17)])
            for at in range(0, len(data), 1 << 17)
        ]
        time.sleep(0.05)
        assert not any(each.done() for each in waiting)
        client.suspend()
        waiting.append(client.start(BlkifOp.WRITE, SIZE - 512, 512, b"l" * 512))
        # Its successor takes no indirect requests, and has one queue.
        queues = pair.fronts()
        pair.serve(queues, disk)
        client.resume(queues)
        for each in waiting:
            each.result(600)
        assert client.read(0, len(data)) == data
        assert client.read(SIZE - 512, 512) == b"l" * 512


def test_where_no_other_backend_can_come_nobody_waits_for_one(pair: Pair, disk: Disk) -> None:
    queues = pair.fronts(2)
    pair.serve(queues, disk)
    with Client(queues, GEOMETRY) as client:
        pair.stop()
        under_way = client.start(BlkifOp.WRITE, 0, 512, bytes(512))
        client.suspend(MachineError("the machine is gone"))
        with pytest.raises(MachineError, match="is gone"):
            under_way.result(600)
        with pytest.raises(MachineError, match="is gone"):
            client.start(BlkifOp.WRITE, 0, 512, bytes(512))
        # But it may come later.
        queues = pair.fronts()
        pair.serve(queues, disk)
        client.resume(queues)
        client.write(0, b"late" * 128)


def test_a_backend_that_breaks_the_protocol(pair: Pair, disk: Disk) -> None:
    queues = pair.fronts(2)
    pages = [pair.back.map(FRONT, queue.grefs) for queue in queues]
    channels = [pair.back.bind_interdomain(FRONT, queue.port) for queue in queues]
    rings = [Back(each.memory, X86_64.ring) for each in pages]
    with Client(queues, GEOMETRY) as client:
        waiting = [client.start(BlkifOp.READ, 0, SIZE, bytearray(SIZE)) for _ in range(2)]
        for ring, channel in zip(rings, channels, strict=True):
            while not ring.take():
                pass
            ring.put(X86_64.response.struct.pack(31, BlkifOp.WRITE, 0))
            ring.push()
            channel.notify()
        for each in waiting:
            with pytest.raises(BadResponse, match="the backend answers operation 1 to request 31"):
                each.result(600)
        with pytest.raises(BadResponse):
            client.read(0, 512)
        # Once the owner has found another, the disk is there again.
        client.suspend()
        again = pair.fronts()
        pair.serve(again, disk)
        client.resume(again)
        assert client.read(0, 512) == bytes(512)
    for ring, page, channel in zip(rings, pages, channels, strict=True):
        ring.release()
        page.unmap()
        channel.close()


def test_closing_fails_what_is_under_way(pair: Pair) -> None:
    client = Client(pair.fronts(), GEOMETRY)
    waiting = client.start(BlkifOp.READ, 0, SIZE, bytearray(SIZE))
    client.close()
    with pytest.raises(MachineError, match="closed"):
        waiting.result(600)
    with pytest.raises(MachineError, match="closed"):
        client.read(0, 512)
    client.close()


@pytest.mark.parametrize("op", bench.OPERATIONS)
@pytest.mark.parametrize("bs", [512, 4096, 1 << 18])
def test_a_load(op: str, bs: int, pair: Pair, disk: Disk) -> None:
    pages = bench.data_pages(bs, 4, 32)
    queues = [FrontQueue(pair.front, BACK, X86_32, order=1, max_indirect=32, data_pages=pages) for _ in range(2)]
    pair.serve(queues, disk)
    for seconds in (0.1, 1, 10):
        result = bench.run(queues, GEOMETRY, op=op, bs=bs, depth=4, seconds=seconds)
        # More than were begun at once, however long that takes here.
        if result.operations >= 8:
            break
    pair.stop()
    document = result.document()
    parts = 2 if bs == 1 << 18 else 1
    assert result.requests == result.operations * parts
    assert result.operations >= 8
    assert result.errors == 0
    assert sum(result.latencies.values()) == result.operations
    assert 0 < document["latency_us"]["p50"] <= document["latency_us"]["p99"] <= document["latency_us"]["p999"]
    assert document["latency_us"]["p999"] <= document["latency_max_us"] == round(result.longest / 1000, 1) < 10e6
    assert all(begin < end <= begin * 65 / 64 + 1 for begin, end in result.latencies)
    last = max(result.latencies)
    assert last[0] <= result.longest < last[1]
    assert document["iops"] == round(result.operations / result.seconds)
    for queue in queues:
        queue.close()


@pytest.mark.parametrize(
    ("latencies", "longest", "expected"),
    [
        # All at the lower edge of a range, which is a power of two, say no more than they are.
        ({(1 << 24, 65 << 18): 1000}, (1 << 24) + 9, (16777.2, 16777.2, 16777.2)),
        # Spread over it, they are not all its edge.
        ({(1 << 24, 65 << 18): 1000}, (65 << 18) - 1, (16908.3, 17036.7, 17039.1)),
        ({(100, 101): 999, (1 << 24, 65 << 18): 1}, 16_900_000, (0.1, 0.1, 0.1)),
        ({(100, 101): 998, (1 << 24, 65 << 18): 2}, 16_900_000, (0.1, 0.1, 16900.0)),
        ({}, 0, (0, 0, 0)),
    ],
)
def test_quantiles(latencies: dict[tuple[int, int], int], longest: int, expected: tuple[float, float, float]) -> None:
    number = sum(latencies.values())
    result = bench.Result(number, number, 0, 1.0, 4096, latencies, longest, 0, 0)
    assert tuple(round(result.latency(share), 1) for share in (0.5, 0.99, 0.999)) == expected
    assert all(result.latency(share / 1000) <= longest / 1000 for share in range(1001))


def test_a_load_that_cannot_be(pair: Pair, disk: Disk) -> None:
    queues = pair.fronts(data_pages=8)
    pair.serve(queues, disk)
    for geometry, bs, depth, why in (
        (GEOMETRY, 0, 1, "operations of 0 bytes"),
        (GEOMETRY, 100, 1, "operations of 100 bytes"),
        (GEOMETRY, SIZE * 2, 1, f"operations of {SIZE * 2} bytes"),
        (GEOMETRY, 4096, 0, "a depth of 0"),
        (GEOMETRY, 4096, 9, "9 operations of 4096 bytes need more than 8 pages"),
        (GEOMETRY, 2 << 20, 1, "need 47 requests, and the ring has 32"),
        (GEOMETRY._replace(readonly=True), 4096, 1, "read-only"),
    ):
        with pytest.raises(ValueError, match=why):
            bench.run(queues, geometry, op="write", bs=bs, depth=depth, seconds=0.1)
    for queue in queues:
        queue.close()
