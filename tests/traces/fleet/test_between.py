"""What differs between two groups of captures."""

import pytest

from tests.traces.fleet.captures import capture
from traces.analyses.fleet.between import Side, between
from traces.analyses.fleet.digest import CAPTURE, Digest, Whose
from traces.analyses.student import beyond, width


def side(*captures: Digest) -> Side:
    made = Side()
    for one in captures:
        made.add(one)
    return made


def test_students_distribution_is_that_of_the_tables() -> None:
    for freedom, at in ((1.0, 12.7062), (2.0, 4.3027), (4.0, 2.7764), (10.0, 2.2281), (30.0, 2.0423), (1e9, 1.9600)):
        assert width(freedom) == pytest.approx(at, abs=1e-4)
        assert beyond(at, freedom) == beyond(-at, freedom) == pytest.approx(0.05, rel=1e-4)
    assert beyond(0, 3) == 1
    assert beyond(31.5991, 2) == pytest.approx(0.001, rel=1e-4)


def test_what_changed_is_told_with_confidence_over_captures() -> None:
    before = side(*[capture({"sched_op": count, "mmu_update": 700}) for count in (900, 1_000, 1_100, 1_000)])
    after = side(*[capture({"sched_op": count, "mmu_update": 700}, 0.3) for count in (1_080, 950, 1_010, 1_020)])
    (captures, web), few = between(before, after)
    assert (captures.whose, captures.changes, few) == (CAPTURE, (), ())
    assert (web.whose, web.before, web.after) == (Whose("web", "xentrace"), 4, 4)
    # sched_op differs as much within each group.
    (waits,) = web.changes
    assert (waits.kind, waits.name) == ("runstates", "runnable")
    assert waits.before == pytest.approx(0.01)
    assert waits.difference == pytest.approx(0.29)
    assert waits.low <= waits.difference <= waits.high


def test_a_change_is_as_sure_as_captures_are_alike() -> None:
    before = [capture({"sched_op": count}) for count in (1_000, 1_100, 1_200)]
    after = [capture({"sched_op": count}) for count in (1_500, 1_600, 1_700)]
    (_, web), _few = between(side(*before), side(*after))
    (change,) = web.changes
    # By hand: rates of 100, 110, 120 and 150, 160, 170 a second; each mean's variance is 100 / 3; 4 degrees of freedom.
    assert change.before == pytest.approx(110)
    assert change.after == pytest.approx(160)
    half = 2.77645 * (200 / 3) ** 0.5
    assert change.low == pytest.approx(50 - half, abs=1e-3)
    assert change.high == pytest.approx(50 + half, abs=1e-3)
    assert change.p == pytest.approx(0.003596, rel=1e-2)


def test_what_did_not_happen_in_a_capture_counts_as_nothing() -> None:
    storms = [capture({"event_channel_op": 9_000}), capture({}), capture({})]
    quiet = [capture({}) for _ in range(3)]
    (_, web), _few = between(side(*storms), side(*quiet))
    assert web.changes == ()
    steady = [capture({"event_channel_op": count}) for count in (9_000, 9_100, 9_050)]
    ((_, web), _few) = between(side(*quiet), side(*steady))
    (change,) = web.changes
    assert (change.name, change.before) == ("event_channel_op", 0)
    assert change.after == pytest.approx(905)


def test_domains_of_too_few_captures_are_named_and_not_compared() -> None:
    both = [capture({}) for _ in range(3)]
    _, few = between(side(*both, capture({}, name="database")), side(*both))
    assert few == (Whose("database", "xentrace"),)


def test_domains_are_compared_among_those_of_one_hypervisor() -> None:
    xen = [capture({"sched_op": 10_000}) for _ in range(3)]
    kvm = [capture({}, 0.3, source="kvm") for _ in range(3)]
    found, few = between(side(*xen, *kvm), side(*xen, *kvm))
    assert few == ()
    assert [(one.whose, one.before, one.changes) for one in found[1:]] == [
        (Whose("web", "kvm"), 3, ()),
        (Whose("web", "xentrace"), 3, ()),
    ]
