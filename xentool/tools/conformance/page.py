"""What became of cases, as a page: a part for each kind of drivers, a row a case, a column a driver.

Where drivers differ comes first.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pvdrivers.conformance.case import Case
from pvdrivers.conformance.run import Result
from traces.exporters.templates import filled
from xentool.tools.conformance.session import Judged


class Row(NamedTuple):
    """A case, and what became of it with each driver; None where it is no case of that."""

    case: Case
    results: tuple[Result | None, ...]

    @property
    def differs(self) -> bool:
        """Whether drivers were seen to do different things, or one did not pass."""
        there = [result for result in self.results if result]
        return len({(one.verdict, one.observation) for one in there}) > 1 or any(one.verdict != "pass" for one in there)


class Part(NamedTuple):
    """Drivers that have the same cases."""

    kind: str
    drivers: tuple[Judged, ...]
    rows: list[Row]


def page(found: Sequence[Judged]) -> bytes:
    """Make the page: one file, without scripts, that loads nothing."""
    kinds = dict.fromkeys(result.case.kind for one in found for result in one.results)
    parts = [_part(kind, found) for kind in kinds]
    return filled("xentool.tools.conformance", "conformance.html", "conformance.css", found=found, parts=parts)


def _part(kind: str, found: Sequence[Judged]) -> Part:
    drivers = tuple(one for one in found if any(result.case.kind == kind for result in one.results))
    of = [{result.case.ident: result for result in one.results} for one in drivers]
    cases = {result.case.ident: result.case for one in drivers for result in one.results if result.case.kind == kind}
    rows = [Row(case, tuple(results.get(ident) for results in of)) for ident, case in cases.items()]
    rows.sort(key=lambda row: not row.differs)
    return Part(kind, drivers, rows)
