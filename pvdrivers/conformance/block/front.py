"""The kit's half of a disk whose backend is under test: a frontend that can put and write anything."""

from collections.abc import Sequence
from contextlib import suppress
from random import Random

from pvdrivers.abi.blkif import X86_64, BlkifOp, BlkifRsp
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.conformance.block.messages import Answer, Segments, direct, discard, indirect, table
from pvdrivers.conformance.block.queue import AskingQueue, status
from pvdrivers.conformance.block.subject import Disk, Served, content
from pvdrivers.conformance.half import FrontHalf
from pvdrivers.conformance.level import Level
from pvdrivers.conformance.observation import Observation, Seen, Sights
from pvdrivers.errors import MachineError
from pvdrivers.transport.base import Grant

#: What pages hold before anything is read into them.
POISON = 0x70


class BlockFront(FrontHalf):
    """A frontend of a plugged disk.

    :param pages: of data
    """

    def __init__(self, served: Served, disk: Disk, level: Level, chance: Random, pages: int = 64) -> None:
        super().__init__(served.transport.store, served.spot.front, served.spot.back, level, served.toolstack)
        self.served, self.disk, self.chance = served, disk, chance
        self.layout = X86_64
        self.data: Grant = served.transport.grant(served.spot.back_domid, pages)
        self.data.memory[:] = bytes([POISON]) * len(self.data.memory)
        self.queues: list[AskingQueue] = []
        self.extra: list[Grant] = []
        self.dead = False
        self._kept: bytes = b""
        self._disk: bytes = b""

    # Pages.

    def gref(self, page: int) -> int:
        """Give a data page's reference."""
        return self.data.grefs[page]

    def page(self, number: int, content: bytes | None = None) -> bytes:
        """Give what a data page holds; or have it hold something, and zeros behind that."""
        place = slice(number * PAGE_SIZE, (number + 1) * PAGE_SIZE)
        if content is not None:
            self.data.memory[place] = content.ljust(PAGE_SIZE, b"\0")
        return bytes(self.data.memory[place])

    def poison(self, *pages: int) -> None:
        """Have data pages hold what they held first."""
        for each in pages:
            self.page(each, bytes([POISON]) * PAGE_SIZE)

    def segments(self, *pages: int) -> list[tuple[int, int, int]]:
        """Give whole data pages as segments."""
        return [(self.gref(page), 0, 7) for page in pages]

    def table(self, page: int, segments: Segments) -> None:
        """Write an indirect request's segments into a data page."""
        self.page(page, table(segments))

    def granted(self, *, domid: int | None = None, writable: bool = True) -> Grant:
        """Grant one more page, to the backend or to somebody else; it is revoked at the end."""
        to = self.served.spot.back_domid if domid is None else domid
        grant = self.served.transport.grant(to, writable=writable)
        self.extra.append(grant)
        return grant

    # The handshake.

    def nodes(
        self, *, order: int = 0, queues: int = 1, persistent: bool = False, named: bool = True
    ) -> dict[str, object]:
        """Make queues, and give the nodes that publish them, as the header says.

        :param named: whether the protocol is named; it is that of 32-bit x86 for most backends where it is not
        """
        self.queues += [AskingQueue(self.served, self.layout, order) for _ in range(queues)]
        nodes: dict[str, object] = {"protocol": self.layout.protocol} if named else {}
        if persistent:
            nodes["feature-persistent"] = 1
        if order:
            nodes["ring-page-order"] = order
        if queues > 1:
            nodes["multi-queue-num-queues"] = queues
        for number, queue in enumerate(self.queues):
            prefix = f"queue-{number}/" if queues > 1 else ""
            names = [f"ring-ref{page}" for page in range(1 << order)] if order else ["ring-ref"]
            nodes |= {f"{prefix}{name}": gref for name, gref in zip(names, queue.grant.grefs, strict=True)}
            nodes[f"{prefix}event-channel"] = queue.channel.port
        return nodes

    # Requests.

    def put(self, *messages: bytes, queue: int = 0, notify: bool | None = None) -> bool:
        """Put requests; see `AskingQueue.put`."""
        return self.queues[queue].put(*messages, notify=notify)

    def take(self, number: int, queue: int = 0, seconds: float | None = None) -> list[Answer]:
        """Wait for answers; see `AskingQueue.take`."""
        return self.queues[queue].take(number, self.level.deadline if seconds is None else seconds)

    def ask(self, *messages: bytes, queue: int = 0) -> list[Answer]:
        """Put requests, and give their answers by id."""
        self.put(*messages, queue=queue)
        return sorted(self.take(len(messages), queue))

    def direct(
        self, operation: int, ident: int, sector: int, segments: Segments = (), number: int | None = None
    ) -> bytes:
        """Form a request in this frontend's layout."""
        return direct(self.layout, operation, ident, sector, segments, number)

    def indirect(self, inner: int, ident: int, sector: int, number: int, grefs: Sequence[int]) -> bytes:
        """Form an indirect request in this frontend's layout."""
        return indirect(self.layout, inner, ident, sector, number, grefs)

    def discard(self, ident: int, sector: int, count: int, flag: int = 0) -> bytes:
        """Form a request to discard in this frontend's layout."""
        return discard(self.layout, ident, sector, count, flag)

    def read(self, sector: int, page: int, queue: int = 0) -> Seen:
        """Read a page of what the disk held first, and look at the data."""
        (answer,) = self.ask(self.direct(BlkifOp.READ, 0x77, sector, self.segments(page)), queue=queue)
        if answer.status != BlkifRsp.OKAY:
            return status(f"read of sector {sector}", answer)
        if self.page(page) != content(sector, 8):
            return Seen(f"read of sector {sector}", Observation.WRONG_DATA)
        return Seen(f"read of sector {sector}", Observation.OKAY)

    def proves(self) -> Seen:
        """Read a page."""
        return self.read(24, 1)

    # What must not change.

    def keep(self) -> None:
        """Take note of what pages and disk hold."""
        self._kept, self._disk = bytes(self.data.memory), self.served.medium.peek(0, self.disk.sectors)

    def changed(self, what: str, *, but: Sequence[int] = (), data: bytes = b"") -> Sights:
        """Tell what of that is different now, if anything is.

        :param but: pages that a request named that failed: they may hold what the disk has in their place
        :param data: what else those may hold
        """
        now = bytes(self.data.memory)
        for page in range(len(now) // PAGE_SIZE if now != self._kept else 0):
            place = slice(page * PAGE_SIZE, (page + 1) * PAGE_SIZE)
            if now[place] != self._kept[place] and not (page in but and now[place] in data):
                yield Seen(what, Observation.CHANGED, f"data page {page} is not as it was")
        disk = self.served.medium.peek(0, self.disk.sectors)
        if disk != self._disk:
            sector = next(at for at in range(0, len(disk), 512) if disk[at : at + 512] != self._disk[at : at + 512])
            yield Seen(what, Observation.CHANGED, f"sector {sector // 512} of the disk is not as it was")

    # The end.

    def die(self) -> None:
        """End this domain's half as the end of its process does: all at once, and without a word."""
        self.dead = True
        for queue in self.queues:
            queue.ring.release()
        self.served.transport.close()

    def drop(self) -> None:
        """Let go of all queues."""
        queues, self.queues = self.queues, []
        for queue in queues:
            queue.close()

    def release(self) -> None:
        """Give all of this domain's back; without a word to the backend."""
        self.drop()
        extra, self.extra = self.extra, []
        for grant in [*extra, self.data]:
            with suppress(MachineError):
                grant.revoke()

    def renewed(self) -> "BlockFront":
        """Give a frontend for the same device, of the same domain, with pages of its own."""
        return BlockFront(self.served, self.disk, self.level, self.chance, len(self.data.grefs))
