"""A backend's queue in a thread, and a frontend that can put anything into its ring.

Whoever leaves a rig has checked that the backend has given everything back.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pvdrivers.abi.blkif import Blkif, BlkifOp
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.back.backqueue import BackQueue
from pvdrivers.block.disks.base import Disk
from pvdrivers.conformance.block.messages import Answer, Segments, direct, table
from pvdrivers.errors import MachineError
from pvdrivers.ring import Front
from pvdrivers.transport.loopback import Loopback, Machine
from pvdrivers.transport.loopback.hypervisor import InUse

BACK, FRONT, STRANGER = 0, 5, 6
NOTHING = InUse(0, 0, 0)
#: Seconds without an answer after which a request counts as unanswered.
STUCK = 600.0

#: The ways in which a backend gets at pages, and who does the work: one test body runs all.
WAYS: dict[str, dict[str, Any]] = {
    "copy": {"persistent": False, "grants": "copy", "compiled": False},
    "map": {"persistent": False, "grants": "map", "compiled": False},
    "persistent": {"persistent": True, "compiled": False},
    "compiled": {"persistent": True},
    "compiled copy": {"persistent": False, "grants": "copy"},
    "compiled map": {"persistent": False, "grants": "map"},
}


class Rig:
    """A frontend's side: its ring, and pages of data."""

    def __init__(self, machine: Machine, layout: Blkif, order: int, pages: int) -> None:
        self.machine = machine
        self.layout = layout
        self.front = Loopback(machine.directory, FRONT)
        self.back = Loopback(machine.directory, BACK)
        self.pages = self.front.grant(BACK, 1 << order)
        self.data = self.front.grant(BACK, pages)
        self.channel = self.front.alloc_unbound(BACK)
        self.ring = Front(self.pages.memory, layout.ring)
        self.queue: BackQueue
        self.thread: threading.Thread

    def start(self, disk: Disk, **options: Any) -> None:  # noqa: ANN401 - those of `BackQueue`
        ring = self.back.map(FRONT, self.pages.grefs)
        channel = self.back.bind_interdomain(FRONT, self.channel.port)
        self.queue = BackQueue(self.back, FRONT, ring, channel, self.layout, disk, **options)
        self.thread = threading.Thread(target=self.queue.run, daemon=True)
        self.thread.start()

    def gref(self, page: int) -> int:
        return self.data.grefs[page]

    def page(self, number: int, content: bytes | None = None) -> bytes:
        place = slice(number * PAGE_SIZE, (number + 1) * PAGE_SIZE)
        if content is not None:
            self.data.memory[place] = content.ljust(PAGE_SIZE, b"\0")
        return bytes(self.data.memory[place])

    def segments(self, *pages: int) -> list[tuple[int, int, int]]:
        """Whole pages."""
        return [(self.gref(page), 0, 7) for page in pages]

    def table(self, page: int, segments: Segments) -> None:
        """Write an indirect request's segments into a page."""
        self.page(page, table(segments))

    def put(self, *messages: bytes) -> None:
        self.ring.put(b"".join(messages))
        if self.ring.push():
            self.channel.notify()

    def take(self, number: int) -> list[Answer]:
        """Wait for answers, in whatever order they come."""
        answers: list[Answer] = []
        while len(answers) < number:
            fields = self.layout.response.struct.iter_unpack(self.ring.take())
            answers += [Answer(*each) for each in fields]
            if len(answers) < number and not self.ring.final_check():
                assert self.channel.wait(STUCK), f"{number - len(answers)} of {number} requests are not answered"
                self.channel.unmask()
        assert len(answers) == number, answers
        return answers

    def ask(self, *messages: bytes) -> list[Answer]:
        """Put requests, and give their answers by id."""
        self.put(*messages)
        return sorted(self.take(len(messages)))

    def read(self, sector: int, pages: Sequence[int]) -> Answer:
        (answer,) = self.ask(direct(self.layout, BlkifOp.READ, 77, sector, self.segments(*pages)))
        return answer

    def ended(self) -> str:
        """Wait for the backend to end by itself; say why it did."""
        self.thread.join(STUCK)
        assert not self.thread.is_alive()
        return str(self.queue.error)

    def leave(self) -> None:
        if hasattr(self, "thread"):
            self.queue.stop()
            self.thread.join(STUCK)
            assert not self.thread.is_alive(), "the queue does not end"
        left = self.machine.hypervisor.in_use(BACK)
        self.ring.release()
        for transport in (self.front, self.back):
            with suppress(MachineError):
                transport.close()
        assert left == NOTHING, left


@contextmanager
def rig(machine: Machine, layout: Blkif, *, order: int = 0, pages: int = 300) -> Iterator[Rig]:
    made = Rig(machine, layout, order, pages)
    try:
        yield made
    finally:
        made.leave()


def sectors(*values: int) -> bytes:
    """Sectors, each of one value."""
    return b"".join(bytes([value]) * 512 for value in values)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
