"""What entries mean, in each mode, and how registers choose it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.xentool.tools.memory.guests import LARGE, NX, A, D, G, P, U, W
from xentool.tools.memory.paging import (
    FIVE_LEVELS,
    FOUR_LEVELS,
    PAE,
    PV32,
    TWO_LEVELS,
    Leads,
    Mode,
    Paging,
    entry,
    paging,
)
from xentool.tools.memory.xen_structs import MARKS

PG, PAE_BIT, PSE, LA57, PKE, LMA, NXE = 1 << 31, 1 << 5, 1 << 4, 1 << 12, 1 << 22, 1 << 10, 1 << 11
LONG = Paging(FOUR_LEVELS, 0)


@pytest.mark.parametrize(
    ("cr0", "cr3", "cr4", "efer", "expected"),
    [
        (0, 0x1000, PAE_BIT, 0, Paging(None, 0)),
        (PG, 0x8000_0000_0012_3FFF, PAE_BIT, LMA | NXE, Paging(FOUR_LEVELS, 0x123000)),
        (PG, 0x123001, PAE_BIT | LA57 | PKE, LMA, Paging(FIVE_LEVELS, 0x123000, no_execute=False, keys=True)),
        (PG, 0xFFFF_FFFF_0012_303F, PAE_BIT | LA57, NXE, Paging(PAE, 0x123020)),
        (PG, 0x123018, PSE, NXE, Paging(TWO_LEVELS, 0x123000)),
        (PG, 0x123018, 0, 0, Paging(TWO_LEVELS, 0x123000, large=False)),
    ],
)
def test_registers_choose_how_addresses_are_translated(
    cr0: int, cr3: int, cr4: int, efer: int, expected: Paging
) -> None:
    assert paging(cr0, cr3, cr4, efer) == expected


@pytest.mark.parametrize(
    ("how", "number", "raw", "leads", "address", "flags"),
    [
        (LONG, 4, 0x149415067, Leads.TABLE, 0x149415000, "writable, user, accessed"),
        (LONG, 4, 0x149415067 | LARGE, Leads.RESERVED, None, "writable, user, accessed"),
        (LONG, 3, 0x40000000 | NX | LARGE | G | P, Leads.PAGE, 0x40000000, "global, large, no-execute"),
        (LONG, 3, 0x40002000 | LARGE | P, Leads.RESERVED, None, "large"),
        (LONG, 3, 0x40001000 | LARGE | P, Leads.PAGE, 0x40000000, "large, PAT"),
        (LONG, 2, 0x200000 | LARGE | W | D | P, Leads.PAGE, 0x200000, "writable, dirty, large"),
        (LONG, 2, 0x300000 | LARGE | P, Leads.RESERVED, None, "large"),
        (LONG, 1, 0x5000 | LARGE | A | P, Leads.PAGE, 0x5000, "accessed, PAT"),
        (LONG, 1, 0x5000 | W | U, Leads.ABSENT, None, ""),
        (Paging(FOUR_LEVELS, 0, no_execute=False), 1, 0x5000 | NX | P, Leads.RESERVED, None, "no-execute"),
        (Paging(FOUR_LEVELS, 0, keys=True), 1, 0x5000 | 9 << 59 | P, Leads.PAGE, 0x5000, "key 9"),
        (Paging(FIVE_LEVELS, 0), 5, 0x6000 | LARGE | P, Leads.RESERVED, None, ""),
        (Paging(PAE, 0), 3, 0x7000 | P, Leads.TABLE, 0x7000, ""),
        (Paging(PAE, 0), 3, 0x7000 | W | P, Leads.RESERVED, None, "writable"),
        (Paging(PV32, 0), 3, 0x7000 | W | U | P, Leads.TABLE, 0x7000, "writable, user"),
        (Paging(TWO_LEVELS, 0), 2, 0x0040_0000 | 0x12 << 13 | LARGE | P, Leads.PAGE, 0x12_0040_0000, "large"),
        (Paging(TWO_LEVELS, 0), 2, 0x0060_0000 | LARGE | P, Leads.RESERVED, None, "large"),
        (Paging(TWO_LEVELS, 0, large=False), 2, 0x0040_0000 | LARGE | P, Leads.TABLE, 0x400000, ""),
        (Paging(TWO_LEVELS, 0), 1, 0xFFFFF000 | U | P, Leads.PAGE, 0xFFFFF000, "user"),
    ],
)
def test_an_entry(how: Paging, number: int, raw: int, leads: Leads, address: int | None, flags: str) -> None:
    assert how.mode is not None
    (level,) = (each for each in how.mode.levels if each.number == number)
    found = entry(how, level, raw)
    assert (found.leads, found.address, ", ".join(found.flags)) == (leads, address, flags)


def test_which_bits_must_be_0_and_which_are_free() -> None:
    level = FOUR_LEVELS.levels[1]
    found = entry(LONG, level, 0x40006000 | LARGE | 1 << 9 | 1 << 11 | 1 << 58 | P)
    assert found.reserved == (13, 14)
    assert found.software == (9, 11, 58)


def test_xens_own_marks_have_names_in_pages_alone() -> None:
    how = Paging(FOUR_LEVELS, 0, marks=MARKS)
    raw = 0x148C44065 | 1 << 52 | 1 << 53
    found = entry(how, FOUR_LEVELS.levels[3], raw)
    assert (found.flags[-1], found.software) == ("kernel's", (53,))
    assert entry(how, FOUR_LEVELS.levels[0], raw).software == (52, 53)


@pytest.mark.parametrize(
    ("mode", "inside", "outside"),
    [
        (FOUR_LEVELS, (0, 0x7FFF_FFFF_FFFF, 0xFFFF_8000_0000_0000, (1 << 64) - 1), (1 << 47, 0xFFFF_7FFF_FFFF_FFFF)),
        (FIVE_LEVELS, (0xFF_FFFF_FFFF_FFFF, 0xFF00_0000_0000_0000), (1 << 56, 0xFEFF_FFFF_FFFF_FFFF)),
        (PAE, (0xFFFF_FFFF,), (1 << 32, (1 << 64) - 1)),
    ],
)
def test_canonical_addresses(mode: Mode, inside: tuple[int, ...], outside: tuple[int, ...]) -> None:
    assert all(map(mode.canonical, inside))
    assert not any(map(mode.canonical, outside))


@given(st.integers(0, (1 << 64) - 1), st.booleans(), st.booleans(), st.booleans())
def test_any_bits_are_an_entry(raw: int, large: bool, no_execute: bool, keys: bool) -> None:
    for mode in (FIVE_LEVELS, FOUR_LEVELS, PAE, PV32, TWO_LEVELS):
        how = Paging(mode, 0, large, no_execute, keys, MARKS)
        for level in mode.levels:
            found = entry(how, level, raw & ((1 << 8 * mode.entry_bytes) - 1))
            assert (found.leads in (Leads.TABLE, Leads.PAGE)) == (found.address is not None)
            assert found.address is None or (found.address < 1 << 52 and found.address % 4096 == 0)
            if found.leads is Leads.PAGE:
                assert found.address is not None
                assert found.address % level.span == 0
            assert (found.leads is Leads.PAGE) or level.shift > 12 or found.address is None
