"""A load on a disk, as fio makes it, and what it measures; the requests themselves are made by `load`.

Data stay where the backend puts them, in the frontend's pages: a guest's blkfront hands those on as well.
"""

import itertools
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pvdrivers.abi.blkif import SECTOR_SIZE, BlkifOp
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.back.stats import Stats
from pvdrivers.block.front.client import Geometry
from pvdrivers.block.front.frontqueue import FrontQueue, Part
from pvdrivers.block.load.makers import Load
from pvdrivers.errors import DriverError, MachineError
from pvdrivers.latencies import shares, within
from pvdrivers.ring.look import Patience

#: What can be asked for: which operation, and whether anywhere.
OPERATIONS = {
    "randread": (BlkifOp.READ, True),
    "randwrite": (BlkifOp.WRITE, True),
    "read": (BlkifOp.READ, False),
    "write": (BlkifOp.WRITE, False),
}
#: Seconds without an answer after which the backend counts as gone.
_GONE = 30.0
#: Between looks whether it has parted.
_LOOK = 0.5


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured."""

    operations: int
    #: Of which long operations are made, and so as many as the backend saw.
    requests: int
    #: Operations with a request that failed.
    errors: int
    seconds: float
    bs: int
    #: How often, by nanoseconds: at least from, less than to.
    latencies: dict[tuple[int, int], int]
    #: In nanoseconds.
    longest: int
    notifications: int
    syscalls: int

    @property
    def iops(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds

    def latency(self, share: float) -> float:
        """Give the microseconds within which a share of all operations was done, 1.6 % off at most."""
        return within(self.latencies, self.longest, share)

    def document(self, backend: Stats | None = None) -> dict[str, Any]:
        """Give what ``xentool block bench --json`` prints.

        :param backend: what the backend counted meanwhile, to be added to this end's notifications and system calls
        """
        notifications = self.notifications + (backend.notifications_sent if backend else 0)
        syscalls = self.syscalls + (backend.syscalls if backend else 0)
        requests = max(self.requests, 1)
        return {
            "iops": round(self.iops),
            "mbps": round(self.iops * self.bs / 1e6, 1),
            "latency_us": shares(self.latencies, self.longest),
            "latency_max_us": round(self.longest / 1000, 1),
            "notifications_per_request": round(notifications / requests, 4),
            "syscalls_per_request": round(syscalls / requests, 4),
            "operations": self.operations,
            "requests": self.requests,
            "errors": self.errors,
            "seconds": round(self.seconds, 3),
        }


class Owner:
    """Whose the queues are."""

    #: Why no answer will come any more.
    parted: DriverError | None = None


def data_pages(bs: int, depth: int, max_indirect: int) -> int:
    """Tell how many pages a queue needs for this (`FrontQueue`)."""
    pages = -(-bs // PAGE_SIZE)
    return depth * (pages + (-(-pages // max_indirect) if max_indirect > 11 else 0)) + 1


def run(
    queues: Sequence[FrontQueue],
    geometry: Geometry,
    owner: Owner | None = None,
    *,
    op: str,
    bs: int,
    depth: int,
    seconds: float,
) -> Result:
    """Put a load on queues, each with its own thread and ``depth``.

    :param owner: of the queues
    :param op: one of `OPERATIONS`
    :param bs: bytes of an operation; whole sectors, and no more than the disk has
    :raises DriverError: the backend broke the protocol, or answers no more
    :raises ValueError: such operations cannot be
    """
    if bs <= 0 or bs % geometry.sector_size:
        raise ValueError(
            f"operations of {bs} bytes: they are of whole sectors, and this disk's have {geometry.sector_size}"
        )
    if bs > geometry.sectors * SECTOR_SIZE:
        raise ValueError(f"operations of {bs} bytes, on a disk of {geometry.sectors * SECTOR_SIZE}")
    if depth <= 0:
        raise ValueError(f"a depth of {depth}")
    if OPERATIONS[op][0] == BlkifOp.WRITE and geometry.readonly:
        raise ValueError("the disk is read-only")
    owner = owner or Owner()
    runs = [_Run(queue, _load(queue, geometry, op, bs, depth, number), owner) for number, queue in enumerate(queues, 1)]
    began = time.perf_counter()
    with ThreadPoolExecutor(len(runs)) as threads:
        # Whatever ends one of them is raised here.
        list(threads.map(lambda each: each.drive(began + seconds), runs))
    taken = time.perf_counter() - began
    latencies: Counter[tuple[int, int]] = Counter()
    for run in runs:
        latencies.update({(begin, end): number for begin, end, number in run.load.latencies()})
    return Result(
        sum(run.load.done for run in runs),
        sum(run.load.requests for run in runs),
        sum(run.load.errors for run in runs),
        taken,
        bs,
        dict(latencies),
        max(run.load.longest for run in runs),
        sum(run.notifications for run in runs),
        sum(run.syscalls for run in runs),
    )


def _load(queue: FrontQueue, geometry: Geometry, op: str, bs: int, depth: int, seed: int) -> Load:
    operation, random = OPERATIONS[op]
    layout = queue.layout
    sectors = bs // SECTOR_SIZE
    step = queue.max_sectors
    parts = [(at, min(step, sectors - at)) for at in range(0, sectors, step)]
    if queue.ring.size < len(parts):
        raise ValueError(f"operations of {bs} bytes need {len(parts)} requests, and the ring has {queue.ring.size}")
    messages = []
    idents = itertools.count()
    free = iter(range(len(queue.data_grefs)))
    for _ in range(depth):
        for at, some in parts:
            part = Part(operation, at, some, memoryview(bytes(some * SECTOR_SIZE)))
            pages = list(itertools.islice(free, queue.pages_of(part)))
            if len(pages) < queue.pages_of(part):
                raise ValueError(f"{depth} operations of {bs} bytes need more than {len(queue.data_grefs)} pages")
            messages.append(queue.message(next(idents), part, pages))
    # In an indirect request, id and sector are where they are in any other.
    asked, answered = layout.request.offsets, layout.response.offsets
    return Load(
        b"".join(messages),
        layout.request.size,
        len(parts),
        (asked["id"], asked["sector_number"], answered["id"], answered["operation"], answered["status"]),
        layout.response.size,
        operation,
        geometry.sectors // sectors,
        sectors,
        random,
        seed * 0x9E3779B97F4A7C15 & (1 << 64) - 1,
    )


class _Run:
    """One queue's thread."""

    def __init__(self, queue: FrontQueue, load: Load, owner: Owner) -> None:
        self.queue = queue
        self.load = load
        self._owner = owner
        self.notifications = self.syscalls = 0

    def drive(self, until: float) -> None:
        """Ask and take answers until a time, then for what is left.

        :raises DriverError: the backend broke the protocol, or answers no more
        """
        try:
            self._drive(until)
        except OSError as error:
            raise MachineError(f"event channel: {error.strerror or error}") from error

    def _drive(self, until: float) -> None:
        ring, load = self.queue.ring, self.load
        patience = Patience()
        while True:
            if self._owner.parted:
                raise self._owner.parted
            # Something is asked at least: of nothing there are no figures, and others may have had the processor.
            over = bool(load.done or load.pending) and time.perf_counter() >= until
            if not over and (messages := load.ask(ring.room)):
                ring.put(messages)
                if ring.push():
                    self.queue.channel.notify()
                    self.notifications += 1
                    self.syscalls += 1
            if responses := ring.take():
                load.answered(responses)
            elif over and not load.pending:
                return
            elif not patience.look(ring) and not ring.final_check(load.waiting // 2):
                # Half of the answers are worth being woken for; the rest come while those are looked at.
                self._wait()
                self.queue.channel.unmask()
                self.syscalls += 3

    def _wait(self) -> None:
        deadline = time.monotonic() + _GONE
        while not self.queue.channel.wait(_LOOK):
            if self._owner.parted:
                raise self._owner.parted
            if time.monotonic() > deadline:
                raise MachineError(f"no answer for {_GONE:.0f} s")
