"""A shared ring driven by hand: every index can be anything, and no check is in the way of what a case wants to do.

Nothing of `pvdrivers.ring` is used: what judges a driver shares no mistake with it.

Ref: xen/include/public/io/ring.h
"""

from collections.abc import Sequence

from pvdrivers.abi.layout import Layout
from pvdrivers.abi.ring import HEADER, RingType
from pvdrivers.conformance.flips import settle
from pvdrivers.conformance.observation import Noticed, Observation

_MASK = 0xFFFFFFFF
# Words of the header.
REQ_PROD, REQ_EVENT, RSP_PROD, RSP_EVENT = range(4)


class RawRing:
    """One end of a ring; the frontend's initialises it.

    :param memory: the ring's pages, writable
    :param back: whether this is the backend's end
    """

    def __init__(self, memory: memoryview, kind: RingType, *, back: bool = False) -> None:
        self.memory = memory
        self.words = memory[: HEADER.size].cast("I")
        self.size = kind.slots((len(memory) // 4096).bit_length() - 1)
        self.stride = kind.slot_size
        self.own, self.peers = (kind.response, kind.request) if back else (kind.request, kind.response)
        self._prod_word, self._peer_word = (RSP_PROD, REQ_PROD) if back else (REQ_PROD, RSP_PROD)
        self._event_word, self._ask_word = (RSP_EVENT, REQ_EVENT) if back else (REQ_EVENT, RSP_EVENT)
        self.back = back
        #: Free-running, of 32 bits: what was put, and what was taken.
        self.prod = self.words[RSP_PROD] if back else 0
        self.cons = self.prod
        if not back:
            self.words[:4] = memoryview(b"\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0").cast("I")

    def attach(self, index: int) -> None:
        """Have both begin at an index, as a ring that has been in use; of the frontend's end."""
        self.prod = self.cons = index
        self.words[REQ_PROD] = self.words[RSP_PROD] = index
        self.words[REQ_EVENT] = self.words[RSP_EVENT] = index + 1 & _MASK

    def slot(self, index: int, layout: Layout | None = None) -> memoryview:
        """Give the place of a message; without a layout, the whole slot."""
        start = HEADER.size + index % self.size * self.stride
        return self.memory[start : start + (layout.size if layout else self.stride)]

    def put(self, messages: Sequence[bytes]) -> None:
        """Write messages into the next slots; the peer sees them with `show`."""
        for message in messages:
            with self.slot(self.prod) as slot:
                slot[: len(message)] = message
            self.prod = self.prod + 1 & _MASK

    def show(self) -> bool:
        """Let the peer see what was put; tell whether it wants to be notified."""
        old = self.words[self._prod_word]
        self.words[self._prod_word] = self.prod
        settle()
        return (self.prod - self.words[self._event_word]) & _MASK < (self.prod - old) & _MASK

    def ask(self) -> None:
        """Ask to be notified of the peer's next message."""
        self.words[self._ask_word] = self.cons + 1 & _MASK
        settle()

    def waiting(self) -> int:
        """Count the peer's messages that can be taken.

        :raises Noticed: its index is where it cannot be
        """
        number = self.words[self._peer_word] - self.cons & _MASK
        # A backend of the kit's may have answered what nobody asked: it owes nothing then.
        owed = self.cons - self.prod & _MASK
        limit = self.size - (owed if owed <= self.size else 0) if self.back else self.prod - self.cons & _MASK
        if number > limit:
            raise Noticed(
                Observation.OVERRUN,
                f"its producer index is {self.words[self._peer_word]}, {number} ahead, and {limit} can be",
            )
        return number

    def take(self, limit: int = _MASK) -> list[bytes]:
        """Copy the peer's messages out, in their order.

        :raises Noticed: its index is where it cannot be
        """
        messages = []
        for _ in range(min(self.waiting(), limit)):
            with self.slot(self.cons, self.peers) as slot:
                messages.append(bytes(slot))
            self.cons = self.cons + 1 & _MASK
        return messages

    def release(self) -> None:
        """Let go of the memory."""
        self.words.release()
