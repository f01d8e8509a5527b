"""What became of cases, as a page: a row a case, a column a driver, where they differ first."""

from collections.abc import Sequence
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pvdrivers.conformance.case import Case
from pvdrivers.conformance.run import Result
from traces.foreign import printable
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


def page(found: Sequence[Judged]) -> bytes:
    """Make the page: one file, without scripts, that loads nothing."""
    cases = {result.case.ident: result.case for one in found for result in one.results}
    of = [{result.case.ident: result for result in one.results} for one in found]
    rows = [Row(case, tuple(results.get(ident) for results in of)) for ident, case in cases.items()]
    environment = Environment(
        loader=PackageLoader("xentool.tools.conformance"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows.sort(key=lambda row: not row.differs)
    return environment.get_template("conformance.html").render(found=found, rows=rows).encode()


def _shown(value: object) -> object:
    # Versions and observations hold what drivers said.
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
