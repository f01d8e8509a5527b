"""Frontends that change a slot while it is looked at."""

import threading
from array import array
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

from pvdrivers.abi.netif import TX_REQUEST, NetifRsp
from pvdrivers.abi.ring import HEADER, PAGE_SIZE
from pvdrivers.conformance.case import Clause, Group, Risk
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.flips import flip
from pvdrivers.conformance.net.frames import plain
from pvdrivers.conformance.net.front import Slots, VifFront
from pvdrivers.conformance.net.front_rig import VifFrontRig
from pvdrivers.conformance.net.subject import BURST
from pvdrivers.conformance.observation import Seen, Sights
from pvdrivers.xenbus import Role

CASES = Group(Role.BACK, "net")
_SIZE = 100
#: Writes into each byte between looks whether there were enough, and times that slots are sent meanwhile, at least.
_AT_ONCE, _TURNS = 10_000, 20


@CASES.case(
    "NB35",
    "a slot that changes while it is looked at is one slot",
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
def nb35(rig: VifFrontRig) -> Sights:
    """Changes the size or the offset of slots between two values, as often as the level says, while they are
    sent again and again; each frame that comes out is that of one value, as a whole.
    """
    for what, change in _CHANGES.items():
        with rig.joined() as front:
            place, frames = change.of(front)
            ring = front.queues[0].tx.ring
            places = [HEADER.size + slot * ring.stride + place for slot in range(ring.size)]
            seed, enough = rig.chance.randrange(2**32), threading.Event()

            def changing(
                memory: memoryview = ring.memory,
                places: "array[int]" = array("I", places),  # noqa: B008 - of this turn
                change: Change = change,
                seed: int = seed,
                enough: threading.Event = enough,
            ) -> None:
                left = rig.level.flips
                while left > 0 or not enough.is_set():
                    flip(memory, places, change.one, change.other, _AT_ONCE * len(places), seed)
                    left -= _AT_ONCE

            thread = threading.Thread(target=changing)
            thread.start()
            try:
                yield _while_it_changes(front, what, frames, thread, enough)
            finally:
                enough.set()
                thread.join()
            yield front.proves()


def _while_it_changes(
    front: VifFront, what: str, frames: "Frames", thread: threading.Thread, enough: threading.Event
) -> Seen:
    for turn in count():
        if turn == _TURNS:
            enough.set()
        last = not thread.is_alive()
        slots = sum((front.slot(frames.gref, _SIZE) for _ in range(BURST)), Slots())
        for answer in front.send(slots):
            if answer.status != NetifRsp.OKAY:
                continue
            frame = front.served.far.receive(front.level.deadline)
            if frame is None:
                return Seen(what, O.LOST)
            if frame.data not in frames.allowed:
                return Seen(what, O.MIXED, f"{len(frame.data)} bytes come out, which are of neither value")
        if last:
            break
    return Seen(what, O.OKAY)


class Frames(NamedTuple):
    """What is sent, and what may come out of it."""

    gref: int
    allowed: frozenset[bytes]


class Change(NamedTuple):
    """What is changed of a slot: one of its bytes.

    :param frames: forms the page, and what may come out of it, by either value
    """

    field: str
    one: int
    other: int
    frames: Callable[[VifFront, bytes], Frames]

    def of(self, front: VifFront) -> tuple[int, Frames]:
        """Give the byte's place in the slot, and what is sent."""
        page = plain(front.chance.randbytes(PAGE_SIZE - 14))
        return TX_REQUEST.offsets[self.field], self.frames(front, page)


def _sized(*sizes: int) -> Callable[[VifFront, bytes], Frames]:
    return lambda front, page: Frames(front.gref(page), frozenset(page[:size] for size in sizes))


def _placed(front: VifFront, page: bytes) -> Frames:
    return Frames(front.gref(page), frozenset((page[:_SIZE], page[128 : 128 + _SIZE])))


#: Not its page: an answer has its id and status where a slot has that.
_CHANGES = {
    "size": Change("size", _SIZE, _SIZE + 128, _sized(_SIZE, _SIZE + 128)),
    "size, to less than a header": Change("size", _SIZE, 4, _sized(_SIZE)),
    "offset": Change("offset", 0, 128, _placed),
}
