"""A frontend's pages, in three ways: copied, mapped for each request, or mapped once and kept (persistent grants).

Law: a page that cannot be had fails its request and no other. What was mapped for a request is unmapped by `end`,
before anybody answers it: a Linux frontend gives its disk up over a page that is in use when it is answered.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pvdrivers.abi.blkif import BlkifRsp
from pvdrivers.abi.grants import GntSt
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.back.stats import Stats
from pvdrivers.block.request import Request
from pvdrivers.errors import MachineError, NotGranted
from pvdrivers.transport.base import PIECE, Mapping, Piece, Transport

#: Pages that a backend keeps mapped for a queue: as many as Linux's blkback (XEN_BLKIF_MAX_PERSISTENT_GRANTS).
PERSISTENT_MAX = 1056
#: How many of them may make room for others, and within how many seconds: as Linux's blkback (LRU_INTERVAL,
#: LRU_PERCENT_CLEAN). A frontend that goes round in more pages than are kept would have each of them mapped anew.
PURGE_SHARE = 0.05
PURGE_SECONDS = 0.1
_FAILED = int(GntSt.GENERAL_ERROR)


@dataclass(eq=False, slots=True)
class Pending:
    """A request under way."""

    request: Request
    status: BlkifRsp = BlkifRsp.OKAY
    #: The segments' memory, one after the other.
    buffers: list[memoryview] = field(default_factory=list)
    #: What to unmap, and the persistent pages that are in use.
    mapped: Mapping | None = None
    kept: list[int] = field(default_factory=list)
    #: What was copied is part of this, from here on.
    arena: memoryview | None = None
    place: int = 0


class Pages(Protocol):
    """A way to a frontend's pages."""

    def fetch(self, wanted: Sequence[tuple[int, int]]) -> bytes:
        """Copy the beginnings of pages: so many bytes of each.

        :raises NotGranted: one of them is not ours to read
        """
        ...

    def begin(self, jobs: Sequence[Pending]) -> None:
        """Give jobs their buffers, with what is to be written in them; or the status ERROR."""
        ...

    def end(self, jobs: Sequence[Pending]) -> None:
        """Bring what was read to the frontend, and let its pages go. A job's status may become ERROR."""
        ...

    def close(self) -> None:
        """Let go of all that was kept."""
        ...


class Copied:
    """Grant copy, through memory of our own: nothing to unmap, and nobody changes what is being written.

    Also what `transient` asks for pages, many requests' at once.
    """

    #: Whether `transient` is to map what is read and written.
    maps = False

    def __init__(self, transport: Transport, domid: int, stats: Stats) -> None:
        self._transport = transport
        self._domid = domid
        self._stats = stats

    def fetch(self, wanted: Sequence[tuple[int, int]]) -> bytes:
        """Copy the beginnings of pages."""
        memory = memoryview(bytearray(sum(size for _, size in wanted)))
        pieces = []
        place = 0
        for gref, size in wanted:
            pieces.append(Piece(gref, 0, place, size))
            place += size
        self._stats.grant_copies += len(pieces)
        self._stats.syscalls += 1
        statuses = self._transport.copy_from(self._domid, pieces, memory)
        if bad := [gref for (gref, _), status in zip(wanted, statuses, strict=True) if status]:
            raise NotGranted(self._domid, bad)
        return bytes(memory)

    def begin(self, jobs: Sequence[Pending]) -> None:
        """Copy what is to be written, for all jobs at once."""
        arena = memoryview(bytearray(sum(segment.length for job in jobs for segment in job.request.segments)))
        place = 0
        for job in jobs:
            size = sum(segment.length for segment in job.request.segments)
            job.arena, job.place = arena, place
            job.buffers = [arena[place : place + size]] if size else []
            place += size
        self._copy([job for job in jobs if not job.request.reads], arena, into_peer=False)

    def end(self, jobs: Sequence[Pending]) -> None:
        """Copy what was read."""
        arenas: dict[int, list[Pending]] = {}
        for job in jobs:
            if job.request.reads and job.status == BlkifRsp.OKAY:
                arenas.setdefault(id(job.arena), []).append(job)
        for some in arenas.values():
            arena = some[0].arena
            if arena is not None:
                self._copy(some, arena, into_peer=True)

    def _copy(self, jobs: Sequence[Pending], arena: memoryview, *, into_peer: bool) -> None:
        pieces, owners = [], []
        for job in jobs:
            place = job.place
            for gref, offset, length in job.request.segments:
                pieces.append(Piece(gref, offset, place, length))
                owners.append(job)
                place += length
        if not pieces:
            return
        self._stats.grant_copies += len(pieces)
        self._stats.syscalls += 1
        copy = self._transport.copy_to if into_peer else self._transport.copy_from
        try:
            statuses = copy(self._domid, pieces, arena)
        except MachineError:
            statuses = [GntSt.GENERAL_ERROR] * len(pieces)
        for owner, status in zip(owners, statuses, strict=True):
            if status:
                owner.status = BlkifRsp.ERROR

    def close(self) -> None:
        """Nothing is kept."""

    def move(self, batch: memoryview, memory: memoryview, into_peer: bool) -> None:
        """Copy packed pieces, which take their statuses."""
        self._stats.grant_copies += len(batch) // PIECE.size
        self._stats.syscalls += 1
        try:
            self._transport.copy(self._domid, batch, memory, into_peer=into_peer)
        except MachineError:
            for at in range(0, len(batch), PIECE.size):
                batch[at : at + PIECE.size] = PIECE.pack(*PIECE.unpack(batch[at : at + PIECE.size])[:-1], _FAILED)

    def map(self, grefs: Sequence[int], writable: bool) -> Mapping:
        """Map pages.

        :raises NotGranted: one of them was not granted (so)
        """
        mapping = self._transport.map(self._domid, grefs, writable=writable)
        self._stats.grant_maps += len(grefs)
        self._stats.syscalls += 2
        return mapping

    def unmap(self, mapping: Mapping, pages: int) -> None:
        """Unmap them."""
        mapping.unmap()
        self._stats.grant_unmaps += pages
        self._stats.syscalls += 2


