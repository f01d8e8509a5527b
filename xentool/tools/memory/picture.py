"""The picture of a walk, as text of 79 columns: a box for each table, its index at the left, the way to the next."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from xentool.tools.memory import words
from xentool.tools.memory.guest import Facts, Subject
from xentool.tools.memory.look import Run, Seen
from xentool.tools.memory.paging import ADDRESS_SPACE, PAGE_BYTES, PAGE_SHIFT, Entry, Leads

WIDTH = 79
_LEFT = 10
_INSIDE = WIDTH - _LEFT - 4
#: What is allowed in a range, as ls tells it of files; whatever is present can be read.
_LETTERS = (("w", "writable"), ("x", "executable"), ("u", "user"))


def one(seen: Seen) -> Iterator[str]:
    """Draw an address."""
    subject, walk = seen.subject, seen.walk
    yield from heading(subject)
    yield ""
    yield f"VA {walk.va:#x}"
    cut = bits(seen)
    for title, column in (("bits", 0), ("", 1)) if cut else ():
        yield f"  {title:<4}" + "".join(f"{part[column]:>10}" for part in cut)
    yield ""
    if walk.steps:
        yield f"  root at {walk.steps[0].table:#x}"
    for step, facts in zip(walk.steps, seen.tables, strict=True):
        entry = step.entry
        inside = ["it cannot be read"] if entry is None else _entry(subject, entry)
        title = ", ".join((f"L{step.level.number} table", *places(subject, step.table, facts)))
        yield from _box(title, str(step.index), inside, leads=entry is not None and entry.address is not None)
    if seen.page is not None and walk.address is not None:
        title = ", ".join((f"page of {words.size(walk.page_bytes)}", *places(subject, walk.address, seen.page)))
        inside = [line for text in of_page(seen, seen.page, walk.address) for line in wrap(text, _INSIDE)]
        offset = f"+{walk.va & (walk.page_bytes - 1):#x}"
        # Of a large page it has no room at the left; it is among the bits above.
        yield from _box(title, offset if len(offset) <= _LEFT - 4 else "offset", inside, leads=False)
    if said := words.end(seen):
        yield from wrap(said, WIDTH, initial_indent="  ", subsequent_indent="  ")
    for remark in remarks(seen):
        yield ""
        yield from wrap(remark, WIDTH)


def heading(subject: Subject) -> Iterator[str]:
    """Say who is looked at, and how it translates."""
    yield from wrap(words.who(subject), WIDTH)
    yield from wrap(words.how(subject), WIDTH)


def bits(seen: Seen) -> list[tuple[str, str]]:
    """Cut an address as its tables do: bits from and to, and what they are; nothing where paging is off."""
    mode, va = seen.subject.vcpu.paging.mode, seen.walk.va
    if mode is None:
        return []
    offset = (seen.walk.page_bytes or PAGE_BYTES).bit_length() - 1
    sign = [(f"63…{mode.address_bits}", f"{va >> mode.address_bits:#x}")] if mode.upper_begin < ADDRESS_SPACE else []
    indices = [
        (f"{level.shift + level.bits - 1}…{level.shift}", str(level.index(va)))
        for level in mode.levels
        if level.shift >= offset
    ]
    return [*sign, *indices, (f"{offset - 1}…0", f"{va & ((1 << offset) - 1):#x}")]


def places(subject: Subject, address: int, facts: Facts) -> list[str]:
    """Say which frame something is in, by all of its numbers, and what Xen takes it for."""
    found = [f"{subject.frames} {address >> PAGE_SHIFT:#x}"]
    if subject.frames == "mfn" and facts.gfn is not None:
        found.append(f"pfn {facts.gfn:#x}")
    if subject.frames == "gfn" and facts.mfn is not None:
        found.append(f"host frame {facts.mfn:#x}")
    if facts.table is not None:
        found.append(f"type L{facts.table}{', pinned' if facts.pinned else ''}")
    return found


def leads(subject: Subject, entry: Entry) -> str:
    """Say where an entry leads."""
    if entry.address is None:
        return entry.leads.value
    return f"──► {entry.leads.value} at {subject.frames} {entry.address >> PAGE_SHIFT:#x}"


def bits_besides(entry: Entry) -> list[str]:
    """Say which bits of an entry are set that have no name."""
    return [
        f"{title}: {'bits' if len(numbers) > 1 else 'bit'} {', '.join(map(str, numbers))}"
        for title, numbers in (("free for software", entry.software), ("must be 0", entry.reserved))
        if numbers
    ]


def of_page(seen: Seen, facts: Facts, address: int) -> list[str]:
    """Tell about the page at a walk's end."""
    found = [f"the byte is at {address:#x}"]
    if whose := words.owner(seen.subject, facts):
        found.append(f"mfn {facts.mfn:#x} is {whose}")
    if seen.subject.frames == "mfn":
        back = "has no pfn of this guest's for it" if facts.gfn is None else f"leads back to pfn {facts.gfn:#x}"
        found.append(f"Xen's table of machine frames {back}")
    if facts.hva is not None:
        found.append(f"in QEMU's memory at {facts.hva:#x}")
    return [*found, f"all levels together allow: {', '.join(('readable', *seen.walk.allows()))}"]


