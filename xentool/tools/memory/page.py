"""The picture of a walk as a page: the address cut into its indices, and a card for each table. Names are escaped."""

from typing import NamedTuple

from traces.exporters.templates import filled
from xentool.tools.memory import picture, words
from xentool.tools.memory.look import Seen
from xentool.tools.memory.paging import Leads


class Card(NamedTuple):
    """A table or the page at the end.

    :param where: which entry, or byte, the address takes there
    :param entry: the entry in hexadecimal; empty for the page
    :param flags: each with whether it is set
    """

    title: str
    places: list[str]
    where: str
    entry: str
    leads: str
    flags: list[tuple[str, bool]]
    lines: list[str]


#: Flags that are told whether they are set or not.
_ALWAYS = ("writable", "user", "accessed")


def page(seen: Seen) -> bytes:
    """Make the page: one file, without scripts, that loads nothing."""
    return filled(
        "xentool.tools.memory",
        "walk.html",
        "walk.css",
        title=f"{seen.subject.name or seen.subject.domid}: {seen.walk.va:#x}",
        heading=words.who(seen.subject),
        how=words.how(seen.subject),
        va=f"{seen.walk.va:#x}",
        bits=picture.bits(seen),
        cards=_cards(seen),
        end=words.end(seen),
        remarks=list(picture.remarks(seen)),
    )


def _cards(seen: Seen) -> list[Card]:
    cards = []
    for step, facts in zip(seen.walk.steps, seen.tables, strict=True):
        entry = step.entry
        cards.append(
            Card(
                f"L{step.level.number} table",
                picture.places(seen.subject, step.table, facts),
                str(step.index),
                "cannot be read" if entry is None else f"{entry.raw:#018x}",
                "" if entry is None else picture.leads(seen.subject, entry),
                []
                if entry is None or entry.leads is Leads.ABSENT
                else [*((name, name in entry.flags) for name in _ALWAYS)]
                + [(name, True) for name in entry.flags if name not in _ALWAYS],
                [] if entry is None else picture.bits_besides(entry),
            )
        )
    if seen.page is not None and seen.walk.address is not None:
        inside = picture.of_page(seen, seen.page, seen.walk.address)
        offset = f"+{seen.walk.va & (seen.walk.page_bytes - 1):#x}"
        places = picture.places(seen.subject, seen.walk.address, seen.page)
        cards.append(Card(f"page of {words.size(seen.walk.page_bytes)}", places, offset, "", "", [], inside))
    return cards
