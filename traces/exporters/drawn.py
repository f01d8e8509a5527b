"""What a report as text consists of, and its drawing where neither colours nor a terminal's width matter.

rich draws all of it, and takes longer to load than a capture of some megabytes to read. What goes to a file or a pipe
is the same for everybody: there ``Plain`` writes what fits its lines, byte for byte as rich would, and leaves the rest
to rich. A test holds both to each other.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TextIO

if TYPE_CHECKING:
    import rich.padding
    import rich.text

    from traces.exporters.fitted import Fitted

#: Beyond ASCII, what is as wide as a letter; all else is left to rich.
_NARROW = str.maketrans("", "", "─±µ→…")


class Prints(Protocol):
    """What draws: rich's console, or ``Plain``."""

    def print(self, *objects: Any, style: Any = None) -> None:  # noqa: ANN401 - whatever rich can draw
        """Draw some things, and end the line."""
        ...


class TooMuch(Exception):
    """It does not fit as it is."""


class Text:
    """Pieces of a text, each with its style."""

    def __init__(self, text: str = "", style: str = "") -> None:
        self._pieces = [(text, "")]
        self._style = style

    def append(self, text: str, style: str = "") -> Self:
        """Add a piece."""
        self._pieces.append((text, style))
        return self

    @property
    def plain(self) -> str:
        """All of it, without styles."""
        return "".join(text for text, _ in self._pieces)

    def lines(self, width: int) -> list[str]:
        """Give its lines; raise TooMuch where one has to be folded, or may be wider than it is long."""
        found = self.plain.split("\n")
        for line in found:
            narrow = line.translate(_NARROW)
            if len(line) > width or not narrow.isascii() or not narrow.isprintable():
                raise TooMuch
        return found

    def __rich__(self) -> "rich.text.Text":
        from rich.text import Text as Drawn  # noqa: PLC0415 - see above

        drawn = Drawn(style=self._style)
        for text, style in self._pieces:
            drawn.append(text, style or None)
        return drawn


class _Column(NamedTuple):
    heading: Text
    right: bool
    wraps: bool
    style: str
    rank: int | None


class Table:
    """Rows of cells below a line of headings.

    :param tight: with less room between columns
    """

    def __init__(self, *, tight: bool = False) -> None:
        self._tight = tight
        self._columns: list[_Column] = []
        self._rows: list[tuple[Text, ...]] = []

    def add_column(
        self, heading: Text, *, right: bool = False, wraps: bool = False, style: str = "", rank: int | None = None
    ) -> None:
        """Add a column, of numbers on the right; one that wraps folds what does not fit.

        :param rank: the higher, the sooner it is left out; 0 never is, None goes by its place
        """
        self._columns.append(_Column(heading, right, wraps, style, rank))

    def add_row(self, *cells: Text) -> None:
        """Add a row; missing cells are empty."""
        self._rows.append(cells)

    def lines(self, width: int) -> list[str]:
        """Give its lines; see ``Text.lines``."""
        rows = [self._cells(width, tuple(column.heading for column in self._columns))]
        rows += [self._cells(width, cells) for cells in self._rows]
        widths = [max(len(row[number]) for row in rows) for number in range(len(self._columns))]
        between = "  " if self._tight else "   "
        total = sum(widths) + len(between) * (len(widths) - 1)
        if total > width or not all(widths):
            raise TooMuch
        drawn = [between.join(self._aligned(row, widths)) for row in rows]
        return [drawn[0], "─" * total, *drawn[1:]]

    def _cells(self, width: int, cells: tuple[Text, ...]) -> list[str]:
        found = []
        for cell in cells:
            lines = cell.lines(width)
            if len(lines) > 1:
                raise TooMuch
            found += lines
        return found + [""] * (len(self._columns) - len(cells))

    def _aligned(self, row: list[str], widths: list[int]) -> Iterator[str]:
        for cell, width, column in zip(row, widths, self._columns, strict=True):
            yield cell.rstrip().rjust(width) if column.right else cell.ljust(width)

    def __rich__(self) -> "Fitted":
        from traces.exporters.fitted import Fitted  # noqa: PLC0415 - see above

        drawn = Fitted(lined=True, tight=self._tight)
        for column in self._columns:
            heading = column.heading.__rich__()
            drawn.add_column(heading, right=column.right, folds=column.wraps, style=column.style, rank=column.rank)
        for cells in self._rows:
            drawn.add_row(*(cell.__rich__() for cell in cells))
        return drawn


class Indented:
    """Something with so many spaces before each line."""

    def __init__(self, what: Text | Table, by: int) -> None:
        self._what, self._by = what, by

    def lines(self, width: int) -> list[str]:
        """Give its lines, all as long as the longest; see ``Text.lines``."""
        found = self._what.lines(width - self._by)
        longest = max(map(len, found))
        if not longest:
            raise TooMuch
        return [" " * self._by + line.ljust(longest) for line in found]

    def __rich__(self) -> "rich.padding.Padding":
        from rich.padding import Padding  # noqa: PLC0415 - see above

        return Padding(self._what.__rich__(), (0, 0, 0, self._by), expand=False)


class Plain:
    """A console for a file or a pipe.

    :param width: of its lines, at most
    :param other: makes the console for what does not fit
    """

    def __init__(self, file: TextIO, width: int, other: Callable[[], Prints]) -> None:
        self._file, self._width, self._other = file, width, other

    def print(self, *objects: Any, style: Any = None) -> None:  # noqa: ANN401 - as rich has it
        """Draw some things, and end the line."""
        try:
            lines = self._lines(objects)
        except TooMuch:
            self._other().print(*objects, style=style)
        else:
            self._file.write("".join(f"{line}\n" for line in lines))

    def _lines(self, objects: tuple[object, ...]) -> list[str]:
        if not objects:
            return [""]
        if len(objects) > 1:
            raise TooMuch
        what = Text(objects[0]) if isinstance(objects[0], str) else objects[0]
        if not isinstance(what, Text | Table | Indented):
            raise TooMuch
        return what.lines(self._width)
