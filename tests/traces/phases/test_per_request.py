import math

import pytest

from traces.analyses.phases.counts import PhaseCounts
from traces.analyses.phases.per_request import NOTHING, per_request


def phase(work: str, requests: int, doorbells: int, **kinds: int) -> PhaseCounts:
    return PhaseCounts(work, requests, 2.0, {"doorbells": doorbells}, {"doorbells": kinds}, {"guest": 0.25})


def test_what_surrounds_any_work_is_taken_off_before_it_is_divided() -> None:
    phases = [phase(NOTHING, 0, 3), phase("net", 100, 103), phase(NOTHING, 0, 5), phase("net", 100, 105)]
    (found,) = per_request(phases)
    assert (found.work, found.requests) == ("net", 100)
    assert found.figures["doorbells"].repeats == (0.99, 1.01)
    assert found.figures["doorbells"].mean == pytest.approx(1.0)
    # Student's t for one degree of freedom, by tables.
    assert found.figures["doorbells"].plus_minus == pytest.approx(12.706 * math.sqrt(0.0002) / math.sqrt(2))
    assert found.seconds.mean == 0.02


def test_one_repeat_says_nothing_of_how_sure_it_is() -> None:
    (found,) = per_request([phase("net", 10, 20)])
    assert (found.figures["doorbells"].mean, found.figures["doorbells"].plus_minus) == (2.0, None)


def test_many_repeats_take_the_normal_distribution() -> None:
    counts = [10 + (at % 2) for at in range(40)]
    (found,) = per_request(phase("net", 10, count) for count in counts)
    spread = math.sqrt(sum((count / 10 - 1.05) ** 2 for count in counts) / 39)
    assert found.figures["doorbells"].plus_minus == pytest.approx(1.96 * spread / math.sqrt(40))


def test_kinds_are_means_most_first_and_rare_ones_are_left_out() -> None:
    phases = [phase(NOTHING, 0, 0, beside=10), phase("net", 100, 0, beside=10, often=200, once=100, rarely=0)]
    (found,) = per_request(phases)
    assert found.kinds == {"doorbells": {"often": 2.0, "once": 1.0}}


def test_works_come_in_their_order_and_no_work_is_none_of_them() -> None:
    found = per_request([phase("net", 1, 1), phase(NOTHING, 0, 0), phase("fork", 1, 1), phase("net", 1, 1)])
    assert [each.work for each in found] == ["net", "fork"]
    assert len(found[0].figures["doorbells"].repeats) == 2
