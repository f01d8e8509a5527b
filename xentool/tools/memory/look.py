"""An address, or a range, of a guest: its walk, and what is known of each frame on the way. Pure, but for the guest."""

from dataclasses import dataclass, replace
from itertools import islice

from xentool.tools.memory.guest import Facts, Guest, Subject
from xentool.tools.memory.paging import PAGE_SHIFT
from xentool.tools.memory.walk import End, Walk, beyond, cached, pages, settled

#: Pages, and stretches without one, that a range may have.
MOST = 65536

#: What the processor notes in entries as it goes: it tells pages apart that are alike in all else.
_MARKS = ("accessed", "dirty")


@dataclass(frozen=True)
class Seen:
    """An address.

    :param settled: whether two walks in a row agreed
    :param tables: what is known of each step's table
    :param page: what is known of the page; None where the walk ends before one
    """

    subject: Subject
    walk: Walk
    settled: bool
    tables: tuple[Facts, ...]
    page: Facts | None


def look(guest: Guest, va: int) -> Seen:
    """Walk an address.

    :raises XentoolError: whoever is asked is gone
    """
    found, agreed = settled(guest.read, guest.subject.vcpu.paging, va)
    frames = [step.table >> PAGE_SHIFT for step in found.steps]
    facts = guest.facts(frames if found.frame is None else [*frames, found.frame])
    return Seen(
        guest.subject, found, agreed, tuple(facts[: len(frames)]), facts[-1] if found.frame is not None else None
    )


@dataclass(frozen=True)
class Run:
    """A stretch of addresses that are alike, and lie in their memory as they do in addresses.

    :param pages: how many there are; 0 where there is none
    :param flags: of the entries that map them, but for what the processor notes there
    :param facts: of the first frame
    """

    va: int
    bytes: int
    end: End
    page_bytes: int
    pages: int
    address: int | None
    allows: tuple[str, ...]
    flags: tuple[str, ...]
    facts: Facts | None

    def joins(self, other: "Run") -> bool:
        """Tell whether another, which begins where this ends, goes on like this."""
        mine = (self.end, self.page_bytes, self.allows, self.flags)
        if mine != (other.end, other.page_bytes, other.allows, other.flags):
            return False
        if self.address is None or self.facts is None or other.facts is None:
            return self.address == other.address
        return other.address == self.address + self.bytes and other.facts == self.facts.at(self.bytes)


def runs(guest: Guest, start: int, end: int) -> tuple[list[Run], int]:
    """Walk a range.

    :param end: the first address behind it
    :returns: what there is, and where it ends: before `end`, if there was more than `MOST`
    :raises XentoolError: whoever is asked is gone
    """
    how = guest.subject.vcpu.paging
    walks = list(islice(pages(cached(guest.read), how, start, end), MOST))
    facts = iter(guest.facts([each.frame for each in walks if each.frame is not None]))
    found: list[Run] = []
    last = start
    for each in walks:
        last = min(beyond(how, each), end)
        run = _run(each, last - each.va, None if each.frame is None else next(facts))
        if found and found[-1].joins(run):
            before = found[-1]
            found[-1] = replace(before, bytes=before.bytes + run.bytes, pages=before.pages + run.pages)
        else:
            found.append(run)
    return found, last


def _run(each: Walk, length: int, facts: Facts | None) -> Run:
    entry = each.steps[-1].entry if each.steps else None
    size = each.page_bytes
    flags = tuple(flag for flag in entry.flags if flag not in _MARKS) if entry else ()
    return Run(each.va, length, each.end, size, int(size > 0), each.address, each.allows(), flags, facts)
