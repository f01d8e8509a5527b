"""A virtual address through the tables, as the processor goes; and a range of them, page by page.

Law: memory is asked for by one function, a frame at a time, and may be changed by its guest while it is read. A walk
takes as many steps as there are levels, whatever tables say; so it ends for tables that lead to themselves too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from xentool.tools.memory.paging import ADDRESS_SPACE, PAGE_BYTES, PAGE_SHIFT, Entry, Leads, Level, Paging, entry

#: Gives the 4096 bytes of a frame; None where it cannot be read: it is not the guest's, or there is no such memory.
Read = Callable[[int], bytes | None]

#: How often a walk is tried until two in a row agree.
TRIES = 4


class End(Enum):
    """How a walk ends."""

    PAGE = "page"
    ABSENT = "not present"
    RESERVED = "reserved bits"
    UNREADABLE = "table not readable"
    NOT_CANONICAL = "not canonical"
    OFF = "paging is off"


@dataclass(frozen=True)
class Step:
    """A table on the way.

    :param table: its address
    :param entry: None where the table cannot be read
    """

    level: Level
    table: int
    index: int
    entry: Entry | None


@dataclass(frozen=True)
class Walk:
    """The way of an address.

    :param address: where its byte is, of the memory that tables speak of; None where it is nowhere
    :param page_bytes: of the page that it is in; 0 where it is in none
    """

    va: int
    steps: tuple[Step, ...]
    end: End
    address: int | None = None
    page_bytes: int = 0

    @property
    def frame(self) -> int | None:
        """The frame of 4 KiB that the address is in."""
        return None if self.address is None else self.address >> PAGE_SHIFT

    def allows(self) -> tuple[str, ...]:
        """Tell what all levels together let be done there: of writable, user, executable.

        CR0.WP, SMEP, SMAP and the like take some of it away.
        """
        entries = [step.entry for step in self.steps if step.entry and step.level.rights]
        named = (
            ("writable", all(each.writable for each in entries)),
            ("user", all(each.user for each in entries)),
            ("executable", all(each.executable for each in entries)),
        )
        return tuple(name for name, allowed in named if allowed) if self.end is End.PAGE else ()


_ENDS = {Leads.ABSENT: End.ABSENT, Leads.RESERVED: End.RESERVED}


def walk(read: Read, how: Paging, va: int) -> Walk:
    """Follow an address through the tables."""
    mode = how.mode
    if mode is None:
        return Walk(va, (), End.OFF, va) if va < 1 << 32 else Walk(va, (), End.NOT_CANONICAL)
    if not mode.canonical(va):
        return Walk(va, (), End.NOT_CANONICAL)
    steps: list[Step] = []
    table = how.root
    for level in mode.levels:
        index = level.index(va)
        at = table + index * mode.entry_bytes
        page = read(at >> PAGE_SHIFT)
        within = at & (PAGE_BYTES - 1)
        if page is None or len(page) != PAGE_BYTES:
            return Walk(va, (*steps, Step(level, table, index, None)), End.UNREADABLE)
        found = entry(how, level, int.from_bytes(page[within : within + mode.entry_bytes], "little"))
        steps.append(Step(level, table, index, found))
        if found.address is None:
            return Walk(va, tuple(steps), _ENDS[found.leads])
        if found.leads is Leads.PAGE:
            return Walk(va, tuple(steps), End.PAGE, found.address | va & (level.span - 1), level.span)
        table = found.address
    raise AssertionError("entries of the last level lead to pages, or nowhere")


def settled(read: Read, how: Paging, va: int) -> tuple[Walk, bool]:
    """Walk until two walks in a row agree; the last one, and whether it agrees with the one before."""
    before = walk(read, how, va)
    for _ in range(TRIES):
        now = walk(read, how, va)
        if now == before:
            return now, True
        before = now
    return before, False


def cached(read: Read) -> Read:
    """Have each frame read once: pages of a range share their tables."""
    known: dict[int, bytes | None] = {}

    def remembered(frame: int) -> bytes | None:
        if frame not in known:
            known[frame] = read(frame)
        return known[frame]

    return remembered


def pages(read: Read, how: Paging, start: int, end: int) -> Iterator[Walk]:
    """Walk a range: a walk for each page, whatever its size, and for each stretch without one."""
    va = start
    while va < end:
        found = walk(read, how, va)
        yield found
        va = beyond(how, found)


def beyond(how: Paging, found: Walk) -> int:
    """Give the first address that another walk is needed for."""
    if found.end is End.OFF:
        return 1 << 32
    if found.end is End.NOT_CANONICAL:
        return how.mode.upper_begin if how.mode else ADDRESS_SPACE
    last = found.steps[-1].level
    span = found.page_bytes or (last.span if found.steps[-1].entry else last.span << last.bits)
    return (found.va | (span - 1)) + 1
