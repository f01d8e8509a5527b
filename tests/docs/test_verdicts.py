"""The page of verdicts is made of what the lab's runs have written, and all of that is explained."""

import pytest

from pvdrivers.conformance import registry
from pvdrivers.conformance.case import FAILURES, Verdict
from pvdrivers.conformance.quirks import quirks_of, withheld_of
from tests.docs.verdicts import PAGE, Column, columns, page
from tests.verdicts.drivers import DRIVERS

COLUMNS = list(columns())


def test_the_page_is_made_of_it() -> None:
    assert PAGE.read_text() == page()


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.title)
def test_a_drivers_verdicts_are_explained(column: Column) -> None:
    verdicts = {ident: Verdict(case["verdict"]) for ident, case in column.cases.items()}
    assert {ident for ident, verdict in verdicts.items() if verdict in {*FAILURES, Verdict.XPASS}} == set()
    for ident, verdict in verdicts.items():
        # As the kit would judge today.
        assert (verdict is Verdict.WITHHELD) == (withheld_of(column.driver, column.version, ident) is not None), ident
        if verdict is Verdict.QUIRK:
            assert quirks_of(column.driver, column.version, ident), ident


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.title)
def test_a_column_is_whole(column: Column) -> None:
    assert set(column.cases) == {case.ident for case in DRIVERS[column.driver].cases}


def test_our_own_pass() -> None:
    for column in COLUMNS:
        if column.driver.endswith("-xen"):
            assert {case["verdict"] for case in column.cases.values()} <= {"pass", "unsupported"}


def test_what_was_judged_is_still_there() -> None:
    known = {case.ident: case.title for case in registry.every()}
    for column in COLUMNS:
        assert {ident: case["title"] for ident, case in column.cases.items()}.items() <= known.items()
