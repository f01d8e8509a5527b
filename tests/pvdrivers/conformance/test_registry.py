"""Cases as data: numbered without gaps, told in sentences."""

import re

import pytest

from pvdrivers.conformance import registry
from pvdrivers.conformance.case import Case
from pvdrivers.conformance.level import SMALL
from pvdrivers.conformance.run import Plan
from pvdrivers.xenbus import Role


def test_all_numbers_are_there_once() -> None:
    found = [case.ident for case in registry.every()]
    assert len(found) == len(set(found))
    lasts = (("BB", 27), ("BF", 16), ("NB", 35), ("NF", 22))
    numbers = [f"{prefix}{number:02}" for prefix, last in lasts for number in range(1, last + 1)]
    states = [f"{prefix}{state}" for prefix in ("BBS", "BFS", "NBS", "NFS") for state in range(9)]
    assert sorted(found) == sorted(numbers + states)


@pytest.mark.parametrize("case", registry.every(), ids=lambda case: case.ident)
def test_a_case_says_what_it_is(case: Case) -> None:
    # What --explain and the page of all cases print.
    assert re.fullmatch(r"[A-Z].*\.", case.does)
    assert re.fullmatch(r"[A-Z].*\.", case.why)
    assert case.title
    assert not case.title.endswith(".")
    assert case.allow


def test_patterns_choose() -> None:
    assert [case.ident for case in registry.chosen("block", Role.BACK, ("bb0[12]", "BB27"))] == ["BB01", "BB02", "BB27"]
    assert registry.chosen("block", Role.FRONT, ("BB*",)) == []


def test_a_seed_gives_an_order() -> None:
    cases = registry.chosen("block", Role.BACK)
    one, other = Plan(SMALL, seed=1), Plan(SMALL, seed=2)
    assert one.ordered(cases) == one.ordered(cases) != other.ordered(cases)
    assert sorted(case.ident for case in other.ordered(cases)) == [case.ident for case in cases]
