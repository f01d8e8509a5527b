"""The ring of pages that a frontend under test has posted: the kit's backend fills them, slot by slot.

Law: response i answers request i, unless a case says otherwise; nothing that a case puts there is checked.

Ref: xen/include/public/io/netif.h, "Guest receive"
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pvdrivers.abi.netif import RX_REQUEST, RX_RESPONSE, RX_RING, RxFlag
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.conformance.line import BackLine
from pvdrivers.conformance.observation import Noticed, Observation
from pvdrivers.conformance.raw import RawRing
from pvdrivers.transport.base import Channel, Mapping, Piece, Transport


class Posted(NamedTuple):
    """A page that the frontend has posted."""

    ident: int
    gref: int


class Part(NamedTuple):
    """What goes into one page.

    :param offset: from the page's beginning
    :param status: what its response says, if not how many bytes there are
    """

    data: bytes
    offset: int = 0
    status: int | None = None


class FillingLine(BackLine):
    """Fills pages.

    :param domid: the frontend's
    """

    def __init__(self, pages: Mapping, channel: Channel, transport: Transport, domid: int) -> None:
        super().__init__(pages, channel, RawRing(pages.memory, RX_RING, back=True))
        self._transport, self._domid = transport, domid
        self.posted: deque[Posted] = deque()
        #: The pages of the last packet, those of its extras among them.
        self.last: list[Posted] = []

    def claimed(self, number: int, seconds: float) -> list[Posted]:
        """Take the next pages that were posted, which are to be answered in this order.

        :raises Noticed: there are not so many, and none come
        """
        self.look()
        while len(self.posted) < number:
            self._took(self.taken(1, seconds))
        return [self.posted.popleft() for _ in range(number)]

    def look(self) -> int:
        """Take note of what is posted by now; give how many pages there are."""
        self._took(self.ring.take())
        return len(self.posted)

    def _took(self, messages: Iterable[bytes]) -> None:
        for message in messages:
            ident, _, gref = RX_REQUEST.struct.unpack(message)
            self.posted.append(Posted(ident, gref))

    def write(self, page: Posted, data: bytes, offset: int) -> None:
        """Copy into a page.

        :raises Noticed: it was not granted so
        """
        memory = memoryview(bytearray(data))
        if data and any(self._transport.copy_to(self._domid, [Piece(page.gref, offset, 0, len(data))], memory)):
            raise Noticed(Observation.STRAYED, f"it posts gref {page.gref}, which it has not granted for writing")

    def filled(
        self, parts: Sequence[Part], seconds: float, *, flags: int = 0, extras: Sequence[bytes] = ()
    ) -> list[bytes]:
        """Lay a packet into the next pages that were posted; give its responses, which nobody has seen yet.

        :param flags: the first slot's, besides those that follow from what there is
        :raises Noticed: there are not so many pages
        """
        self.last = pages = self.claimed(len(parts) + len(extras), seconds)
        first, rest = pages[0], pages[1 + len(extras) :]
        responses = []
        for at, (page, part) in enumerate(zip((first, *rest), parts, strict=True)):
            self.write(page, part.data[: PAGE_SIZE - min(part.offset, PAGE_SIZE)], min(part.offset, PAGE_SIZE))
            marks = RxFlag.MORE_DATA if at + 1 < len(parts) else 0
            marks |= flags | (RxFlag.EXTRA_INFO if extras else 0) if at == 0 else 0
            status = len(part.data) if part.status is None else part.status
            responses.append(response(page.ident, part.offset, marks, status))
        return [responses[0], *extras, *responses[1:]]


def response(ident: int, offset: int, flags: int, status: int) -> bytes:
    """Form a response."""
    return RX_RESPONSE.struct.pack(ident, offset, flags, status)


def flagged(message: bytes, flags: int) -> bytes:
    """Give a response with some more flags."""
    ident, offset, own, status = RX_RESPONSE.struct.unpack(message)
    return response(ident, offset, own | flags, status)


def spread(data: bytes) -> list[Part]:
    """Lay a frame over whole pages."""
    return [Part(data[at : at + PAGE_SIZE]) for at in range(0, len(data), PAGE_SIZE)]
