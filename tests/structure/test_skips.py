"""No test is left out unseen: one place decides it, and there CI=true makes it a failure."""

import re
from pathlib import Path

import pytest

from tests import run
from tests.missing import missing

TESTS = Path(__file__).parents[1]
# In two parts, so that this line is none of them.
LEFT_OUT = re.compile(r"pytest\.(skip|importorskip|mark\.skip|mark\.xfail|" + "xfail)")
IN_A_LAB = re.compile(r"mark\." + r"lab\b")


def test_tests_are_left_out_in_one_place() -> None:
    found = {str(path.relative_to(TESTS)) for path in TESTS.rglob("*.py") if LEFT_OUT.search(path.read_text())}
    assert found - {str(Path(__file__).relative_to(TESTS))} == {"missing.py"}


def test_those_in_a_lab_are_where_they_are_looked_for() -> None:
    found = {path for path in TESTS.rglob("*.py") if IN_A_LAB.search(path.read_text())}
    assert found >= set((TESTS.parent / run.LAB).glob("test_*.py"))
    assert [path for path in found if not path.is_relative_to(TESTS.parent / run.LAB)] == []


def test_what_is_missing_fails_in_ci_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"^no such device$"):
        missing("no such device")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match=r"^no such device; CI=true makes this a failure$"):
        missing("no such device")
