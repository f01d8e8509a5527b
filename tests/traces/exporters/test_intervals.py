"""Tables of intervals in terminals of any width: nothing is cut, and nothing is lost."""

import io

import pytest
from rich.console import Console

from tests.traces.captures import capture
from tests.traces.choices import intervals, report
from traces.choice.where import EVERYTHING, Where, kinds
from traces.exporters import series as exporter

DATA = capture("xen-4.17-pvh")


def written(width: int, where: Where = EVERYTHING) -> str:
    found = report(DATA, where)
    console = Console(file=io.StringIO(), width=width, color_system=None)
    exporter.write(intervals(DATA, found, 0.25), found, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def headings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.lstrip().startswith("from s")]


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_nothing_is_cut(width: int) -> None:
    text = written(width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    words = " ".join(headings(text)).split()
    for name in ("running", "runnable", "blocked", "hypercalls", "subcalls", "interrupts", "maps", "notifies"):
        assert name in words
    assert sum(word == "hypercalls" for word in words) == 2


def test_what_does_not_fit_beside_stands_below() -> None:
    assert len(headings(written(200))) == len(headings(written(80))) == 2
    assert len(headings(written(40))) > 4
    cells = [{cell for cell in written(width).split() if "─" not in cell} for width in (200, 60)]
    assert cells[0] == cells[1]


def test_domains_of_which_nothing_is_told_have_no_table() -> None:
    (heading,) = headings(written(80, Where(kinds=kinds("exit"))))
    assert heading.split() == ["from", "s", "VM", "exits"]
