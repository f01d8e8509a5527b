"""What differs between two traces, as text."""

import io

import pytest
from rich.console import Console

from traces.analyses.compare import Change, DomainChanges
from traces.exporters import differences
from traces.exporters.differences import Differences

CHANGES = [
    Change("exits", "HLT", 100.0, 200.0, 90.0, 110.0, 0.001),
    Change("runstates", "running", 0.25, 0.5, 0.2, 0.3, 0.001),
]


def written(assumed: tuple[bool, bool]) -> str:
    found = Differences("a", "b", [DomainChanges(1, 1, None, tuple(CHANGES), 3)], ([], []), assumed)
    file = io.StringIO()
    differences.write(found, Console(file=file, width=120))
    return file.getvalue()


@pytest.mark.parametrize(
    ("assumed", "row", "who"),
    [
        ((False, False), "HLT 100 200 +100 +90.0 to +110 2.00 times", None),
        ((True, False), "HLT ~100 200 ~+100 ~+90.0 to ~+110 ~2.00 times", "of A;"),
        ((False, True), "HLT 100 ~200 ~+100 ~+90.0 to ~+110 ~2.00 times", "of B;"),
        ((True, True), "HLT ~100 ~200 ~+100 ~+90.0 to ~+110 ~2.00 times", "of A and B;"),
    ],
)
def test_times_of_an_assumed_clock_are_marked_and_shares_are_not(
    assumed: tuple[bool, bool], row: str, who: str | None
) -> None:
    text = written(assumed)
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert row in rows
    assert "running 25.0 50.0 +25.0 +20.0 to +30.0 2.00 times" in rows
    assert (who in text) if who else ("~" not in text)
