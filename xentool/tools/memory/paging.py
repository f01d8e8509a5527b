"""How x86 translates: levels of tables, and what an entry means. Data and pure functions; nothing here reads memory.

Law: entries are a guest's own words. Any 64 bits are decoded to something, and nothing raises for one.

Ref: Intel SDM volume 3, chapter 4 (figures 4-4 and 4-11, tables 4-3 to 4-20); AMD APM volume 2, chapter 5
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

PAGE_SHIFT = 12
PAGE_BYTES = 1 << PAGE_SHIFT
ADDRESS_SPACE = 1 << 64

_PRESENT = 1 << 0
_WRITABLE = 1 << 1
_USER = 1 << 2
_LARGE = 1 << 7  # in the last level the same bit is PAT
_NO_EXECUTE = 1 << 63
_FRAME = 0x000FFFFFFFFFF000
_SOFTWARE = 0x7FF << 52 | 0xE00
_KEY_SHIFT, _KEY = 59, 0xF << 59

_CR0_PG = 1 << 31
_CR4_PSE = 1 << 4
_CR4_PAE = 1 << 5
_CR4_LA57 = 1 << 12
_CR4_PKE = 1 << 22
_EFER_LMA = 1 << 10
_EFER_NXE = 1 << 11

#: Names of bits: those that any entry has, and those of entries that map a page.
_ANY = ((1, "writable"), (2, "user"), (3, "write-through"), (4, "uncached"), (5, "accessed"))
_OF_PAGES = ((6, "dirty"), (8, "global"))


@dataclass(frozen=True)
class Level:
    """A level of tables.

    :param number: as in L4
    :param shift: the lowest bit of an address that its index is made of
    :param bits: how many these are
    :param large: whether an entry may map a page by itself
    :param reserved: bits that have to be 0
    :param rights: whether an entry says who may do what below it
    """

    number: int
    shift: int
    bits: int
    large: bool = False
    reserved: int = 0
    rights: bool = True

    def index(self, va: int) -> int:
        """Give which entry an address takes."""
        return va >> self.shift & ((1 << self.bits) - 1)

    @property
    def span(self) -> int:
        """How many bytes of addresses an entry stands for."""
        return 1 << self.shift


@dataclass(frozen=True)
class Mode:
    """A way to translate.

    :param entry_bytes: how wide an entry is
    :param levels: from the root down
    :param address_bits: of a virtual address; where it has 64, the others repeat the highest of these
    """

    title: str
    entry_bytes: int
    levels: tuple[Level, ...]
    address_bits: int

    def canonical(self, va: int) -> bool:
        """Tell whether an address is one at all."""
        return va < self.lower_end or self.upper_begin <= va < ADDRESS_SPACE

    @property
    def lower_end(self) -> int:
        """Where addresses end, or their lower half does."""
        return 1 << (32 if self.address_bits == 32 else self.address_bits - 1)

    @property
    def upper_begin(self) -> int:
        """Where their upper half begins; behind all where there is none."""
        return ADDRESS_SPACE - (0 if self.address_bits == 32 else self.lower_end)


_LAST = (Level(2, 21, 9, large=True), Level(1, 12, 9))
_LONG = (Level(4, 39, 9, reserved=_LARGE), Level(3, 30, 9, large=True), *_LAST)
FIVE_LEVELS = Mode("5-level", 8, (Level(5, 48, 9, reserved=_LARGE), *_LONG), 57)
FOUR_LEVELS = Mode("4-level", 8, _LONG, 48)
#: The processor reads its root's entries when CR3 is loaded, and not again.
PAE = Mode("PAE", 8, (Level(3, 30, 2, reserved=0x1E6 | 0xFFF << 52, rights=False), *_LAST), 32)
#: Of a 32-bit PV guest: its root is a table of Xen's 64-bit ones, with rights as all of these have.
PV32 = Mode("PAE", 8, (Level(3, 30, 2, reserved=_LARGE), *_LAST), 32)
TWO_LEVELS = Mode("2-level", 4, (Level(2, 22, 10, large=True), Level(1, 12, 10)), 32)


@dataclass(frozen=True)
class Paging:
    """How a vCPU translates at a moment.

    :param mode: None where paging is off
    :param root: address of the first table
    :param large: whether entries may map large pages (CR4.PSE, which counts for two levels alone)
    :param no_execute: whether entries may forbid to execute (EFER.NXE); else that bit is reserved
    :param keys: whether pages have protection keys (CR4.PKE)
    :param marks: what bits that are free for software mean here, by number
    """

    mode: Mode | None
    root: int
    large: bool = True
    no_execute: bool = True
    keys: bool = False
    marks: Mapping[int, str] = field(default_factory=dict)


def paging(cr0: int, cr3: int, cr4: int, efer: int) -> Paging:
    """Give how a processor with these registers translates."""
    nx, keys = bool(efer & _EFER_NXE), bool(cr4 & _CR4_PKE)
    if not cr0 & _CR0_PG:
        return Paging(None, 0)
    if efer & _EFER_LMA:
        return Paging(FIVE_LEVELS if cr4 & _CR4_LA57 else FOUR_LEVELS, cr3 & _FRAME, no_execute=nx, keys=keys)
    if cr4 & _CR4_PAE:
        return Paging(PAE, cr3 & 0xFFFFFFE0, no_execute=nx)
    return Paging(TWO_LEVELS, cr3 & 0xFFFFF000, large=bool(cr4 & _CR4_PSE))


class Leads(Enum):
    """Where an entry leads."""

    TABLE = "table"
    PAGE = "page"
    ABSENT = "not present"
    RESERVED = "reserved bits"


@dataclass(frozen=True)
class Entry:
    """An entry of a table.

    :param address: of the table or page; None where it leads nowhere
    :param flags: names of what is set
    :param software: numbers of bits that are set and mean nothing to a processor
    :param reserved: numbers of bits that are set and must not be
    """

    raw: int
    leads: Leads
    address: int | None
    flags: tuple[str, ...] = ()
    software: tuple[int, ...] = ()
    reserved: tuple[int, ...] = ()

    @property
    def writable(self) -> bool:
        """Whether it lets pages be written to."""
        return bool(self.raw & _WRITABLE)

    @property
    def user(self) -> bool:
        """Whether it lets user mode in."""
        return bool(self.raw & _USER)

    @property
    def executable(self) -> bool:
        """Whether it lets pages be executed."""
        return not self.raw & _NO_EXECUTE


def entry(how: Paging, level: Level, raw: int) -> Entry:
    """Tell what an entry of a level means."""
    wide = how.mode is not None and how.mode.entry_bytes == 8
    if not raw & _PRESENT:
        return Entry(raw, Leads.ABSENT, None)
    large = level.large and how.large and bool(raw & _LARGE)
    page = large or level.shift == PAGE_SHIFT
    if wide:
        address = raw & _FRAME & -level.span if large else raw & _FRAME
        must_be_0 = level.reserved | (0 if how.no_execute else _NO_EXECUTE)
        must_be_0 |= (level.span - 1) & _FRAME & ~(1 << PAGE_SHIFT) if large else 0  # bit 12 is PAT
    else:
        # PSE-36: bits 32 to 39 of a large page's address are in its entry's bits 13 to 20.
        address = raw & 0xFFC00000 | (raw >> 13 & 0xFF) << 32 if large else raw & 0xFFFFF000
        must_be_0 = 1 << 21 if large else 0
    flags = [name for bit, name in (*_ANY, *(_OF_PAGES if page else ())) if raw >> bit & 1]
    if large:
        flags.append("large")
    if page and raw & (1 << PAGE_SHIFT if large else _LARGE):
        flags.append("PAT")
    if wide and raw & _NO_EXECUTE:
        flags.append("no-execute")
    software = raw & (_SOFTWARE if wide else 0xE00)
    if page and how.keys:
        flags.append(f"key {(raw & _KEY) >> _KEY_SHIFT}")
        software &= ~_KEY
    flags += [name for bit, name in how.marks.items() if page and software >> bit & 1]
    marked = how.marks if page else ()
    leads = Leads.RESERVED if raw & must_be_0 else Leads.PAGE if page else Leads.TABLE
    return Entry(
        raw,
        leads,
        None if leads is Leads.RESERVED else address,
        tuple(flags),
        tuple(bit for bit in _set(software) if bit not in marked),
        _set(raw & must_be_0),
    )


def _set(bits: int) -> tuple[int, ...]:
    return tuple(bit for bit in range(64) if bits >> bit & 1)
