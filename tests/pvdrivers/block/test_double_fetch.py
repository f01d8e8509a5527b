"""A frontend that changes a request while it is looked at (case 3, XSA-155): what happens is what one snapshot says.

Each request, at the disk's last sector, is good or reaches beyond it, by a byte that another process changes all the
time. A backend that checks one value and uses the other copies what lies behind the disk, or into pages that no good
request names. That this is noticed is shown by backends that do so.
"""

import os
import threading
import time
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

import pytest

from pvdrivers.abi.blkif import X86_64, BlkifOp, BlkifRsp
from pvdrivers.abi.ring import HEADER, PAGE_SIZE
from pvdrivers.block.disks import open_disk
from pvdrivers.conformance.block.messages import direct, indirect
from pvdrivers.ring import Back
from pvdrivers.transport.base import Mapping
from pvdrivers.transport.loopback import Machine
from tests.pvdrivers.block.flipper import flipping
from tests.pvdrivers.block.rig import FRONT, WAYS, Rig, rig

LAYOUT = X86_64
SEG = LAYOUT.request.offsets["seg"]
SIZE = LAYOUT.request.size
SECTORS = 64
#: Requests of each target and way; 33000 make a million in all, within a minute.
ROUNDS = int(os.environ.get("XENTOOL_FUZZ", "10000"))
#: Of them, where each costs many calls of the loopback's.
SLOW = {"map": 0.1}
SLOTS = LAYOUT.ring.slots(0)
#: The first page of segments; two pages of data for each request are before.
TABLES = 2 * SLOTS
GOOD = b"d" * 512 + b"p" * (2 * PAGE_SIZE - 512)
BAD = b"p" * 2 * PAGE_SIZE
#: Seconds within which a backend that is wrong is found out.
FOUND = 300.0
OKAY, ERROR = BlkifRsp.OKAY, BlkifRsp.ERROR


class Target(NamedTuple):
    """Which bytes change: in the ring (page None), or in a page of segments."""

    flips: list[tuple[int, int, int]]
    segments: bool
    outcomes: set[int]


def _slots(at: int, one: int, other: int) -> list[tuple[int, int, int]]:
    return [(HEADER.size + slot * SIZE + at, one, other) for slot in range(32)]


def _tables(other: int) -> list[tuple[int, int, int]]:
    return [(page * PAGE_SIZE + 5, 0, other) for page in range(SLOTS)]


TARGETS = {
    "last sector of a segment": Target(_slots(SEG + 5, 0, 7), False, {OKAY, ERROR}),
    "last sector, far beyond": Target(_slots(SEG + 5, 0, 255), False, {OKAY, ERROR}),
    "number of segments": Target(_slots(1, 1, 2), False, {OKAY, ERROR}),
    "number of segments, too many": Target(_slots(1, 1, 255), False, {OKAY, ERROR}),
    "last sector in the page of segments": Target(_tables(7), True, {OKAY, ERROR}),
    "last sector in the page of segments, far beyond": Target(_tables(255), True, {OKAY, ERROR}),
}


@pytest.fixture
def made(loopback: Machine) -> Iterator[Rig]:
    with rig(loopback, LAYOUT, pages=3 * SLOTS) as made:
        yield made


def requests(made: Rig, target: Target, number: int) -> list[bytes]:
    """Form requests, each with two pages of its own, and a third with its segments."""
    if target.segments:
        return [
            indirect(LAYOUT, BlkifOp.READ, each, SECTORS - 1, 1, [made.gref(TABLES + each)]) for each in range(number)
        ]
    return [
        direct(
            LAYOUT, BlkifOp.READ, each, SECTORS - 1, [(made.gref(page), 0, 0) for page in (2 * each, 2 * each + 1)], 1
        )
        for each in range(number)
    ]


