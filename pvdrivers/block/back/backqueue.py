"""One queue of a backend: takes requests from a ring until it is stopped, and answers each of them.

Law: nothing that a frontend writes ends this loop but a ring whose indices are impossible, and that ends this queue
alone. What was mapped for a request is unmapped before it is answered.

A request's way: `kept` or `transient` does plain reads and writes; all others are parsed (`request`), get their pages
(`pages`) and are executed (`execute`), here or by a thread, and answered as they are done.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from typing import Literal

from pvdrivers.abi.blkif import Blkif, BlkifOp, BlkifRsp
from pvdrivers.block.back.pages import PERSISTENT_MAX, Copied, Mapped, Pages, Pending, Persistent
from pvdrivers.block.back.plain.kept import KeptCore
from pvdrivers.block.back.plain.transient import TransientCore
from pvdrivers.block.back.stats import Stats
from pvdrivers.block.disks.base import Disk, Kind
from pvdrivers.block.errors import BadRequest
from pvdrivers.block.execute import at_once, execute, limits_of
from pvdrivers.block.request import parse, respond
from pvdrivers.errors import MachineError
from pvdrivers.ring import Back, LoggedBack
from pvdrivers.ring.indices import Indices
from pvdrivers.ring.owned import own
from pvdrivers.ring.queue import ThreadedQueue
from pvdrivers.ring.waiting import Waiting
from pvdrivers.transport.base import Channel, Mapping, Transport

#: Requests that are taken at once: few enough that the frontend has answers to look at while the next are done; more
#: where each call into the transport should serve many.
_BATCH, _BATCH_MANY = 8, 32


class BackQueue(ThreadedQueue):
    """A queue. Its ``ring`` and ``channel`` belong to it from now on.

    :param ring: the frontend's ring pages, mapped
    :param disk: which stays the caller's
    :param persistent: whether both sides said so: pages are mapped once, and kept
    :param max_indirect: segments of an indirect request that were offered; 0 for no such requests
    :param grants: how pages that are not persistent are had
    :param compiled: False for the reference alone
    :param persistent_max: pages that are kept
    :param log: where what is under way is kept for a successor (`ring.LoggedBack`)
    :param resume: go on where the log's last owner was
    :raises BadRing: its indices are impossible; ring and channel are still the caller's
    """

    def __init__(
        self,
        transport: Transport,
        domid: int,
        ring: Mapping,
        channel: Channel,
        layout: Blkif,
        disk: Disk,
        *,
        persistent: bool = True,
        max_indirect: int = 256,
        grants: Literal["copy", "map"] = "copy",
        compiled: bool = True,
        persistent_max: int = PERSISTENT_MAX,
        log: memoryview | None = None,
        resume: bool = False,
    ) -> None:
        self._ring = LoggedBack(ring.memory, layout.ring, log, resume) if log else Back(ring.memory, layout.ring)
        self._layout, self._disk = layout, disk
        self._max_indirect = max_indirect
        self._stats = Stats()
        waiting = Waiting((self._ring, channel), counts=self._stats, owes=resume)
        wake = waiting.fileno()
        self._core: KeptCore | TransientCore | None = None
        self._pages: Pages
        access = None if persistent else (Copied if grants == "copy" else Mapped)(transport, domid, self._stats)
        kept: KeptCore | None = None
        if compiled and disk.medium.kind != Kind.NONE:
            if access:
                self._core = TransientCore(layout, disk, max_indirect, wake, access, self._ring.size)
            else:
                self._core = kept = KeptCore(layout, disk, max_indirect, wake, persistent_max)
        self._pages = access or Persistent(transport, domid, self._stats, kept, persistent_max)
        self._batch = _BATCH if self._core and persistent else _BATCH_MANY
        self._threads: list[threading.Thread] = []
        self._todo: SimpleQueue[Pending | None] = SimpleQueue()
        self._done: deque[Pending] = deque()
        self._pending = 0
        # Taken, and not begun or done yet: the disk may keep this thread.
        self._at_hand = 0
        owned = ExitStack()
        if self._core:
            own(owned, self._core, "close")
        for one, way in ((channel, "close"), (ring, "unmap"), (self._pages, "close"), (self._ring, "release")):
            own(owned, one, way)
        super().__init__(waiting, owned)
        #: The request that was refused last.
        self.refused: BadRequest | None = None

    @property
    def stats(self) -> Stats:
        """What has been done until now."""
        if not self._core:
            return self._stats + Stats()
        core = self._core
        return self._stats + Stats(
            requests=core.reads + core.writes,
            reads=core.reads,
            writes=core.writes,
            sectors_read=core.sectors_read,
            sectors_written=core.sectors_written,
            errors=core.errors,
            syscalls=core.syscalls,
        )

    @property
    def indices(self) -> Indices | None:
        """Where the ring's ends are, for who looks on from another thread; None once the queue has ended."""
        try:
            return Indices(*self._ring.indices())
        except ValueError:
            return None

    @property
    def slots(self) -> int:
        """Of its ring."""
        return self._ring.size

    @property
    def busy(self) -> int:
        """Requests that were taken and not answered."""
        return self._busy() + self._at_hand

    def stop(self, *, drain: bool = True) -> None:
        """Let `run` come to its end; does not wait for it. What is under way is finished and answered.

        :param drain: and so is what lies in the ring already
        """
        self._waiting.stop(drain=drain)

    def close(self) -> None:
        """Give everything back, ring and channel too; for a queue that has never run, or no longer does."""
        if self._waiting.fileno() < 0:
            return
        with suppress(MachineError):
            self._await_all()
        if self._core:
            self._core.end()
        for _ in self._threads:
            self._todo.put(None)
        for thread in self._threads:
            thread.join()
        super().close()

    def _busy(self) -> int:
        return self._pending + (self._core.pending if self._core else 0)

    def _turn(self) -> bool:
        # Take some, answer some; tell whether there was anything.
        messages = self._waiting.take(self._batch)
        answers = b""
        if messages:
            self._at_hand = len(messages) // self._layout.request.size
            if self._core:
                answers, messages = self._core.serve(messages, self._disk.sectors)
                self._waiting.send(answers)
                if self._core.pending:
                    self._lend(self._core.work)
            if messages:
                self._begin(messages)
            self._at_hand = 0
        done = self._finished()
        self._waiting.send(done)
        return bool(messages or answers or done)

    # What is not plain.

    def _begin(self, messages: bytes) -> None:
        size = self._layout.request.size
        jobs: list[Pending] = []
        for at in range(0, len(messages), size):
            limits = limits_of(self._disk, self._max_indirect)
            try:
                request = parse(messages[at : at + size], self._layout, limits, self._pages.fetch)
            except BadRequest as error:
                self.refused = error
                self._stats.requests += 1
                self._stats.errors += 1
                self._waiting.send(respond(self._layout, error.ident, error.operation, error.refusal.status))
                continue
            jobs.append(Pending(request))
            if request.operation == BlkifOp.WRITE_BARRIER:
                # All that came before is done before, and what comes after waits for it.
                self._start(jobs[:-1])
                self._waiting.send(self._await_all())
                self._start(jobs[-1:])
                self._waiting.send(self._await_all())
                jobs = []
        self._start(jobs)

    def _start(self, jobs: Sequence[Pending]) -> None:
        self._pages.begin(jobs)
        self._pending += len(jobs)
        for job in jobs:
            if job.status == BlkifRsp.OKAY and at_once(self._disk, job.request, job.buffers):
                self._done.append(job)
            elif self._disk.parallel and job.status == BlkifRsp.OKAY:
                self._lend(self._toil)
                self._todo.put(job)
            else:
                self._perform(job)

    def _perform(self, job: Pending) -> None:
        if job.status == BlkifRsp.OKAY:
            job.status = execute(self._disk, job.request, job.buffers)
        self._done.append(job)

    def _toil(self) -> None:
        while job := self._todo.get():
            self._perform(job)
            self._waiting.wake()

    def _lend(self, work: Callable[[], None]) -> None:
        # Threads, once they are needed.
        if any(thread.name == work.__name__ for thread in self._threads):
            return
        for _ in range(self._disk.parallel):
            thread = threading.Thread(target=work, name=work.__name__, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _finished(self) -> bytes:
        answers = self._core.collect() if self._core else b""
        if not self._done:
            return answers
        jobs = [self._done.popleft() for _ in range(len(self._done))]
        self._pages.end(jobs)
        self._pending -= len(jobs)
        for job in jobs:
            self._count(job)
        return answers + b"".join(
            respond(self._layout, job.request.ident, job.request.operation, job.status) for job in jobs
        )

    def _count(self, job: Pending) -> None:
        stats, request = self._stats, job.request
        stats.requests += 1
        stats.errors += job.status != BlkifRsp.OKAY
        stats.syscalls += self._disk.parallel > 0
        match request.operation:
            case BlkifOp.READ:
                stats.reads += 1
                stats.sectors_read += request.sectors if job.status == BlkifRsp.OKAY else 0
            case BlkifOp.DISCARD:
                stats.discards += 1
            case operation:
                stats.writes += request.sectors > 0
                stats.flushes += operation != BlkifOp.WRITE
                stats.sectors_written += request.sectors if job.status == BlkifRsp.OKAY else 0

    def _await_all(self) -> bytes:
        answers = self._finished()
        while self._busy():
            self._waiting.hear(None)
            answers += self._finished()
        return answers
