"""Random requests, sensible and not, against a disk and pages that are byte arrays; by every way, in every layout.

The model never sees a message: it knows what was meant. ``XENTOOL_FUZZ=1000`` makes so many streams of each, and other
ones each time.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pvdrivers.abi.blkif import PROTOCOLS, X86_64, Blkif, BlkifOp, BlkifRsp
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.disks import Disk, open_disk
from pvdrivers.conformance.block.messages import Answer, direct, discard, indirect
from pvdrivers.transport.loopback import Machine
from tests.pvdrivers.block.rig import BACK, STRANGER, WAYS, Rig, rig

EXAMPLES = int(os.environ.get("XENTOOL_FUZZ", "30"))
#: Sectors, an odd number of pages.
SECTORS = 84
PAGES = 14
TABLE = PAGES
#: A page that is granted to somebody else, one that nobody granted, and one for reading alone.
STRANGERS, NOBODYS, READONLY = -1, -2, -3


class Asked(NamedTuple):
    operation: int
    #: Of an indirect request, what it wraps.
    inner: int
    sector: int
    #: Page, first and last sector.
    segments: Sequence[tuple[int, int, int]]
    #: What the message says instead of how many there are.
    number: int | None
    #: Of a discard.
    length: int


WITHIN = st.tuples(st.integers(0, 7), st.integers(0, 7)).map(lambda pair: (min(pair), max(pair)))
ANYWHERE = st.tuples(st.integers(0, 255), st.integers(0, 255))
PAGE = st.one_of(st.integers(0, PAGES - 1), st.integers(0, PAGES - 1), st.integers(READONLY, PAGES - 1))
SEGMENT = st.one_of(*[WITHIN] * 6, ANYWHERE).flatmap(lambda span: PAGE.map(lambda page: (page, *span)))
SECTOR = st.one_of(st.integers(0, SECTORS), st.integers(0, 3).map(lambda eighth: eighth * 8), st.integers(0, 2**64 - 1))
ASKED = st.builds(
    Asked,
    operation=st.sampled_from([0, 1, 0, 1, 2, 3, 5, 6, 6, 6, 4, 255]),
    inner=st.sampled_from([0, 1, 0, 1, 2, 3, 6, 255]),
    sector=SECTOR,
    segments=st.lists(SEGMENT, max_size=16),
    number=st.one_of(st.none(), st.none(), st.none(), st.integers(0, 300)),
    length=st.one_of(st.integers(0, SECTORS), st.integers(0, 2**64 - 1)),
)


class Model:
    """What a backend is to do."""

    def __init__(self, sector_size: int) -> None:
        self.unit = sector_size // 512
        self.disk = bytearray(os.urandom(SECTORS * 512))
        self.pages = [bytearray(os.urandom(PAGE_SIZE)) for _ in range(PAGES)]

    def do(self, asked: Asked) -> tuple[int, BlkifRsp]:
        """Give what the response says, having done what was asked for."""
        operation = asked.inner if asked.operation == BlkifOp.INDIRECT else asked.operation
        if asked.operation in {4, 255}:
            return operation, BlkifRsp.EOPNOTSUPP
        if asked.operation == BlkifOp.DISCARD:
            if not asked.length or not self.inside(asked.sector, asked.length):
                return operation, BlkifRsp.ERROR
            self.disk[asked.sector * 512 : (asked.sector + asked.length) * 512] = bytes(asked.length * 512)
            return operation, BlkifRsp.OKAY
        return operation, BlkifRsp.OKAY if self.transfer(asked, operation) else BlkifRsp.ERROR

    def inside(self, sector: int, count: int) -> bool:
        return sector + count <= SECTORS and not sector % self.unit and not count % self.unit

    def transfer(self, asked: Asked, operation: int) -> bool:
        number = len(asked.segments) if asked.number is None else asked.number
        if asked.operation == BlkifOp.INDIRECT:
            if operation > BlkifOp.WRITE or not 0 < number <= 256:
                return False
        elif number > 11 or not number:
            return not number and operation in {BlkifOp.WRITE_BARRIER, BlkifOp.FLUSH_DISKCACHE}
        # What lies behind the segments that there are is zeros: sector 0 of a page that is nobody's.
        segments = [*asked.segments, *[(NOBODYS, 0, 0)] * (number - len(asked.segments))][:number]
        if any(not first <= last <= 7 for _, first, last in segments):
            return False
        if not self.inside(asked.sector, sum(last - first + 1 for _, first, last in segments)):
            return False
        if any(page in {STRANGERS, NOBODYS} or (page == READONLY and not operation) for page, _, _ in segments):
            return False
        at = asked.sector * 512
        for page, first, last in segments:
            size = (last - first + 1) * 512
            if operation:
                content = bytes(PAGE_SIZE) if page == READONLY else self.pages[page]
                self.disk[at : at + size] = content[first * 512 : first * 512 + size]
            else:
                self.pages[page][first * 512 : first * 512 + size] = self.disk[at : at + size]
            at += size
        return True


def message(made: Rig, layout: Blkif, asked: Asked, odd: dict[int, int]) -> bytes:
    segments = [(odd.get(page) or made.gref(page), first, last) for page, first, last in asked.segments]
    if asked.operation == BlkifOp.DISCARD:
        return discard(layout, 3, asked.sector, asked.length)
    if asked.operation == BlkifOp.INDIRECT:
        made.table(TABLE, segments)
        number = len(segments) if asked.number is None else asked.number
        return indirect(layout, asked.inner, 3, asked.sector, number, [made.gref(TABLE)])
    # What is not said is not there, in the message either.
    return direct(layout, asked.operation, 3, asked.sector, segments, (asked.number or len(segments)) & 0xFF)


@pytest.mark.parametrize("sector_size", [512, 4096])
@pytest.mark.parametrize("layout", PROTOCOLS.values(), ids=lambda layout: layout.protocol)
@pytest.mark.parametrize("way", WAYS)
def test_requests_do_what_they_say(way: str, layout: Blkif, sector_size: int, loopback: Machine) -> None:
    check(open_disk(f"mem:{(SECTORS + 4) * 512}", sector_size=sector_size), way, layout, loopback)


@pytest.mark.parametrize("sector_size", [512, 4096])
@pytest.mark.parametrize("way", ["copy", "compiled", "compiled copy", "compiled map"])
def test_they_do_so_by_threads(way: str, sector_size: int, loopback: Machine, tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(bytes((SECTORS + 4) * 512))
    disk = open_disk(str(path), sector_size=sector_size)
    check(disk, way, X86_64, loopback)
    disk.close()


def check(disk: Disk, way: str, layout: Blkif, loopback: Machine) -> None:
    disk.sectors = SECTORS
    with rig(loopback, layout, pages=PAGES + 1) as made:
        made.start(disk, **WAYS[way], persistent_max=8)
        odd = {
            STRANGERS: made.front.grant(STRANGER).grefs[0],
            NOBODYS: 0,
            READONLY: made.front.grant(BACK, writable=False).grefs[0],
        }
        odd[NOBODYS] = 0x00FF_FFFF

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize="XENTOOL_FUZZ" not in os.environ,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(ASKED, min_size=1, max_size=12))
        def stream_of(stream: list[Asked]) -> None:
            model = Model(disk.sector_size)
            disk.write(0, [memoryview(model.disk)])
            for number, page in enumerate(model.pages):
                made.page(number, bytes(page))
            for asked in stream:
                if asked.operation != BlkifOp.INDIRECT and asked.number is not None:
                    asked = asked._replace(number=asked.number & 0xFF or None)  # noqa: PLW2901 - as the layout can carry it
                before = [bytes(page) for page in model.pages]
                operation, status = model.do(asked)
                assert made.ask(message(made, layout, asked, odd)) == [Answer(3, operation, status)]
                found = [made.page(number) for number in range(PAGES)]
                if status == BlkifRsp.OKAY or found == before:
                    assert found == [bytes(page) for page in model.pages]
                else:
                    # A request that failed over one page may have filled the others, with what is on the disk.
                    assert operation == BlkifOp.READ
                    untouched = set(range(PAGES)) - {page for page, _, _ in asked.segments}
                    assert all(found[number] == before[number] for number in untouched)
                    model.pages = [bytearray(page) for page in found]
            buffer = bytearray(SECTORS * 512)
            disk.read(0, [memoryview(buffer)])
            assert buffer == model.disk

        stream_of()
