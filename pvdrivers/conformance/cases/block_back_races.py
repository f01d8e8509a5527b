"""Frontends that change a request while it is looked at."""

import threading
from array import array
from collections.abc import Iterable
from typing import NamedTuple

from pvdrivers.abi.ring import HEADER, PAGE_SIZE
from pvdrivers.conformance.block.front import POISON, BlockFront
from pvdrivers.conformance.block.front_rig import BlockFrontRig
from pvdrivers.conformance.block.subject import SECTORS, Disk, content
from pvdrivers.conformance.case import Clause, Group, Risk
from pvdrivers.conformance.cases.asking import OKAY
from pvdrivers.conformance.cases.words import READ, O
from pvdrivers.conformance.flips import flip
from pvdrivers.conformance.observation import Seen, Sights
from pvdrivers.xenbus import Role

CASES = Group(Role.BACK, "block")
#: Which slot it was is in the last byte of its id: the first ones lie where, in a request, others change bytes.
_PLACE = 56


@CASES.case(
    "BB23",
    "a request that changes while it is looked at is one request",
    O.OKAY,
    clause=Clause(
        "ring.h",
        "Use this in preference to RING_GET_{REQUEST,RESPONSE}() so all processing is done on a local copy that cannot "
        "be modified by the other end.",
    ),
    why="What is checked and then read again is not what was checked (a double fetch): a guest reads and writes memory "
    "of the backend's.",
    xsa=(155,),
    risk=Risk.MAY_CRASH,
    seeded=True,
)
def bb23(rig: BlockFrontRig) -> Sights:
    """Changes a byte of a request, or of its page of segments, between a sound and a bad value, as often as the level
    says, while the request is asked again and again; and, where the medium can be watched, just between check and use.
    Each outcome must be that of one of the two, as a whole.
    """
    for what, change in _CHANGES.items():
        with rig.joined() as front:
            if change.where == "table" and not front.offered("feature-max-indirect-segments"):
                continue
            memory, places = change.of(front)
            seed = rig.chance.randrange(2**32)
            arguments = [memory, array("I", places), change.one, change.other, rig.level.flips, seed]
            thread = threading.Thread(target=flip, args=arguments)
            thread.start()
            try:
                yield _while_it_changes(front, what, change, thread)
            finally:
                thread.join()
        with rig.joined(Disk(watched=True)) as front:
            yield from _between(front, what, change)


def _while_it_changes(front: BlockFront, what: str, change: "Change", thread: threading.Thread) -> Seen:
    while True:
        last = not thread.is_alive()
        seen = _once(front, what, change, range(front.queues[0].ring.size))
        if last or seen.observation is not O.OKAY:
            return seen


def _once(front: BlockFront, what: str, change: "Change", slots: Iterable[int]) -> Seen:
    # Each at the last sector of the disk: what is more than one sector is beyond it.
    queue = front.queues[0]
    messages = [change.request(front, slot) for slot in slots]
    front.poison(*slots)
    queue.ring.put(messages)
    if queue.ring.show():
        queue.channel.notify()
    good = content(SECTORS - 1, 1) + bytes([POISON]) * (PAGE_SIZE - 512)
    bad = bytes([POISON]) * PAGE_SIZE
    for answer in queue.take_any(len(messages), front.level.deadline):
        page = front.page(answer.ident >> _PLACE)
        if page != (good if answer.status == OKAY else bad):
            return Seen(what, O.MIXED, f"status {answer.status}, and the page is neither as before nor as asked")
    return Seen(what, O.OKAY)


def _between(front: BlockFront, what: str, change: "Change") -> Sights:
    hook = front.served.medium.between
    if not hook:
        return
    memory, places = change.of(front)

    def write(value: int) -> None:
        for place in places:
            memory[place] = value

    hook(lambda _operation, _sector: write(change.other))
    for _ in range(3):
        write(change.one)
        yield _once(front, f"{what}, between check and use", change, [front.queues[0].ring.prod % 32])
    hook(lambda _operation, _sector: None)


class Change(NamedTuple):
    """What is changed of a request.

    :param where: in its ``slot``, or in its page of segments (``table``)
    :param field: of the slot
    :param offset: of the byte, from there
    :param one: the value with which the request is sound
    """

    where: str
    field: str
    offset: int
    one: int
    other: int

    def of(self, front: BlockFront) -> tuple[memoryview, list[int]]:
        """Give the memory, and the byte's place for each slot of the ring; pages of segments are written by then."""
        (queue,) = front.queues
        for slot in range(queue.ring.size):
            front.table(32 + slot, [(front.gref(slot), 0, 0), (front.gref(slot), 1, 1)])
        if self.where == "table":
            memory, first, stride = front.data.memory, 32 * PAGE_SIZE, PAGE_SIZE
        else:
            memory, first, stride = queue.grant.memory, HEADER.size, queue.ring.stride
            first += front.layout.request.offsets[self.field]
        return memory, [first + self.offset + stride * slot for slot in range(queue.ring.size)]

    def request(self, front: BlockFront, slot: int) -> bytes:
        """Form a sound request, of one sector into a page of its own."""
        if self.where == "table":
            return front.indirect(READ, slot << _PLACE, SECTORS - 1, 1, [front.gref(32 + slot)])
        segments = [(front.gref(slot), 0, 0), (front.gref(slot), 1, 1)]
        return front.direct(READ, slot << _PLACE, SECTORS - 1, segments, 1)


_CHANGES = {
    "last sector of a segment": Change("slot", "seg", 5, 0, 7),
    "last sector, far beyond": Change("slot", "seg", 5, 0, 255),
    "number of segments": Change("slot", "nr_segments", 0, 1, 2),
    "number of segments, too many": Change("slot", "nr_segments", 0, 1, 255),
    "operation": Change("slot", "operation", 0, 0, 255),
    "last sector in a page of segments": Change("table", "", 5, 0, 7),
    "last sector in a page of segments, far beyond": Change("table", "", 5, 0, 255),
}
