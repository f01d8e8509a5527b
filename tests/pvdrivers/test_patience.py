"""Looking on pays for those who look, or is given up."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.patience import COSTS, MOST, REST, Patience


def looked(patience: Patience, outcomes: list[bool]) -> list[bool]:
    """Look on each time that it pays, with these outcomes in turn; tell at which times it was tried."""
    left = iter(outcomes)
    return [patience.pays() and (patience.note(next(left)), True)[1] for _ in outcomes]


def test_it_goes_on_while_there_is_something_to_find() -> None:
    assert all(looked(Patience(2), [True] * 1000))


def test_it_is_tried_now_and_then_where_it_is_in_vain() -> None:
    first = MOST // COSTS
    assert looked(Patience(2), [False] * (first + 2 * (REST + 1))) == [
        *[True] * first,
        *([False] * REST + [True]) * 2,
    ]


def test_it_begins_again_where_it_pays_again() -> None:
    tried = looked(Patience(2), [False] * (MOST // COSTS) + [True] * 1000)
    assert tried.index(False) == MOST // COSTS
    assert tried.count(False) == REST


@given(st.lists(st.booleans(), max_size=2000))
def test_in_vain_is_at_most_half_as_often_as_not(outcomes: list[bool]) -> None:
    patience = Patience(2)
    tried = [patience.note(each) for each in outcomes if patience.pays()]
    vain, others = tried.count(False), tried.count(True)
    assert vain <= (MOST + others) / COSTS + len(outcomes) / (REST + 1) + 1


def test_with_one_processor_it_is_never_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(looked(Patience(1), [True] * 1000))
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert not Patience().pays()
