"""The ring of pages that a frontend posts: what comes back in them, slot by slot.

Law: response i answers request i; where an extra stands, its slot's page comes back unused.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pvdrivers.abi.netif import RX_RESPONSE, RX_RING, ExtraFlag, RxFlag
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.conformance.line import FrontLine
from pvdrivers.conformance.net.messages import rx_request
from pvdrivers.conformance.observation import Noticed, Observation
from pvdrivers.conformance.raw import RawRing
from pvdrivers.transport.base import Channel, Grant

#: What pages hold before anything comes.
POISON = 0x70
#: An id is none of a slot's numbers: who mixes them up is seen.
_IDENTS = 0x4E00
#: Slots of one packet, extras counted: more is no packet any more.
_LONGEST = 32


class Came(NamedTuple):
    """A packet that came.

    :param flags: the first slot's
    :param offsets: where its data begin, in each of its pages
    :param failed: a status that is negative, if there is one: then nothing is said of the data
    """

    data: bytes
    flags: int
    extras: tuple[bytes, ...]
    offsets: tuple[int, ...]
    failed: int = 0

    @property
    def slots(self) -> int:
        """How many slots it has, extras counted."""
        return len(self.extras) + len(self.offsets)


class PostingLine(FrontLine):
    """Posts pages.

    :param pages: of this line alone, writable by the backend
    """

    def __init__(self, grant: Grant, channel: Channel, pages: Grant) -> None:
        super().__init__(grant, channel, RawRing(grant.memory, RX_RING))
        self.pages = pages
        self.pages.memory[:] = bytes([POISON]) * len(pages.memory)
        self._free = list(range(len(pages.grefs)))
        # By slot: the page that its request names, or None for one that is no page of these.
        self._slots: dict[int, int | None] = {}

    @property
    def posted(self) -> int:
        """How many requests are not answered yet."""
        return len(self._slots)

    def post(self, number: int = 1, *, notify: bool | None = None) -> bool:
        """Post so many pages; tell whether the backend wanted to be notified."""
        messages = []
        for at in range(number):
            page, slot = self._free.pop(0), (self.ring.prod + at) & 0xFFFFFFFF
            self._slots[slot] = page
            messages.append(rx_request(_ident(slot), self.pages.grefs[page]))
        return self.put(*messages, notify=notify)

    def post_gref(self, gref: int) -> bool:
        """Post what is no page of these."""
        self._slots[self.ring.prod] = None
        return self.put(rx_request(_ident(self.ring.prod), gref))

    def come(self, seconds: float) -> Came:
        """Wait for a packet.

        :raises Noticed: none comes, or what comes makes none
        """
        first, page = self._next(seconds)
        extras = self._extras(seconds) if first[2] & RxFlag.EXTRA_INFO else ()
        parts = [(first, page)]
        while parts[-1][0][2] & RxFlag.MORE_DATA:
            if len(parts) + len(extras) == _LONGEST:
                raise Noticed(Observation.STRAYED, f"a packet of more than {_LONGEST} slots")
            parts.append(self._next(seconds))
        failed = min(status for (_, _, _, status), _ in parts)
        data = b"" if failed < 0 else b"".join(self._data(page, response) for response, page in parts)
        for _, each in parts:
            self._back(each)
        offsets = tuple(offset for (_, offset, _, _), _ in parts)
        return Came(data, first[2], extras, offsets, min(failed, 0))

    def _next(self, seconds: float) -> tuple[tuple[int, int, int, int], int | None]:
        slot = self.ring.cons
        (message,) = self.taken(1, seconds)
        ident, offset, flags, status = RX_RESPONSE.struct.unpack(message)
        if ident != _ident(slot):
            raise Noticed(Observation.MISNAMED, f"slot {slot % self.ring.size} has another request's id, {ident:#x}")
        if status >= 0 and offset + status > PAGE_SIZE:
            raise Noticed(Observation.STRAYED, f"{status} bytes at {offset} of a page")
        return (ident, offset, flags, status), self._slots.pop(slot)

    def _extras(self, seconds: float) -> tuple[bytes, ...]:
        found: list[bytes] = []
        while not found or found[-1][1] & ExtraFlag.MORE:
            if len(found) == _LONGEST:
                raise Noticed(Observation.STRAYED, f"a packet of more than {_LONGEST} extras")
            slot = self.ring.cons
            found += self.taken(1, seconds)
            page = self._slots.pop(slot)
            if page is not None and self._page(page) != bytes([POISON]) * PAGE_SIZE:
                raise Noticed(Observation.CHANGED, "the page of a slot that has an extra is written")
            self._back(page)
        return tuple(found)

    def _page(self, page: int) -> memoryview:
        return self.pages.memory[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]

    def _data(self, page: int | None, response: Sequence[int]) -> bytes:
        _, offset, _, size = response
        if page is None:
            return bytes(size)
        content = bytes(self._page(page))
        if set(content[:offset] + content[offset + size :]) - {POISON, 0}:
            raise Noticed(Observation.FOREIGN, "a page holds more than what came")
        return content[offset : offset + size]

    def _back(self, page: int | None) -> None:
        if page is not None:
            self._page(page)[:] = bytes([POISON]) * PAGE_SIZE
            self._free.append(page)

    def close(self) -> None:
        """Give all back."""
        super().close()
        self.pages.revoke()


def _ident(slot: int) -> int:
    return (_IDENTS ^ slot) & 0xFFFF
