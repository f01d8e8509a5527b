"""A table as rich draws it, of those columns for which a terminal has room: all tables are drawn by this."""

from collections.abc import Sequence
from typing import NamedTuple

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from traces.exporters.room import Need, fit

#: Between columns, by how a table looks.
_LINED, _TIGHT, _PLAIN = 3, 2, 2
_INDENT = 2


class Heading(NamedTuple):
    """A column's heading, and how its cells are drawn; see ``room.Need``."""

    text: Text
    right: bool = False
    folds: bool = False
    style: str = ""
    rank: int = 0


class Fitted:
    """Rows of cells below a line of headings.

    :param lined: with a line below the headings, of which the first is the table's title
    :param tight: with less room between columns
    :param headed: whether headings are shown
    :param flat: for what is drawn again and again: a row is a line, and names are cut rather than folded
    """

    def __init__(self, *, lined: bool = False, tight: bool = False, headed: bool = True, flat: bool = False) -> None:
        self._lined, self._tight, self._headed, self._flat = lined, tight, headed, flat
        self._headings: list[Heading] = []
        self._rows: list[Sequence[Text]] = []

    def add_column(
        self, text: Text, *, right: bool = False, folds: bool = False, style: str = "", rank: int | None = None
    ) -> None:
        """Add a column, of numbers on the right; without a rank it is left out before those to its left are."""
        place = len(self._headings)
        self._headings.append(Heading(text, right, folds, style, place if rank is None else rank))

    def add_row(self, *cells: Text | str) -> None:
        """Add a row; missing cells are empty."""
        self._rows.append([cell if isinstance(cell, Text) else Text(cell) for cell in cells])

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        natural = sum(need.natural for need in self._needs()) + self._gap * (len(self._headings) - 1)
        return Measurement(1, max(natural, 1)).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self._headings:
            return
        widths = fit(self._needs(), options.max_width, self._gap, flat=self._flat)
        if widths is None:
            yield from self._fields()
            return
        drawn = self._table(widths)
        wanted = sum(widths.values()) + self._gap * (len(widths) - 1)
        # Debian's rich (12, 13) counts padding at the edges that it does not draw, and takes the room from numbers.
        if Measurement.get(console, options.update(max_width=2 * wanted + self._gap), drawn).maximum > wanted:
            _, right, _, left = drawn.padding
            for column, padding in ((drawn.columns[0], left), (drawn.columns[-1], right)):
                column.width = (column.width or 0) - padding
        yield drawn
        out = [_line(heading) for place, heading in enumerate(self._headings) if place not in widths]
        if out:
            yield Text(f"no room for: {', '.join(out)}", "dim italic")

    @property
    def _gap(self) -> int:
        return (_TIGHT if self._tight else _LINED) if self._lined else _PLAIN

    def _needs(self) -> list[Need]:
        found = []
        for place, heading in enumerate(self._headings):
            widths = [_width(row[place]) for row in self._rows if place < len(row)]
            widest = max(widths + [_width(heading.text)] * self._headed, default=0)
            found.append(Need(max(widest, 1), heading.folds, heading.rank))
        return found

    def _table(self, widths: dict[int, int]) -> Table:
        drawn = Table(
            box=box.SIMPLE_HEAD if self._lined else None,
            pad_edge=False,
            show_edge=False,
            show_header=self._headed,
            header_style="none" if self._lined else "bold",
            padding=(0, 1, 0, 0) if self._lined and self._tight else (0, 1),
        )
        for place, width in widths.items():
            heading = self._headings[place]
            drawn.add_column(
                heading.text,
                justify="right" if heading.right else "left",
                style=heading.style,
                no_wrap=self._flat or not heading.folds,
                overflow="ellipsis" if self._flat else "fold",
                width=width,
            )
        for row in self._rows:
            drawn.add_row(*(row[place] for place in widths if place < len(row)))
        return drawn

    def _fields(self) -> RenderResult:
        # A row is some lines: what it is about, and what there is to tell of it.
        title, *others = self._headings
        if self._lined:
            yield title.text
        for number, row in enumerate(self._rows):
            first = row[0] if self._lined or not self._headed else Text.assemble(title.text, " ", row[0])
            if number and not self._lined:
                yield Text()
            yield Text.assemble(first, style="bold" if len(row) > 1 else "")
            told = [(heading, cell) for heading, cell in zip(others, row[1:], strict=False) if cell.plain]
            if told:
                yield Padding(_named(told, max(len(_line(heading)) for heading in others)), (0, 0, 0, _INDENT))


def _named(told: Sequence[tuple[Heading, Text]], width: int) -> Table:
    drawn = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1, 0, 0))
    drawn.add_column(no_wrap=True, width=width, style="dim")
    drawn.add_column(overflow="fold")
    for heading, cell in told:
        drawn.add_row(Text(_line(heading), heading.text.style), cell)
    return drawn


def _line(heading: Heading) -> str:
    return " ".join(heading.text.plain.split())


def _width(text: Text) -> int:
    return max((Text(line).cell_len for line in text.plain.split("\n")), default=0)
