"""Pages of a frontend's queue that are granted once and used again and again, each under the id of its number.

Law: a backend may read and write them at any time. They were zeros, and hold nothing but what was sent to that backend
or came from it; what came is copied before anybody looks at it.
"""

from collections.abc import Sequence

from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.net.packet.slots import Place, Slot
from pvdrivers.transport.base import Transport


class Pool:
    """Some pages.

    :param domid: the backend's
    :param writable: whether the backend may write to them
    :raises MachineError: there are not so many
    """

    def __init__(self, transport: Transport, domid: int, pages: int, *, writable: bool) -> None:
        self._grant = transport.grant(domid, pages, writable=writable)
        self._memory = memoryview(self._grant.memory)
        self._free = list(range(pages - 1, -1, -1))

    @property
    def grefs(self) -> Sequence[int]:
        """Each page's reference."""
        return self._grant.grefs

    @property
    def free(self) -> int:
        """How many are not in use."""
        return len(self._free)

    def take(self, count: int) -> list[Place]:
        """Take pages, as many as are free at most; each is its id and its gref."""
        numbers = [self._free.pop() for _ in range(count)]
        return [(number, self._grant.grefs[number]) for number in numbers]

    def give(self, numbers: Sequence[int]) -> None:
        """Give pages back that were taken."""
        self._free.extend(numbers)

    def write(self, data: bytes | memoryview, slots: Sequence[Slot]) -> None:
        """Lay bytes into slots, one after the other."""
        at = 0
        for slot in slots:
            start = slot.id * PAGE_SIZE + slot.offset
            self._memory[start : start + slot.length] = data[at : at + slot.length]
            at += slot.length

    def read(self, slots: Sequence[Slot]) -> bytes:
        """Copy what slots hold."""
        starts = ((slot.id * PAGE_SIZE + slot.offset, slot.length) for slot in slots)
        return b"".join(self._memory[start : start + length] for start, length in starts)

    def close(self) -> None:
        """Take them back: a backend that still has some mapped keeps those, and they are used no more.

        :raises MachineError: the transport is gone
        """
        self._memory.release()
        self._grant.revoke()
