"""Domains that are created and destroyed while they are traced, and waits after a pause: fold and intervals alike."""

import io

import pytest

from tests.traces import xenalyze
from tests.traces.captures import stranger
from tests.traces.handmade import HZ, change, cycles, record, report, vcpu, window
from traces.analyses.elapsed import Elapsed
from traces.analyses.intervals import STATES, Interval, Intervals
from traces.reader import Reader, read
from traces.xen.formats import events as xentrace

RUNNING, RUNNABLE, BLOCKED, OFFLINE = range(4)
ADDED, REMOVED = xentrace.DOM0_DOM_ADD, xentrace.DOM0_DOM_REM


def told(data: bytes, domid: int) -> list[Interval]:
    elapsed, intervals = Elapsed(), Intervals()
    for table in read(io.BytesIO(data), Reader()):
        intervals.feed(table, elapsed.of(table), elapsed)
    intervals.finish(elapsed.end)
    return [one for one in intervals.taken()[0] if one.domid == domid]


def assert_same(data: bytes, domid: int) -> None:
    """Check that intervals, one by one, are what the report adds up."""
    states = cycles(vcpu(report(data), domid, 0))
    for state, name in enumerate(STATES):
        of = [one for one in told(data, domid) if one.state == state]
        counted = [one.end - one.begin for one in of if one.counted]
        assert states[name][:2] == (len(counted), sum(one.end - one.begin for one in of))


def test_a_wake_after_a_pause_is_a_wait(tmp_path_factory: pytest.TempPathFactory) -> None:
    data = stranger("offline-wake")
    found = vcpu(report(data), 5, 0).latencies["wake_to_run"]
    path = tmp_path_factory.mktemp("lives") / "offline-wake"
    path.write_bytes(data)
    theirs = xenalyze.summary(path)[5, 0].runnable["wake"]
    assert found.count == theirs[0] == 100
    assert found.seconds * HZ == pytest.approx(theirs[1] * xenalyze.HZ)
    assert_same(data, 5)


def test_a_wait_that_a_pause_ends_is_none() -> None:
    body = (
        change(100, 5, 0, RUNNABLE, RUNNING)
        + change(110, 5, 0, RUNNING, BLOCKED)
        + change(120, 5, 0, BLOCKED, RUNNABLE)
        + change(130, 5, 0, RUNNABLE, OFFLINE)
        + change(140, 5, 0, OFFLINE, RUNNABLE)
        + change(147, 5, 0, RUNNABLE, RUNNING)
    )
    found = vcpu(report(window(0, body)), 5, 0)
    assert (found.latencies["wake_to_run"].count, round(found.latencies["wake_to_run"].seconds * HZ)) == (1, 7)


def test_a_destroyed_domain_ends() -> None:
    data = stranger("domid-reused")
    found = report(data)
    (of,) = (domain for domain in found.domains if domain.domid == 7)
    created, destroyed = 58_000_000_030, 2_000_000_030
    assert [tuple(at and round(at * HZ) for at in life) for life in of.lives] == [(None, destroyed), (created, None)]
    states = cycles(of.vcpus[0])
    assert states["offline"][1] == created - destroyed
    assert states["blocked"][1] < 4e9
    assert sum(total for _, total, _ in states.values()) == round(found.span_s * HZ)
    assert of.vcpus[0].latencies["wake_to_run"].count == 99
    assert_same(data, 7)


def test_a_domain_is_offline_until_it_is_created() -> None:
    body = (
        record(0x28003, 100, 1, 1)
        + record(ADDED, 200, 5)
        + record(xentrace.SCHED_DOM_ADD, 205, 5)
        + change(260, 5, 0, BLOCKED, RUNNABLE)
        + change(270, 5, 0, RUNNABLE, RUNNING)
        + record(xentrace.SCHED_DOM_REM, 300, 5)
        + record(REMOVED, 310, 5)
        + record(0x28003, 400, 1, 1)
    )
    found = report(window(0, body))
    states = {name: total for name, (_, total, _) in cycles(vcpu(found, 5, 0)).items()}
    assert states == {"running": 30, "runnable": 10, "blocked": 60, "offline": 100 + 100, "lost": 0}
    (of,) = (domain for domain in found.domains if domain.domid == 5)
    assert [tuple(at and round(at * HZ) for at in life) for life in of.lives] == [(100, 200)]
    assert_same(window(0, body), 5)


def test_a_domain_that_is_created_again_has_ended_before() -> None:
    body = (
        change(100, 5, 0, RUNNABLE, RUNNING)
        + change(150, 5, 0, RUNNING, BLOCKED)
        + record(ADDED, 200, 5)
        + change(260, 5, 0, OFFLINE, RUNNABLE)
        + change(270, 5, 0, RUNNABLE, RUNNING)
        + change(290, 5, 0, RUNNING, BLOCKED)
    )
    found = report(window(0, body))
    assert {name: total for name, (_, total, _) in cycles(vcpu(found, 5, 0)).items()} == {
        "running": 70, "runnable": 10, "blocked": 50, "offline": 60, "lost": 0,
    }  # fmt: skip
    assert_same(window(0, body), 5)


def test_who_is_gone_is_not_lost() -> None:
    body = (
        change(100, 5, 0, RUNNABLE, RUNNING)
        + change(150, 5, 0, RUNNING, BLOCKED)
        + record(REMOVED, 200, 5)
        + record(xentrace.LOST_RECORDS, 300, 7, 2, 250, 0)
        + record(0x28003, 400, 1, 1)
    )
    states = cycles(vcpu(report(window(0, body)), 5, 0))
    assert (states["offline"][1], states["lost"][1]) == (200, 0)
    assert_same(window(0, body), 5)
