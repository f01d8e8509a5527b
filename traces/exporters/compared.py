"""A comparison of techniques as text, and as the document ``xentool.compare/1``."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from traces.analyses.phases.comparison import Comparison
from traces.analyses.phases.counts import FIGURES, SHARES
from traces.analyses.phases.per_request import PerRequest, WorkCounts
from traces.exporters.cells import SHARE, Cell, Column, Section, share
from traces.exporters.drawn import Prints, Text
from traces.exporters.text import draw
from traces.foreign import printable

SCHEMA = "xentool.compare/1"
#: What a technique has not, or its trace does not tell.
NONE = Cell("-")
TITLES = {
    "doorbells": "doorbells",
    "completions": "completions",
    "exits": "VM exits",
    "hypercalls": "hypercalls",
    "device_model": "device model entered",
    "grant_maps": "grants mapped",
    "grant_unmaps": "grants unmapped",
    "grant_copies": "grant copies",
    "page_tables": "page-table work",
}
#: Of which kinds are told.
KINDS = ("doorbells", "completions", "exits", "hypercalls", "page_tables")
#: Of what a figure is made up, so many kinds are told.
_KINDS_MAX = 12
_SHARE_TITLES = {
    "guest": "guest",
    "hypervisor": "hypervisor",
    "device_model": "device model",
    "waiting": "waiting for a CPU",
    "blocked": "blocked",
    "backend": "backend, besides",
}
#: Half of a confidence interval that is not told: nobody sees it in two decimals.
_SURE = 0.005
EMULATED = (
    "The processors were emulated: counts are what they are on real ones, times are not. So times are told as shares "
    "alone, and by them no technique is better than another."
)
CONFIDENCE = "± is half of the 95 % confidence interval over repeats. Counts of phases that hold no work are taken off."


def document(found: Comparison) -> dict[str, Any]:
    """Make the document."""
    return {"schema": SCHEMA, **asdict(found)}


def write(found: Comparison, console: Prints, *, kinds: bool = False) -> None:
    """Write the tables: of each work what a request took, and where the time went.

    :param kinds: whether to tell of what figures are made up, too
    """
    for each in found.techniques:
        console.print(Text(printable(f"{each.name}: {each.meaning}; {each.runs}; {each.backend}")))
    for name, why in found.left_out.items():
        console.print(Text(printable(f"{name}: left out. {why}"), "yellow"))
    made = [section for work in found.works for section in of_work(found, work)]
    if kinds:
        made += [section for figure in KINDS for section in kinds_of(found, figure)]
    for section in made:
        draw(section, console)
    console.print()
    for note in notes(found):
        console.print(Text(note, "dim"))


def notes(found: Comparison) -> list[str]:
    """Say how the figures are to be read."""
    return [CONFIDENCE, *([EMULATED] if found.emulated else [])]


def of_work(found: Comparison, work: str) -> list[Section]:
    """Give a work's tables, of what a request took and of where time went; a technique is a column."""
    of = _by_technique(found, work)
    return [_figures(found.works[work], work, of), _shares(work, of, emulated=found.emulated)] if of else []


def kinds_of(found: Comparison, figure: str) -> list[Section]:
    """Give tables of what a figure is made up of, one a work."""
    made = []
    for work in found.works:
        of = {name: counts.kinds.get(figure, {}) for name, counts in _by_technique(found, work).items()}
        names = list(dict.fromkeys(kind for each in of.values() for kind in each))
        rows = [
            [Cell(printable(kind)), *(_mean(each.get(kind)) for each in of.values())] for kind in names[:_KINDS_MAX]
        ]
        if rows:
            columns = [Column(name) for name in of]
            made.append(Section(f"{work}: {TITLES[figure]}", columns, rows, len(names[_KINDS_MAX:])))
    return made


def _by_technique(found: Comparison, work: str) -> dict[str, WorkCounts]:
    return {each.name: counts for each in found.techniques for counts in each.works if counts.work == work}


def _figures(meaning: str, work: str, of: Mapping[str, WorkCounts]) -> Section:
    first = next(iter(of.values()))
    rows = [
        [Cell(TITLES[figure]), *(_told(counts.figures.get(figure)) for counts in of.values())]
        for figure in FIGURES
        if any(figure in counts.figures for counts in of.values())
    ]
    repeats = len(first.seconds.repeats)
    note = f"a request: {meaning}; {first.requests} of them in each of {repeats} phases"
    return Section(f"{work}, per request", [Column(name) for name in of], rows, note=note)


def _shares(work: str, of: Mapping[str, WorkCounts], *, emulated: bool) -> Section:
    rows = [
        [Cell(_SHARE_TITLES[name]), *(_part(counts.shares.get(name)) for counts in of.values())]
        for name in SHARES
        if any(name in counts.shares for counts in of.values())
    ]
    if not emulated:
        rows.append([Cell("µs per request"), *(Cell(f"{counts.seconds.mean * 1e6:,.1f}") for counts in of.values())])
    return Section(f"{work}, share of time", [Column(name, SHARE) for name in of], rows)


def _told(value: PerRequest | None) -> Cell:
    if value is None:
        return NONE
    sure = value.plus_minus is None or value.plus_minus < _SURE
    return Cell(f"{value.mean + 0.0:,.2f}" + ("" if sure else f" ±{value.plus_minus:,.2f}"), value.mean)


def _mean(value: float | None) -> Cell:
    return NONE if value is None else Cell(f"{value:,.2f}", value)


def _part(value: float | None) -> Cell:
    return NONE if value is None else share(value)