def remarks(seen: Seen) -> Iterator[str]:
    """Say what else is to be known."""
    yield from (f"{said}." for said in words.not_told(seen.subject))
    if not seen.settled:
        yield "The tables were changed while they were read: this may be no way that ever was."
    if any(step.entry and "kernel's" in step.entry.flags for step in seen.walk.steps):
        yield (
            "kernel's: a 64-bit PV kernel runs in ring 3, as user mode does, so Xen sets `user` for its pages too and "
            "tells them apart by bit 52."
        )


def _entry(subject: Subject, entry: Entry) -> list[str]:
    found = [f"{entry.raw:#018x} {leads(subject, entry)}"]
    if entry.leads is not Leads.ABSENT:
        read_only = () if entry.writable else ("read-only",)
        found += wrap(", ".join((*read_only, *entry.flags)), _INSIDE)
    return [*found, *(line for text in bits_besides(entry) for line in wrap(text, _INSIDE))]


def _box(title: str, index: str, inside: Sequence[str], *, leads: bool) -> Iterator[str]:
    # As wide as a line is, or what has to be in it.
    room = max(_INSIDE, *map(len, inside), len(title) + 1)
    yield f"{'  ▼':<{_LEFT}}┌ {title} {'─' * (room - len(title))}┐"
    arrow = f"  {index} ".ljust(_LEFT - 1, "─") + "►"
    for left, line in zip((arrow, *[" " * _LEFT] * len(inside)), inside, strict=False):
        yield f"{left}│ {line:<{room}} │"
    yield f"  ┌{'─' * (_LEFT - 3)}┴{'─' * (room + 2)}┘" if leads else f"{' ' * _LEFT}└{'─' * (room + 2)}┘"


def many(found: Sequence[Run], subject: Subject) -> Iterator[tuple[str, ...]]:
    """Give the rows of a range: address, pages, frame, its other number, what is allowed, whose it is if another's."""
    for run in found:
        first, facts = run.address, run.facts
        if first is None or facts is None:
            yield f"{run.va:#x}", words.size(run.bytes), "", "", run.end.value, ""
            continue
        other = facts.gfn if subject.frames == "mfn" else facts.mfn
        own = facts.owner in (None, subject.domid) and not facts.special
        yield (
            f"{run.va:#x}",
            f"{run.pages} x {words.size(run.page_bytes)}",
            f"{first >> PAGE_SHIFT:#x}",
            "" if other is None else f"{other:#x}",
            "r" + "".join(letter if name in run.allows else "-" for letter, name in _LETTERS),
            "" if own else words.owner(subject, facts) or "",
        )
