"""Many captures as a page."""

from collections.abc import Sequence
from dataclasses import dataclass

from traces.exporters import fleet
from traces.exporters.fleet import Fleet
from traces.exporters.html import rendered
from traces.exporters.html.tables import Table, table


@dataclass(frozen=True)
class Page:
    """What the page consists of."""

    heading: str
    interrupted: bool
    tables: Sequence[Table]
    notes: Sequence[str]


def page(found: Fleet) -> bytes:
    """Make the page."""
    drawn = [table(section) for section in fleet.sections(found)]
    about = Page(fleet.heading(found), found.took.interrupted, drawn, fleet.notes(found))
    return rendered("fleet.html", about)