def explicable(made: Rig, target: Target, rounds: int, seconds: float, batch: int = SLOTS) -> set[int]:
    """Ask again and again, until all has happened that can; give the statuses, all of which one snapshot explains.

    :param rounds: as many requests at most, if all has happened; else, where the other process gets no processor, on
        and on
    :param seconds: and not longer in any case
    :param batch: requests at a time
    :raises AssertionError: something happened that none does
    """
    for each in range(batch):
        made.table(TABLES + each, [(made.gref(2 * each), 0, 0)])
    grefs = made.data.grefs[TABLES:] if target.segments else made.pages.grefs
    messages = requests(made, target, batch)
    untouched = b"p" * (TABLES * PAGE_SIZE)
    seen = set()
    until = time.monotonic() + seconds
    with flipping(made.machine.directory, grefs, target.flips):
        for asked in count(batch, batch):
            made.data.memory[: len(untouched)] = untouched
            made.put(*messages)
            found = {}
            for answer in made.take(batch):
                # Of the id that comes back, the other process may have written all but the first byte.
                found[answer.ident & 0xFF] = answer.status
            content = bytes(made.data.memory[: len(untouched)])
            for each in range(batch):
                pages = content[2 * each * PAGE_SIZE : 2 * (each + 1) * PAGE_SIZE]
                if pages != (GOOD if found[each] == OKAY else BAD):
                    sector = b"d" if found[each] == OKAY else b"p"
                    assert pages[:PAGE_SIZE] == sector * 512 + b"p" * (PAGE_SIZE - 512), "beyond the disk"
                    assert pages[PAGE_SIZE:] == b"p" * PAGE_SIZE, "beyond the segments"
            seen |= set(found.values())
            if time.monotonic() > until or (seen == target.outcomes and asked >= rounds):
                break
    return seen


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("way", WAYS)
def test_3_one_snapshot_explains_what_happens(way: str, target: Target, made: Rig) -> None:
    disk = open_disk(f"mem:{(SECTORS + 8) * 512}")
    disk.sectors = SECTORS
    disk.write(0, [memoryview(b"d" * SECTORS * 512 + b"x" * 4096)])
    made.start(disk, **WAYS[way])
    assert explicable(made, target, int(ROUNDS * SLOW.get(way, 1)), FOUND) == target.outcomes


class Wrong:
    """A backend that looks at a request in shared memory, and looks again."""

    def __init__(self, made: Rig) -> None:
        self.pages: Mapping = made.back.map(FRONT, made.pages.grefs)
        self.data: Mapping = made.back.map(FRONT, made.data.grefs)
        self.channel = made.back.bind_interdomain(FRONT, made.channel.port)
        self.disk = b"d" * SECTORS * 512 + b"x" * PAGE_SIZE * 8
        self.ring = Back(self.pages.memory, LAYOUT.ring)
        self.ended = False

    def run(self) -> None:
        slot = 0
        while not self.ended:
            taken = self.ring.take(1)
            if taken:
                at = HEADER.size + slot % 32 * SIZE
                ok = self.serve(at, taken[0] == BlkifOp.INDIRECT)
                slot += 1
                self.ring.put(LAYOUT.response.struct.pack(0, BlkifOp.READ, 0 if ok else -1))
                self.ring.push()
                self.channel.notify()
            elif not self.ring.final_check() and self.channel.wait(0.05):
                self.channel.unmask()
        self.ring.release()
        for mapping in (self.pages, self.data):
            mapping.unmap()
        self.channel.close()

    def serve(self, at: int, wraps: bool) -> bool:
        memory = self.pages.memory

        def number() -> int:
            return 1 if wraps else memory[at + 1]

        table, place = (self.data.memory, TABLES * PAGE_SIZE) if wraps else (memory, at + SEG)
        if number() != 1 or table[place + 5] != 0:
            return False
        # The time that a disk takes, say.
        time.sleep(1e-5)
        disk = (SECTORS - 1) * 512
        for segment in range(min(number(), 2)):
            size = (min(table[place + 8 * segment + 5], 7) + 1) * 512
            self.data.memory[segment * PAGE_SIZE : segment * PAGE_SIZE + size] = self.disk[disk : disk + size]
            disk += size
        return True


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_3_a_backend_that_looks_twice_is_found_out(target: Target, made: Rig) -> None:
    wrong = Wrong(made)
    thread = threading.Thread(target=wrong.run, daemon=True)
    thread.start()
    try:
        with pytest.raises(AssertionError, match="beyond the"):
            explicable(made, target, 10**9, FOUND, 1)
    finally:
        wrong.ended = True
        thread.join()
