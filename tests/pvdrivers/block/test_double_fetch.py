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
from pvdrivers.ring import Back
from pvdrivers.transport.base import Mapping
from pvdrivers.transport.loopback import Machine
from tests.pvdrivers.block.flipper import flipping
from tests.pvdrivers.block.rig import FRONT, WAYS, Rig, direct, indirect, rig

LAYOUT = X86_64
SEG = LAYOUT.request.offsets["seg"]
SIZE = LAYOUT.request.size
SECTORS = 64
ROUNDS = int(os.environ.get("XENTOOL_FUZZ", "3000"))
#: Seconds within which a backend that is wrong is found out.
FOUND = 60.0
OKAY, ERROR = BlkifRsp.OKAY, BlkifRsp.ERROR


class Target(NamedTuple):
    """Which bytes change: in the ring (page None), or in a page of segments."""

    flips: list[tuple[int, int, int]]
    segments: bool
    outcomes: set[int]


def _slots(at: int, one: int, other: int) -> list[tuple[int, int, int]]:
    return [(HEADER.size + slot * SIZE + at, one, other) for slot in range(32)]


TARGETS = {
    "last sector of a segment": Target(_slots(SEG + 5, 0, 7), False, {OKAY, ERROR}),
    "last sector, far beyond": Target(_slots(SEG + 5, 0, 255), False, {OKAY, ERROR}),
    "number of segments": Target(_slots(1, 1, 2), False, {OKAY, ERROR}),
    "number of segments, too many": Target(_slots(1, 1, 255), False, {OKAY, ERROR}),
    "last sector in the page of segments": Target([(5, 0, 7)], True, {OKAY, ERROR}),
    "last sector in the page of segments, far beyond": Target([(5, 0, 255)], True, {OKAY, ERROR}),
}


@pytest.fixture
def made(loopback: Machine) -> Iterator[Rig]:
    with rig(loopback, LAYOUT, pages=4) as made:
        yield made


def put(made: Rig, target: Target) -> None:
    if target.segments:
        made.put(indirect(LAYOUT, BlkifOp.READ, 0, SECTORS - 1, 1, [made.gref(3)]))
    else:
        segments = [(made.gref(0), 0, 0), (made.gref(1), 0, 0)]
        made.put(direct(LAYOUT, BlkifOp.READ, 0, SECTORS - 1, segments, 1))


def explicable(made: Rig, target: Target, rounds: int, seconds: float) -> set[int]:
    """Ask again and again, until all has happened that can; give the statuses, all of which one snapshot explains.

    :param rounds: as often at most, if all has happened; else, where the other process gets no processor, on and on
    :param seconds: and not longer in any case
    :raises AssertionError: something happened that none does
    """
    made.table(3, [(made.gref(0), 0, 0)])
    grefs = [made.gref(3)] if target.segments else made.pages.grefs
    seen = set()
    until = time.monotonic() + seconds
    with flipping(made.machine.directory, grefs, target.flips):
        for turn in count():
            for page in range(3):
                made.page(page)
            made.data.memory[: 3 * PAGE_SIZE] = b"p" * (3 * PAGE_SIZE)
            put(made, target)
            # The id that comes back may be one of those that the other process wrote.
            (answer,) = made.take(1)
            seen.add(answer.status)
            sector = b"d" if answer.status == OKAY else b"p"
            assert made.page(0) == sector * 512 + b"p" * (PAGE_SIZE - 512), "beyond the disk"
            assert made.page(1) + made.page(2) == b"p" * 2 * PAGE_SIZE, "beyond the segments"
            all_seen = seen == target.outcomes
            if time.monotonic() > until or (all_seen and turn >= rounds):
                break
            if all_seen and turn >= rounds // 10 and time.monotonic() > until - seconds + 0.4:
                break
    return seen


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("way", WAYS)
def test_3_one_snapshot_explains_what_happens(way: str, target: Target, made: Rig) -> None:
    disk = open_disk(f"mem:{(SECTORS + 8) * 512}")
    disk.sectors = SECTORS
    disk.write(0, [memoryview(b"d" * SECTORS * 512 + b"x" * 4096)])
    made.start(disk, **WAYS[way])
    assert explicable(made, target, ROUNDS, FOUND) == target.outcomes


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

        table, place = (self.data.memory, 3 * PAGE_SIZE) if wraps else (memory, at + SEG)
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
            explicable(made, target, 10**9, FOUND)
    finally:
        wrong.ended = True
        thread.join()
