"""A report on a terminal of 80 columns: names go on in the next line, and no number is cut."""

import io
import re

import pytest
from rich.console import Console

from tests.traces.captures import capture, stranger
from tests.traces.handmade import record, window
from traces import scan as scans
from traces.analyses import calls
from traces.analyses.report import report as report_of
from traces.answers import Report
from traces.exporters import calls as call_times
from traces.exporters import text
from traces.reader import Reader, read


def written(found: Report, data: bytes, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    text.write(found, console)
    call_times.write(calls.read(read(io.BytesIO(data), Reader()), found), found, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def numbers(told: str) -> list[str]:
    # Of all tables, in order; in a cell that folds, words and numbers may be parted.
    return re.findall(r"~?\d[\d,.]*(?: (?:ns|µs|ms|s)\b|%)", told)


@pytest.mark.parametrize("name", ["intel-failed-entry", "intel-bus-lock-bit", "xen-4.20-pvh"])
def test_no_number_is_cut_by_a_narrow_terminal(name: str) -> None:
    data = capture(name) if name.startswith("xen-") else stranger(name)
    found = report_of(scans.read(io.BytesIO(data)))
    narrow, wide = (written(found, data, width) for width in (80, 200))
    assert max(map(len, narrow.splitlines())) <= 80
    assert "…" not in narrow
    tables = [[line for line in told.splitlines() if " µs " in line] for told in (narrow, wide)]
    assert tables[1]
    fields = written(found, data, 40)
    assert max(map(len, fields.splitlines())) <= 40
    assert "…" not in fields
    assert set(numbers("\n".join(tables[1]))) <= set(numbers(fields))
    assert numbers("\n".join(tables[0])) == numbers("\n".join(tables[1]))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            record(0x801002, 100, 3, 0, 200, 9) + record(0x801003, 300, 3, 0, 0, 0, 0, 0),
            {"pm_idle_entry", "pm_idle_exit"},
        ),
        (record(0x22206, 100, 1, 2, 3), {"csched2_tickle"}),
        (record(0x41001, 100, 3) + record(0x41002, 900, 3), {"dom0_dom_add", "dom0_dom_rem"}),
        (record(0x0F345678, 100), {"event_0x0f345678"}),
    ],
)
def test_where_no_table_has_anything_records_are_counted(body: bytes, told: set[str]) -> None:
    data = window(0, body)
    lines = written(report_of(scans.read(io.BytesIO(data))), data, 80).split("Records  ")[1].splitlines()
    assert {line.split()[0]: line.split()[1] for line in lines[2:] if line} == dict.fromkeys(told, "1")
