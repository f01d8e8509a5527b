"""Walks through made tables: each mode, each way to end, hostile tables, tables that change meanwhile."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.xentool.tools.memory.guests import ENTRIES, LARGE, NX, ROOT, TEXT, Memory, P, U, W
from xentool.tools.memory.paging import FIVE_LEVELS, FOUR_LEVELS, PAE, TWO_LEVELS, Paging
from xentool.tools.memory.walk import TRIES, End, beyond, cached, pages, settled, walk

LONG = Paging(FOUR_LEVELS, ROOT)
RIGHTS = P | W | U


def memory(how: Paging, va: int, entries: Sequence[int]) -> Memory:
    made = Memory()
    assert how.mode is not None
    made.map(how.mode, how.root, va, entries)
    return made


def test_a_pv_guests_kernel_text() -> None:
    found = walk(memory(LONG, TEXT, ENTRIES).read, LONG, TEXT)
    assert [(step.level.number, step.table >> 12, step.index) for step in found.steps] == [
        (4, 0x15CE6E, 511),
        (3, 0x149415, 510),
        (2, 0x149416, 13),
        (1, 0x14B413, 68),
    ]
    assert (found.end, found.address, found.frame, found.page_bytes) == (End.PAGE, 0x148C442B5, 0x148C44, 4096)
    assert found.allows() == ("user", "executable")


@pytest.mark.parametrize(
    ("how", "va", "entries", "address", "size"),
    [
        (LONG, 0x4012_3456, (0x1000 | P, 0x80000000 | LARGE | P), 0x8012_3456, 1 << 30),
        (LONG, 0x7FFF_FFFF_FFFF, (0x1000 | P, 0x2000 | P, 0xA00000 | LARGE | P), 0xBF_FFFF, 1 << 21),
        (
            Paging(FIVE_LEVELS, 0x9000),
            0xFF12_3456_789A_BCDE,
            (0x1000 | P, 0x2000 | P, 0x3000 | P, 0x4000 | P, 0x5000 | P),
            0x5CDE,
            4096,
        ),
        (Paging(PAE, 0x9020), 0xC000_1234, (0x1000 | P, 0x2000 | P, 0x3000 | NX | P), 0x3234, 4096),
        (Paging(TWO_LEVELS, 0x9000), 0x0040_5678, (0x1000 | P, 0x7000 | P), 0x7678, 4096),
        (Paging(TWO_LEVELS, 0x9000), 0xFFFF_FFFF, (0x2_0000 | 0x00C0_0000 | LARGE | P,), 0x10_00FF_FFFF, 1 << 22),
    ],
)
def test_pages_of_each_size(how: Paging, va: int, entries: Sequence[int], address: int, size: int) -> None:
    found = walk(memory(how, va, entries).read, how, va)
    assert (found.end, found.address, found.page_bytes) == (End.PAGE, address, size)


@pytest.mark.parametrize(
    ("entries", "end", "steps"),
    [
        ((0,), End.ABSENT, 1),
        ((0x149415067, 0x149416067, 0xDEAD000), End.ABSENT, 3),
        ((0x149415067 | LARGE,), End.RESERVED, 1),
        ((0x149415067, 0x149416067, 0x14B413067 | LARGE), End.RESERVED, 3),
        # A frame that is nobody's, and the last that there can be.
        ((0x149415067, 0x000FFFFFFFFFF067), End.UNREADABLE, 3),
    ],
)
def test_walks_that_end_early(entries: Sequence[int], end: End, steps: int) -> None:
    found = walk(memory(LONG, TEXT, entries).read, LONG, TEXT)
    assert (found.end, len(found.steps), found.address, found.allows()) == (end, steps, None, ())
    assert (found.steps[-1].entry is None) == (end is End.UNREADABLE)


def test_no_tables_are_read_where_there_is_no_way() -> None:
    made = Memory()
    assert walk(made.read, LONG, 1 << 47).end is End.NOT_CANONICAL
    off = walk(made.read, Paging(None, 0), 0xF39E)
    assert (off.end, off.address) == (End.OFF, 0xF39E)
    assert walk(made.read, Paging(None, 0), 1 << 32).end is End.NOT_CANONICAL
    assert made.reads == []


def test_a_root_that_leads_to_itself_ends() -> None:
    made = Memory()
    made.put(ROOT >> 12, 511, ROOT | RIGHTS)
    found = walk(made.read, LONG, (1 << 64) - 4096)
    assert {step.table for step in found.steps} == {ROOT}
    assert (found.end, found.frame, len(made.reads)) == (End.PAGE, ROOT >> 12, 4)


@pytest.mark.parametrize("size", [0, 8, 4095, 4097])
def test_a_frame_of_another_length_counts_as_none(size: int) -> None:
    assert walk(lambda _: bytes(size), LONG, TEXT).end is End.UNREADABLE


def test_a_right_that_one_level_withholds() -> None:
    rights = (0x1000 | P | W, 0x2000 | P | W | U | NX, 0x3000 | P | U, 0x4000 | P | W | U)
    assert walk(memory(LONG, 0, rights).read, LONG, 0).allows() == ()
    # A root of PAE has no rights to withhold.
    how = Paging(PAE, 0x9000)
    entries = (0x1000 | P, 0x2000 | RIGHTS, 0x3000 | RIGHTS)
    assert walk(memory(how, 0, entries).read, how, 0).allows() == ("writable", "user", "executable")


def test_tables_that_change_once_are_walked_until_two_walks_agree() -> None:
    made = memory(LONG, TEXT, ENTRIES)

    def read(frame: int) -> bytes | None:
        page = made.read(frame)
        if len(made.reads) == 4:
            made.put(0x14B413, 68, 0x777000 | P)
        return page

    found, agreed = settled(read, LONG, TEXT)
    assert (found.frame, agreed, len(made.reads)) == (0x777, True, 12)


def test_tables_that_always_change_are_said_to() -> None:
    made = memory(LONG, TEXT, ENTRIES)

    def read(frame: int) -> bytes | None:
        made.put(0x14B413, 68, len(made.reads) << 12 | P)
        return made.read(frame)

    found, agreed = settled(read, LONG, TEXT)
    assert not agreed
    assert (found.end, len(made.reads)) == (End.PAGE, 4 * (TRIES + 1))


def test_a_range_is_walked_by_what_there_is() -> None:
    made = Memory()
    made.map(FOUR_LEVELS, ROOT, 0, (0x1000 | P, 0x2000 | P, 0x3000 | P, 0x4000 | P))
    made.map(FOUR_LEVELS, ROOT, 0x20_0000, (0x1000 | P, 0x2000 | P, 0xA00000 | LARGE | P))
    found = list(pages(cached(made.read), LONG, 0, 0x40_0000 + 4096))
    ends = [(each.va, each.end, each.page_bytes) for each in found]
    assert ends[:2] == [(0, End.PAGE, 4096), (0x1000, End.ABSENT, 0)]
    assert ends[512:] == [(0x20_0000, End.PAGE, 1 << 21), (0x40_0000, End.ABSENT, 0)]
    assert sorted(made.reads) == [1, 2, 3, ROOT >> 12]


@pytest.mark.parametrize(
    ("how", "va", "expected"),
    [
        (LONG, 0, 1 << 39),
        (LONG, 0x7FFF_FFFF_F000, 1 << 47),
        (LONG, 1 << 47, 0xFFFF_8000_0000_0000),
        (LONG, 0xFFFF_FFFF_FFFF_F000, 1 << 64),
        (Paging(PAE, ROOT), 1 << 33, 1 << 64),
        (Paging(None, 0), 5, 1 << 32),
    ],
)
def test_where_a_range_goes_on(how: Paging, va: int, expected: int) -> None:
    made = Memory()
    made.put(ROOT >> 12, 0, 0)
    assert beyond(how, walk(made.read, how, va)) == expected


def test_a_whole_table_that_cannot_be_read_is_one_stretch() -> None:
    made = memory(LONG, 0x1234_5000, (0x1000 | P, 0x2000 | P, 0x3000 | P))
    assert beyond(LONG, walk(made.read, LONG, 0x1234_5000)) == 0x1240_0000


@given(st.data())
def test_hostile_tables_end(data: st.DataObject) -> None:
    frames = {frame: data.draw(st.binary(min_size=8, max_size=8)) * 512 for frame in range(4)}
    va = data.draw(st.integers(0, (1 << 64) - 1))
    for mode in (FIVE_LEVELS, FOUR_LEVELS, PAE, TWO_LEVELS):
        how = Paging(mode, 0)
        found = walk(lambda frame: frames[frame & 3], how, va)
        assert len(found.steps) <= len(mode.levels)
        assert (found.address is not None) == (found.end is End.PAGE)
        assert beyond(how, found) > va
