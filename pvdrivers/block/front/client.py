"""Reads and writes of any size on a disk that a backend serves: for threads, and for asyncio.

A call becomes requests that fit, on all queues; a thread takes the answers. When the backend is gone, `suspend` keeps
what it has not answered, and `resume` asks it of its successor.
"""

import os
import select
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple

from pvdrivers.abi.blkif import SECTOR_SIZE, BlkifOp, BlkifRsp
from pvdrivers.block.errors import RequestFailed, Unsupported
from pvdrivers.block.front.frontqueue import FrontQueue, Part
from pvdrivers.closing import Closing
from pvdrivers.errors import DriverError, MachineError

if TYPE_CHECKING:
    # In Python's own library from 3.12 on.
    from typing_extensions import Buffer


class Geometry(NamedTuple):
    """What a backend says of its disk, checked."""

    #: Of 512 bytes.
    sectors: int
    #: Bytes, 512 or 4096, that all is aligned to.
    sector_size: int = SECTOR_SIZE
    readonly: bool = False
    flush: bool = True
    discard: bool = False
    secure: bool = False
    #: Whether it can be flushed by an empty barrier, where it has no flush.
    barrier: bool = False


class _Call:
    # Done when all its parts are.

    def __init__(self, parts: int) -> None:
        self.future: Future[None] = Future()
        # What is on its way cannot be taken back.
        self.future.set_running_or_notify_cancel()
        self.left = parts
        self.failed: DriverError | None = None

    def done(self, error: DriverError | None) -> None:
        self.left -= 1
        self.failed = self.failed or error
        if not self.left:
            if self.failed:
                self.future.set_exception(self.failed)
            else:
                self.future.set_result(None)