class Mapped(Copied):
    """Mapped for each request, and unmapped before it is answered."""

    maps = True

    def begin(self, jobs: Sequence[Pending]) -> None:
        """Map each job's pages."""
        for job in jobs:
            if job.request.segments:
                self._map(job)

    def _map(self, job: Pending) -> None:
        # A frontend may have granted for reading alone what is only to be read.
        grefs = [segment.gref for segment in job.request.segments]
        try:
            job.mapped = self.map(grefs, job.request.reads)
        except (NotGranted, MachineError):
            job.status = BlkifRsp.ERROR
            return
        for page, (_, offset, length) in enumerate(job.request.segments):
            start = page * PAGE_SIZE + offset
            job.buffers.append(job.mapped.memory[start : start + length])

    def end(self, jobs: Sequence[Pending]) -> None:
        """Unmap them."""
        for job in jobs:
            _release(job.buffers)
            if job.mapped:
                self.unmap(job.mapped, len(job.request.segments))
                job.mapped = None


def _release(buffers: list[memoryview]) -> None:
    for buffer in buffers:
        buffer.release()
    buffers.clear()


class Index(Protocol):
    """Who else uses pages that are kept, without asking for them here: `kept`."""

    def learn(self, gref: int, memory: memoryview) -> None:
        """Take note of a page."""
        ...

    def forget(self, gref: int) -> bool:
        """Let go of a page; False if it is in use."""
        ...

    def oldest(self) -> int | None:
        """Name the page that has not been used for the longest, of those that are not in use."""
        ...


class Persistent(Copied):
    """Mapped when first seen, and kept; what finds no room is copied, until those unused for long make some."""

    def __init__(
        self, transport: Transport, domid: int, stats: Stats, index: Index | None = None, limit: int = PERSISTENT_MAX
    ) -> None:
        super().__init__(transport, domid, stats)
        self._index = index
        self._limit = limit
        # The longest unused first, as far as it is not `index` that knows.
        self._kept: OrderedDict[int, Mapping] = OrderedDict()
        self._users: Counter[int] = Counter()
        self._purged = 0
        self._purge_ends = 0.0

    def __len__(self) -> int:
        return len(self._kept)

    def fetch(self, wanted: Sequence[tuple[int, int]]) -> bytes:
        """Copy the beginnings of pages."""
        parts = []
        for gref, size in wanted:
            if not self._keep(gref):
                return super().fetch(wanted)
            parts.append(bytes(self._kept[gref].memory[:size]))
        return b"".join(parts)

    def begin(self, jobs: Sequence[Pending]) -> None:
        """Find each job's pages, or map them."""
        others = []
        for job in jobs:
            for gref, offset, length in job.request.segments:
                if not self._keep(gref):
                    self._let_go(job)
                    others.append(job)
                    break
                self._users[gref] += 1
                job.kept.append(gref)
                job.buffers.append(self._kept[gref].memory[offset : offset + length])
        super().begin(others)

    def end(self, jobs: Sequence[Pending]) -> None:
        """Let others use what is kept."""
        super().end([job for job in jobs if not job.kept])
        for job in jobs:
            self._let_go(job)

    def _let_go(self, job: Pending) -> None:
        if job.kept:
            _release(job.buffers)
            self._users.subtract(job.kept)
            job.kept.clear()

    def _keep(self, gref: int) -> bool:
        # Tell whether a page is there to stay, which some cannot: not writable, or too many others.
        if gref in self._kept:
            self._kept.move_to_end(gref)
            return True
        if len(self._kept) >= self._limit and not self._evict():
            return False
        try:
            mapping = self._transport.map(self._domid, [gref])
        except (NotGranted, MachineError):
            return False
        self._stats.grant_maps += 1
        self._stats.syscalls += 2
        self._kept[gref] = mapping
        if self._index:
            self._index.learn(gref, mapping.memory)
        return True

    def _evict(self) -> bool:
        now = time.monotonic()
        if now >= self._purge_ends:
            self._purged, self._purge_ends = 0, now + PURGE_SECONDS
        self._purged += 1
        return self._purged <= max(1, PURGE_SHARE * self._limit) and self._make_room()

    def _make_room(self) -> bool:
        first = [self._index.oldest()] if self._index else []
        candidates: Iterable[int | None] = [*first, *self._kept]
        for gref in candidates:
            if gref is not None and not self._users[gref] and (not self._index or self._index.forget(gref)):
                self._drop(gref)
                return True
        return False

    def _drop(self, gref: int) -> None:
        del self._users[gref]
        self._kept.pop(gref).unmap()
        self._stats.grant_unmaps += 1
        self._stats.syscalls += 2

    def close(self) -> None:
        """Unmap all of them; no job is under way."""
        for gref in list(self._kept):
            if self._index:
                self._index.forget(gref)
            self._drop(gref)
