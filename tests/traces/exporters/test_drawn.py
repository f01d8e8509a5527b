"""What goes to files and pipes: what is drawn without rich is what rich draws."""

import io

import pytest
from rich.console import Console

from tests.traces.captures import NAMES, STRANGERS, capture, stranger
from traces import scan as scans
from traces.analyses.report import report as report_of
from traces.exporters import text
from traces.exporters.drawn import Indented, Plain, Table, Text

_WIDTH = 200
#: Of cells: plain ones, numbers, what rich alone knows the width of, what it folds, and what it cuts.
CELLS = (
    *("", "a", "mmu_update", "1,234", "~12.5 µs", "  spaced  ", "二", "e\u0301"),
    *("x" * 90, "words " * 40, "two\nlines", "\x1b[1m"),
)


def by_rich(file: io.StringIO) -> Console:
    return Console(file=file, width=_WIDTH, markup=False, emoji=False, highlight=False, color_system=None)


class Both:
    """Two consoles that draw the same, and how often the plain one needed rich."""

    def __init__(self) -> None:
        self.files = io.StringIO(), io.StringIO()
        self.left = 0
        self.consoles = by_rich(self.files[0]), Plain(self.files[1], _WIDTH, self._other)

    def _other(self) -> Console:
        self.left += 1
        return by_rich(self.files[1])

    def agreed(self) -> str:
        drawn, plain = (file.getvalue() for file in self.files)
        assert plain == drawn
        return plain


@pytest.mark.parametrize("name", [*NAMES, *STRANGERS])
def test_reports_are_drawn_as_rich_draws_them(name: str) -> None:
    data = capture(name) if name in NAMES else stranger(name)
    report = report_of(scans.read(io.BytesIO(data)))
    both = Both()
    for console in both.consoles:
        text.write(report, console)
    # Only lines too long are left to rich: loading it would take most of the time.
    assert len(both.agreed().splitlines()) > 10
    assert both.left <= 2


@pytest.mark.parametrize("indent", [0, 2])
@pytest.mark.parametrize("tight", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_tables_of_anything(cell: str, tight: bool, indent: int) -> None:
    table = Table(tight=tight)
    table.add_column(Text("name", "bold"), wraps=True)
    table.add_column(Text(cell, "dim"), right=True)
    table.add_column(Text("meaning"), wraps=True, style="dim")
    table.add_row(Text("first"), Text("1"), Text(cell))
    table.add_row(Text(cell), Text(cell), Text("last"))
    table.add_row(Text("and 3 more"))
    both = Both()
    for console in both.consoles:
        console.print(Indented(table, indent))
        console.print(table)
        console.print()
    both.agreed()


@pytest.mark.parametrize("cell", CELLS)
def test_lines_of_anything(cell: str) -> None:
    both = Both()
    for console in both.consoles:
        console.print(Text("begin ", "red").append(cell, "not bold dim").append(" end"))
        console.print(Indented(Text(cell, "dim"), 2))
        console.print(cell, style="yellow")
    both.agreed()
