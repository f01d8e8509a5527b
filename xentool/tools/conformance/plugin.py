"""A plugin for pytest: ``pytest --pv-subject block-backend`` has an item for each case, beside or without other tests.

Installed with xentool, it costs other projects' tests nothing: the kit is imported when a subject is named.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pvdrivers.conformance.case import Case
    from pvdrivers.conformance.run import Result


class NotConforming(Exception):
    """A driver did not pass."""


class ConformanceItem(pytest.Item):
    """A case, run on a driver."""

    def __init__(self, *, case: "Case", subject_name: str, seed: int, **words: Any) -> None:  # noqa: ANN401 - pytest's own
        super().__init__(**words)
        self.case, self.subject_name, self.seed = case, subject_name, seed

    def runtest(self) -> None:
        """Run it; what says nothing of the driver is skipped, and a quirk is told as expected."""
        from pvdrivers.conformance.case import FAILURES, Verdict  # noqa: PLC0415 - see above

        result = self._result()
        if result.verdict in FAILURES | {Verdict.XPASS}:
            raise NotConforming(self._said(result))
        if result.verdict is Verdict.QUIRK:
            pytest.xfail(result.observation)
        if result.verdict is not Verdict.PASS:
            pytest.skip(f"{result.verdict.value}: {result.observation}")

    def _result(self) -> "Result":
        from pvdrivers.conformance.level import USUAL  # noqa: PLC0415 - see above
        from pvdrivers.conformance.run import Plan, run  # noqa: PLC0415 - see above
        from xentool.tools.conformance.subjects import subject  # noqa: PLC0415 - see above

        (result,) = run(subject(self.subject_name), [self.case], Plan(USUAL, self.seed))
        return result

    def _said(self, result: "Result") -> str:
        from xentool.tools.conformance.session import repeated  # noqa: PLC0415 - see above

        case = self.case
        return (
            f"{result.verdict.value}: {result.observation}\n{case.why}\n{case.clause}\n"
            f"again: {repeated(self.subject_name, result)}"
        )

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:  # noqa: ANN401 - pytest's own
        """Tell a failure in its words, without a traceback of the kit's."""
        return str(excinfo.value) if isinstance(excinfo.value, NotConforming) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[str, None, str]:
        """Name it where others have their file."""
        return self.subject_name, None, self.name


class ConformanceCollector(pytest.Collector):
    """A driver's cases."""

    def collect(self) -> Iterator[ConformanceItem]:
        """Give them in the order of the seed."""
        from pvdrivers.conformance import registry  # noqa: PLC0415 - see above
        from pvdrivers.conformance.level import USUAL  # noqa: PLC0415 - see above
        from pvdrivers.conformance.run import Plan  # noqa: PLC0415 - see above
        from xentool.errors import XentoolError  # noqa: PLC0415 - see above
        from xentool.tools.conformance.subjects import subject  # noqa: PLC0415 - see above

        try:
            of = subject(self.name)
        except XentoolError as error:
            raise pytest.UsageError(str(error)) from error
        seed = int(self.config.getoption("--pv-seed"))
        patterns = tuple(self.config.getoption("--pv-case"))
        for case in Plan(USUAL, seed).ordered(registry.chosen(of.device, of.role, patterns)):
            name = f"{case.ident} {case.title}"
            yield ConformanceItem.from_parent(self, name=name, case=case, subject_name=self.name, seed=seed)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say what is tested."""
    group = parser.getgroup("conformance of PV drivers")
    group.addoption(
        "--pv-subject", action="append", default=[], metavar="SUBJECT", help="a driver to test, see xentool"
    )
    group.addoption("--pv-case", action="append", default=[], metavar="GLOB", help="only such cases, as in 'BB1*'")
    group.addoption("--pv-seed", type=int, default=0, help="another order, other data")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the cases to what there is, for -k and others to choose from; a project without tests has these."""
    for name in config.getoption("--pv-subject"):
        items.extend(ConformanceCollector.from_parent(session, name=name).collect())
