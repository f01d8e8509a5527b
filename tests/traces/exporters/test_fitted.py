"""Tables in terminals of any width: numbers whole, what is left out told, rows as fields where it is narrow."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from traces.exporters.fitted import Fitted


def drawn(table: Fitted, width: int) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(table)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def example(*, lined: bool, flat: bool = False) -> Fitted:
    table = Fitted(lined=lined, flat=flat)
    table.add_column(Text("Domains"), folds=True)
    for rank, name in ((1, "memory"), (3, "p50\nof it"), (2, "reads")):
        table.add_column(Text(name), right=True, rank=rank)
    table.add_row("a-domain-with-a-rather-long-name", "12,345,678,901 B", "98.7654321 ms", "1,000,000,000")
    table.add_row("domU", "1 B", Text("2 ms"), "")
    table.add_row("and 3 more")
    return table


NUMBERS = ("12,345,678,901 B", "98.7654321 ms", "1,000,000,000")


def test_a_wide_terminal_has_all_of_it_in_lines() -> None:
    head, under, *rows = drawn(example(lined=False), 120)
    assert (head.split(), under.split()) == (["p50"], ["Domains", "memory", "of", "it", "reads"])
    assert rows[0].split("  ")[0] == "a-domain-with-a-rather-long-name"
    assert all(number in rows[0] for number in NUMBERS)
    assert rows[2] == "and 3 more"


def test_what_is_left_out_is_told() -> None:
    lines = drawn(example(lined=True), 60)
    assert lines[0].split() == ["Domains", "memory", "reads"]
    assert lines[2].startswith("a-domain-with-a-")
    assert lines[2].endswith("12,345,678,901 B   1,000,000,000")
    assert lines[2].split()[0] + lines[3] == "a-domain-with-a-rather-long-name"
    assert lines[-1] == "no room for: p50 of it"


def test_a_narrow_terminal_has_a_field_a_line() -> None:
    assert drawn(example(lined=True), 40) == [
        "Domains",
        "a-domain-with-a-rather-long-name",
        "  memory    12,345,678,901 B",
        "  p50 of it 98.7654321 ms",
        "  reads     1,000,000,000",
        "domU",
        "  memory    1 B",
        "  p50 of it 2 ms",
        "and 3 more",
    ]
    first, *others = drawn(example(lined=False), 40)
    assert first == "Domains a-domain-with-a-rather-long-name"
    assert others[3:5] == ["", "Domains domU"]


def test_a_page_that_is_drawn_again_and_again_keeps_a_row_a_line() -> None:
    lines = drawn(example(lined=False, flat=True), 40)
    assert [line.split()[-1] for line in lines] == ["memory", "B", "B", "more", "reads"]
    assert lines[1].startswith("a-domain-with-a-rathe…")
    assert lines[1].endswith("12,345,678,901 B")


@pytest.mark.parametrize("lined", [False, True])
@pytest.mark.parametrize("width", [*range(20, 90), 200])
def test_no_number_is_cut_whatever_the_width(width: int, lined: bool) -> None:
    told = "\n".join(lines := drawn(example(lined=lined), width))
    assert max(map(len, lines)) <= width
    assert "…" not in told
    whole = [number for number in NUMBERS if number in told]
    for name, number in zip(("memory", "p50 of it", "reads"), NUMBERS, strict=True):
        left_out = "no room for" in told and name in told.partition("no room for")[2]
        # Where a number is as wide as the terminal it goes on in the next line, every digit of it.
        assert number in whole or left_out or number.replace(" ", "") in re.sub(r"\s", "", told)


def test_nothing_else_draws_tables() -> None:
    root = Path(__file__).parents[3]
    sources = [path for room in ("xentool", "traces", "pvdrivers") for path in (root / room).rglob("*.py")]
    drawing = {str(path.relative_to(root)) for path in sources if "rich.table" in path.read_text()}
    assert drawing == {"traces/exporters/fitted.py"}
