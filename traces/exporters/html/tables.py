"""A report's sections as tables of a page: with bars, and the value behind each cell, by which it is sorted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from traces.exporters.cells import LONG, MEANING, SHARE, WORDS, Cell, Column, Section
from traces.exporters.html.lexicon import Lexicon

#: No capture of a real host has so many; a made-up one would make a page that no browser opens.
ROWS_MAX = 200
#: So many columns have room in half a page; a share that is told with its time takes half of one.
_NARROW_MAX = 5
_TEXT = (WORDS, LONG, MEANING)


@dataclass(frozen=True)
class ColumnHeading:
    """What stands above a column, and whether that has words."""

    name: str
    text: bool = False


@dataclass(frozen=True)
class Shown:
    """A cell; ``bar`` draws its value, as a share, in place of its text; ``word`` is the id of what explains it."""

    text: str
    value: float | None = None
    bar: float | None = None
    word: str = ""


@dataclass(frozen=True)
class Table:
    """A table; its first column names the rows. ``missing`` rows had no room, ``wide`` needs the page's whole width."""

    title: str
    columns: Sequence[ColumnHeading]
    rows: Sequence[Sequence[Shown]]
    missing: int
    note: str
    wide: bool


def tables(sections: Iterable[Section], lexicon: Lexicon) -> list[Table]:
    """Make tables of sections, and have the names of their rows explained."""
    return [table(section, lexicon) for section in sections]


def table(section: Section, lexicon: Lexicon | None = None) -> Table:
    """Make a table of a section.

    :param lexicon: what explains the names of its rows
    """
    headings: list[ColumnHeading] = []
    names = [row[0].text for row in section.rows]
    words = [lexicon.word(section.of, name) if lexicon else "" for name in names]
    columns: list[list[Shown]] = [[Shown(name, word=word) for name, word in zip(names, words, strict=True)]]
    for at, column in enumerate(section.columns, 1):
        cells = [row[at] for row in section.rows]
        if column.bar:
            headings.append(ColumnHeading(""))
            columns.append(_bars(cells, column))
        headings.append(ColumnHeading(column.name, column.unit in _TEXT))
        columns.append([Shown(cell.text, cell.value) for cell in cells])
    rows = list(zip(*columns, strict=True))
    return Table(section.title, headings, rows, section.left, section.note, _wide(section.columns))


def _wide(columns: Sequence[Column]) -> bool:
    room = sum(0.5 if column.joined else 1 for column in columns)
    return room > _NARROW_MAX or any(column.unit in (LONG, MEANING) for column in columns)


def _bars(cells: Sequence[Cell], column: Column) -> list[Shown]:
    values = [cell.value or 0.0 for cell in cells]
    most = 1.0 if column.unit == SHARE else max(values)
    return [Shown("", value, value / most if most else 0.0) for value in values]