class Client(Closing):
    """A disk. Offsets and lengths are in bytes, and multiples of the disk's sector size.

    :param queues: at least one; they belong to the client from now on
    """

    def __init__(self, queues: Sequence[FrontQueue], geometry: Geometry) -> None:
        self.geometry = geometry
        self._lock = threading.Lock()
        self._queues = list(queues)
        self._backlog: deque[Part] = deque()
        self._turn = 0
        self._closed = False
        #: Why nothing can be asked any more.
        self.error: DriverError | None = None
        self._gone: MachineError | None = None
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._attend, name="block client", daemon=True)
        self._thread.start()

    # What is asked for.

    def read(self, offset: int, length: int) -> bytes:
        """Read.

        :raises RequestFailed: the backend says so
        :raises PeerError: it broke the protocol
        :raises ValueError: that is not within the disk, or not aligned
        """
        data = bytearray(length)
        self.start(BlkifOp.READ, offset, length, data).result()
        return bytes(data)

    def write(self, offset: int, data: "Buffer") -> None:
        """Write; durable after a `flush` that follows. Raises as `read`."""
        view = memoryview(data).cast("B")
        self.start(BlkifOp.WRITE, offset, len(view), view).result()

    def flush(self) -> None:
        """Make all writes durable that have returned by now. Raises as `read`.

        :raises Unsupported: the backend cannot
        """
        self.start(BlkifOp.FLUSH_DISKCACHE).result()

    def discard(self, offset: int, length: int, *, secure: bool = False) -> None:
        """Forget what is there. Raises as `flush`."""
        self.start(BlkifOp.DISCARD, offset, length, secure=secure).result()

    def start(
        self, operation: BlkifOp, offset: int = 0, length: int = 0, data: "Buffer" = b"", *, secure: bool = False
    ) -> Future[None]:
        """Begin any of these.

        :param data: to be written, or where to read to; neither to be touched before it is done
        """
        self._check(operation, offset, length)
        if operation == BlkifOp.FLUSH_DISKCACHE and not self.geometry.flush:
            operation = BlkifOp.WRITE_BARRIER
        view = memoryview(data).cast("B")
        sector, sectors = offset // SECTOR_SIZE, length // SECTOR_SIZE
        with self._lock:
            if self.error:
                raise self.error
            step = sectors
            if view and self._queues:
                step = min(queue.max_sectors for queue in self._queues)
            # A sector of the disk is never divided.
            step = max(step - step % (self.geometry.sector_size // SECTOR_SIZE), 1)
            places = range(0, sectors, step) if view else range(1)
            call = _Call(len(places))
            for at in places:
                some = min(step, sectors - at) if view else sectors
                piece = view[at * SECTOR_SIZE : (at + some) * SECTOR_SIZE]
                self._backlog.append(Part(operation, sector + at, some, piece, secure, call))
            self._submit()
        return call.future

    def _check(self, operation: BlkifOp, offset: int, length: int) -> None:
        geometry = self.geometry
        if operation == BlkifOp.FLUSH_DISKCACHE:
            if not (geometry.flush or geometry.barrier):
                raise Unsupported("the backend has no flush")
            return
        if length <= 0 or (offset | length) % geometry.sector_size:
            raise ValueError(f"{length} bytes at {offset}, and the disk's sectors are of {geometry.sector_size}")
        if offset < 0 or offset + length > geometry.sectors * SECTOR_SIZE:
            raise ValueError(f"{length} bytes at {offset}, and the disk has {geometry.sectors * SECTOR_SIZE}")
        if operation == BlkifOp.DISCARD and not geometry.discard:
            raise Unsupported("the backend has no discard")
        if operation != BlkifOp.READ and geometry.readonly:
            raise RequestFailed("the disk is read-only")

    # What becomes of it.

    def _submit(self) -> None:
        # With the lock held. Queues take turns; when none has room, the rest waits for answers.
        if not self._queues:
            return
        full = 0
        used = set()
        while self._backlog and full < len(self._queues):
            self._turn = (self._turn + 1) % len(self._queues)
            if self._queues[self._turn].submit(self._backlog[0]):
                self._backlog.popleft()
                used.add(self._turn)
                full = 0
            else:
                full += 1
        for each in used:
            self._queues[each].push()

    def _attend(self) -> None:
        while True:
            with self._lock:
                if self._closed:
                    return
                queues = list(self._queues) if not self.error else []
            poll = select.poll()
            poll.register(self._wake, select.POLLIN)
            for queue in queues:
                poll.register(queue.channel.fileno(), select.POLLIN)
            ready = {fd for fd, _ in poll.poll()}
            if self._wake in ready:
                os.eventfd_read(self._wake)
            with self._lock:
                done = self._answers(ready)
            for part, status in done:
                _finish(part, status)
            with self._lock:
                for why in (*(queue.error for queue in self._queues), self._gone):
                    if why and not self.error:
                        self._fail(why)

    def _answers(self, ready: set[int]) -> list[tuple[Part, BlkifRsp]]:
        done: list[tuple[Part, BlkifRsp]] = []
        try:
            for queue in self._queues:
                if queue.channel.fileno() not in ready or not self._told(queue):
                    continue
                done += queue.complete()
                while queue.more():
                    done += queue.complete()
                queue.channel.unmask()
            if not self._gone and not any(queue.error for queue in self._queues):
                self._submit()
        except OSError as error:
            self._fail(MachineError(f"event channels: {error.strerror or error}"))
        return done

    def _told(self, queue: FrontQueue) -> bool:
        # What was answered before the transport went is answered.
        try:
            return queue.channel.take()
        except MachineError as error:
            self._gone = error
            return True

    def _fail(self, error: DriverError) -> None:
        self.error = error
        self._collect()
        while self._backlog:
            call = self._backlog.popleft().owner
            assert isinstance(call, _Call)  # noqa: S101 - only `start` puts them there
            call.done(error)

    def _collect(self) -> None:
        taken = [part for queue in self._queues for part in queue.take_back()]
        self._backlog.extendleft(reversed(taken))

    # When a backend goes and another comes.

    def suspend(self, gone: DriverError | None = None) -> None:
        """Let all queues go, and keep what was not answered; whoever asks meanwhile waits.

        :param gone: why no other is to come for now: all fails then, what is asked meanwhile as well
        """
        with self._lock:
            self._collect()
            queues, self._queues = self._queues, []
            self.error = self._gone = None
            if gone:
                self._fail(gone)
            os.eventfd_write(self._wake, 1)
            for queue in queues:
                queue.close()

    def resume(self, queues: Sequence[FrontQueue], geometry: Geometry | None = None) -> None:
        """Ask again what was not answered, and go on, with what the new backend says of its disk."""
        with self._lock:
            self.error = self._gone = None
            self.geometry = geometry or self.geometry
            self._queues = list(queues)
            longest = min((queue.max_sectors for queue in queues), default=0)
            self._backlog = deque(piece for part in self._backlog for piece in _divided(part, longest))
            self._submit()
            os.eventfd_write(self._wake, 1)

    def fail(self, error: DriverError) -> None:
        """Let all fail that is asked and was not answered."""
        with self._lock:
            self._fail(error)

    def close(self) -> None:
        """Let queues and all else go; what was not answered fails."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._fail(MachineError("the client was closed"))
            os.eventfd_write(self._wake, 1)
        self._thread.join()
        for queue in self._queues:
            queue.close()
        self._queues = []
        os.close(self._wake)


def _divided(part: Part, longest: int) -> list[Part]:
    # The successor may take shorter requests; pages hold whole sectors of every disk, so any multiple will do.
    if not part.data or part.sectors <= longest:
        return [part]
    pieces = []
    for at in range(0, part.sectors, longest):
        some = min(longest, part.sectors - at)
        data = part.data[at * SECTOR_SIZE : (at + some) * SECTOR_SIZE]
        pieces.append(Part(part.operation, part.sector + at, some, data, owner=part.owner))
    assert isinstance(part.owner, _Call)  # noqa: S101 - only `start` puts them there
    part.owner.left += len(pieces) - 1
    return pieces


def _finish(part: Part, status: BlkifRsp) -> None:
    call = part.owner
    assert isinstance(call, _Call)  # noqa: S101 - only `start` puts them there
    if status == BlkifRsp.OKAY:
        call.done(None)
    elif status == BlkifRsp.EOPNOTSUPP:
        call.done(Unsupported(f"the backend does not do {part.operation.name}"))
    else:
        call.done(RequestFailed(f"the backend could not do {part.operation.name}"))


async def _done(future: Future[None]) -> None:
    import asyncio  # noqa: PLC0415 - who comes here has it; the others start without, and a fifth sooner

    await asyncio.wrap_future(future)


class AsyncClient:
    """The same for asyncio; several calls at once are under way at once."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, offset: int, length: int) -> bytes:
        """See `Client.read`."""
        data = bytearray(length)
        await _done(self._client.start(BlkifOp.READ, offset, length, data))
        return bytes(data)

    async def write(self, offset: int, data: "Buffer") -> None:
        """See `Client.write`."""
        view = memoryview(data).cast("B")
        await _done(self._client.start(BlkifOp.WRITE, offset, len(view), view))

    async def flush(self) -> None:
        """See `Client.flush`."""
        await _done(self._client.start(BlkifOp.FLUSH_DISKCACHE))

    async def discard(self, offset: int, length: int, *, secure: bool = False) -> None:
        """See `Client.discard`."""
        await _done(self._client.start(BlkifOp.DISCARD, offset, length, secure=secure))
