"""One queue of a frontend: puts requests, and believes of what comes back only what can be.

Law: a backend is a peer, and may be anybody. Data go through pages that are granted for nothing else and are zeros at
first, so that a backend sees what was written to its disk and no more; what it changes there after its answer is never
looked at. An answer to what was not asked ends the queue.

Not for several threads at once: `client` sees to that.

Ref: xen/include/public/io/blkif.h; Linux drivers/block/xen-blkfront.c, blkif_interrupt
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pvdrivers.abi.blkif import (
    MAX_INDIRECT_PAGES_PER_REQUEST,
    MAX_SEGMENTS_PER_REQUEST,
    SEGMENT,
    SEGMENTS_PER_INDIRECT_PAGE,
    Blkif,
    BlkifOp,
    BlkifRsp,
    Discard,
)
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.errors import BadResponse
from pvdrivers.block.request import SECTORS_PER_PAGE
from pvdrivers.errors import PeerError
from pvdrivers.ring import Front
from pvdrivers.transport.base import Channel, Transport

#: Pages for data, unless a queue is made otherwise: a ring of one page can use no more without indirect requests, and
#: Linux's gntalloc gives 1024 to all of a machine's programs.
DATA_PAGES = 32 * MAX_SEGMENTS_PER_REQUEST


@dataclass(eq=False, slots=True)
class Part:
    """What one request does; it can be asked again of another queue, when this one is no more.

    :param data: what to write, or where what is read goes; of whole sectors
    """

    operation: BlkifOp
    #: Of 512 bytes.
    sector: int = 0
    sectors: int = 0
    data: memoryview = field(default_factory=lambda: memoryview(b""))
    secure: bool = False
    #: For who asked.
    owner: object = None


@dataclass(eq=False, slots=True)
class _Slot:
    part: Part
    pages: list[int]


class FrontQueue:
    """A queue, with a ring and a channel of its own, whose numbers are for the backend to know.

    :param domid: the backend's
    :param order: the ring has ``1 << order`` pages
    :param max_indirect: segments of an indirect request that the backend takes; 0 for none
    :param persistent: whether the backend is told that it may keep pages mapped; they are the same ones all the time
    :param data_pages: pages for data, and for the segments of indirect requests
    :raises MachineError: there are not so many pages, or no channel
    """

    def __init__(
        self,
        transport: Transport,
        domid: int,
        layout: Blkif,
        *,
        order: int = 0,
        max_indirect: int = 0,
        persistent: bool = True,
        data_pages: int = DATA_PAGES,
    ) -> None:
        self.layout = layout
        self.persistent = persistent
        limit = min(max_indirect, SEGMENTS_PER_INDIRECT_PAGE * MAX_INDIRECT_PAGES_PER_REQUEST, data_pages - 1)
        #: Segments of the longest request; those of more than 11 are indirect.
        self.max_segments = max(limit, MAX_SEGMENTS_PER_REQUEST)
        self._pages = transport.grant(domid, 1 << order)
        self._data = transport.grant(domid, data_pages)
        self.channel: Channel = transport.alloc_unbound(domid)
        self.ring = Front(self._pages.memory, layout.ring)
        self._free_pages = list(range(data_pages - 1, -1, -1))
        self._free_slots = list(range(self.ring.size - 1, -1, -1))
        # By id, in the order in which they were asked.
        self._slots: dict[int, _Slot] = {}
        #: Why nothing can be asked any more.
        self.error: PeerError | None = None
        self.notifications_sent = 0

    @property
    def grefs(self) -> Sequence[int]:
        """The ring's pages."""
        return self._pages.grefs

    @property
    def port(self) -> int:
        """The channel, for the backend to bind."""
        return self.channel.port

    @property
    def data_grefs(self) -> Sequence[int]:
        """The pages for data."""
        return self._data.grefs

    @property
    def data(self) -> memoryview:
        """The pages for data themselves, for those who put requests by other means (`load`)."""
        return self._data.memory

    @property
    def pending(self) -> int:
        """Requests that have not been answered."""
        return len(self._slots)

    @property
    def max_sectors(self) -> int:
        """Sectors of the longest request."""
        return self.max_segments * SECTORS_PER_PAGE

    def submit(self, part: Part) -> bool:
        """Put a request; False when there is no room for it now. It is seen with the next `push`.

        :raises PeerError: the queue has ended
        """
        if self.error:
            raise self.error
        needed = self.pages_of(part)
        if not self._free_slots or len(self._free_pages) < needed:
            return False
        ident = self._free_slots.pop()
        pages = [self._free_pages.pop() for _ in range(needed)]
        self._slots[ident] = _Slot(part, pages)
        if part.operation != BlkifOp.READ:
            self._fill(part.data, pages)
        self.ring.put(self.message(ident, part, pages))
        return True

    def pages_of(self, part: Part) -> int:
        """Tell how many pages a request needs, those for its segments included.

        :raises ValueError: it is too long
        """
        segments = _pages(part)
        if segments > self.max_segments:
            raise ValueError(f"{part.sectors} sectors, and no more than {self.max_sectors} at once")
        if segments <= MAX_SEGMENTS_PER_REQUEST:
            return segments
        return segments + -(-segments // SEGMENTS_PER_INDIRECT_PAGE)

    def _fill(self, data: memoryview, pages: Sequence[int]) -> None:
        for page, at in zip(pages, range(0, len(data), PAGE_SIZE), strict=False):
            some = data[at : at + PAGE_SIZE]
            self._data.memory[page * PAGE_SIZE : page * PAGE_SIZE + len(some)] = some

    def message(self, ident: int, part: Part, pages: Sequence[int]) -> bytes:
        """Form a request, for data in pages of `data`; `submit` is what does all of it.

        :param pages: as many as `pages_of` says; those after the data get the segments
        """
        layout = self.layout
        if part.operation == BlkifOp.DISCARD:
            flag = Discard.SECURE if part.secure else 0
            message = layout.discard.struct.pack(part.operation, flag, 0, ident, part.sector, part.sectors)
            return message.ljust(layout.request.size, b"\0")
        number = _pages(part)
        segments = []
        left = part.sectors
        for page in pages[:number]:
            segments += [self._data.grefs[page], 0, min(left, SECTORS_PER_PAGE) - 1]
            left -= SECTORS_PER_PAGE
        if number <= MAX_SEGMENTS_PER_REQUEST:
            none = [0] * (3 * MAX_SEGMENTS_PER_REQUEST - len(segments))
            return layout.request.struct.pack(part.operation, number, 0, ident, part.sector, *segments, *none)
        table = b"".join(SEGMENT.struct.pack(*segments[at : at + 3]) for at in range(0, len(segments), 3))
        self._fill(memoryview(table), pages[number:])
        grefs = [self._data.grefs[page] for page in pages[number:]]
        grefs += [0] * (MAX_INDIRECT_PAGES_PER_REQUEST - len(grefs))
        # One of the layouts ends in a padding that counts as a field.
        padding = [0] if "pad" in layout.indirect.offsets else []
        fields = [BlkifOp.INDIRECT, part.operation, number, ident, part.sector, 0, *grefs, *padding]
        return layout.indirect.struct.pack(*fields).ljust(layout.request.size, b"\0")

    def push(self) -> None:
        """Show the backend what was put."""
        if self.ring.push():
            self.channel.notify()
            self.notifications_sent += 1

    def complete(self) -> list[tuple[Part, BlkifRsp]]:
        """Take the answers that are there; what was read is in its part by then.

        When the backend breaks the protocol, what came before that is given, and `error` says why it was the last.
        """
        done: list[tuple[Part, BlkifRsp]] = []
        if self.error:
            return done
        try:
            for answer in self.layout.response.struct.iter_unpack(self.ring.take()):
                done.append(self._answered(*answer))  # noqa: PERF401 - what came before an error counts
        except PeerError as error:
            self.error = error
        return done

    def more(self) -> bool:
        """Before waiting for a notification: ask for one, and tell whether there are answers after all."""
        try:
            return not self.error and self.ring.final_check()
        except PeerError as error:
            self.error = error
            return False

    def _answered(self, ident: int, operation: int, status: int) -> tuple[Part, BlkifRsp]:
        slot = self._slots.get(ident)
        if slot is None:
            raise BadResponse(f"the backend answers request {ident}, which nobody asked")
        part = slot.part
        if operation != part.operation:
            raise BadResponse(f"the backend answers operation {operation} to request {ident}, of {part.operation}")
        if status not in _STATUSES:
            raise BadResponse(f"the backend answers {status} to request {ident}")
        if operation == BlkifOp.READ and status == BlkifRsp.OKAY:
            for page, at in zip(slot.pages, range(0, len(part.data), PAGE_SIZE), strict=False):
                into = part.data[at : at + PAGE_SIZE]
                into[:] = self._data.memory[page * PAGE_SIZE : page * PAGE_SIZE + len(into)]
        del self._slots[ident]
        self._free_slots.append(ident)
        self._free_pages += reversed(slot.pages)
        return part, BlkifRsp(status)

    def take_back(self) -> list[Part]:
        """Give what was not answered, in the order in which it was asked, to be asked of another queue.

        Whoever asks again may do a write twice, which is the same as once.
        """
        parts = [slot.part for slot in self._slots.values()]
        self._slots.clear()
        return parts

    def close(self) -> None:
        """Give ring, pages and channel back."""
        self.ring.release()
        self.channel.close()
        self._pages.revoke()
        self._data.revoke()


def _pages(part: Part) -> int:
    return -(-len(part.data) // PAGE_SIZE)


_STATUSES = frozenset(BlkifRsp)
