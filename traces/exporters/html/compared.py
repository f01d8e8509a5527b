"""A comparison of techniques as a page: of each work, a table with bars for every figure, a technique a row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from traces.analyses.phases.comparison import Comparison
from traces.exporters import compared
from traces.exporters.cells import SHARE, WORDS, Cell, Column, Section
from traces.exporters.html import rendered
from traces.exporters.html.tables import Table, table


@dataclass(frozen=True)
class Work:
    """A work: its name, what is to be known of it, and its tables."""

    name: str
    note: str
    tables: Sequence[Table]


@dataclass(frozen=True)
class Page:
    """What the page consists of."""

    techniques: Table
    works: Sequence[Work]
    notes: Sequence[str]


def page(found: Comparison) -> bytes:
    """Make the page."""
    return rendered("compared.html", contents(found))


def contents(found: Comparison) -> Page:
    """Put the page together."""
    rows = [[Cell(text) for text in (each.name, each.meaning, each.runs, each.backend)] for each in found.techniques]
    rows += [[Cell(name), Cell("left out"), Cell(why), Cell("")] for name, why in found.left_out.items()]
    techniques = Section("technique", [Column(name, WORDS) for name in ("what it is", "runs", "backend")], rows)
    works = [
        Work(work, sections[0].note, [table(one) for section in sections for one in _turned(section)])
        for work in found.works
        if (sections := compared.of_work(found, work))
    ]
    return Page(table(techniques), works, compared.notes(found))


def _turned(section: Section) -> Iterable[Section]:
    # A row of the text is a table here, in which techniques can be compared by eye.
    unit = section.columns[0].unit
    column = Column("share of time" if unit == SHARE else "per request", unit, bar=True)
    for name, *cells in section.rows:
        rows = [[Cell(each.name), cell] for each, cell in zip(section.columns, cells, strict=True)]
        yield Section(name.text, [column], rows)
