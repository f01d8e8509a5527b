"""A backend's rings as others see them who look on: what waits, what is under way, what was answered."""

import threading
from collections.abc import Sequence
from pathlib import Path

from pvdrivers.abi.blkif import BlkifOp
from pvdrivers.block.back.backend import Backend
from pvdrivers.block.disks.base import Medium
from pvdrivers.block.disks.memory import Memory
from pvdrivers.block.front import frontend
from tests.pvdrivers.block.pair import bench
from tests.pvdrivers.bus.joined import until


class Held(Memory):
    """Its writes come back when they may."""

    def __init__(self) -> None:
        super().__init__(1 << 20)
        # So that it is asked by threads, and not written to by compiled code.
        self.parallel, self.medium = 2, Medium()
        self.may, self.asked = threading.Event(), threading.Semaphore(0)

    def write(self, sector: int, buffers: Sequence[memoryview]) -> None:
        self.asked.release()
        assert self.may.wait(600)
        super().write(sector, buffers)


def test_what_is_under_way_and_what_was_answered(tmp_path: Path) -> None:
    disk = Held()
    with (
        bench(tmp_path) as pair,
        pair.backend(lambda: disk) as end,
        pair.disk(frontend.Options(max_queues=1)) as client,
    ):
        device = end.device
        assert isinstance(device, Backend)
        (queue,) = device.running
        writes = [client.start(BlkifOp.WRITE, 4096 * at, 4096, bytes(4096)) for at in range(2)]
        for _ in writes:
            assert disk.asked.acquire(timeout=600)
        seen = queue.indices
        assert seen is not None
        assert (seen.req_prod, seen.req_cons, seen.rsp_prod) == (2, 2, 0)
        assert (seen.waiting, seen.under_way, queue.stats.requests) == (0, 2, 0)
        disk.may.set()
        for write in writes:
            write.result()
        seen = queue.indices
        assert seen is not None
        assert (seen.rsp_prod, seen.under_way, queue.stats.requests) == (2, 0, 2)
        # Once it sleeps.
        until(lambda: (now := queue.indices) is not None and now.asked)
        assert 0 < queue.stats.grant_maps - queue.stats.grant_unmaps <= queue.slots
    assert queue.indices is None
    assert device.running == []
