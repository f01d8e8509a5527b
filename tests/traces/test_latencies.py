"""Latencies against every single one, taken from the intervals; and their ranges, which leave no gap."""

import io
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.traces.captures import NAMES, capture
from tests.traces.damage import piece
from tests.traces.every import every, handling, waits
from tests.traces.handmade import BLOCKED, RUNNABLE, RUNNING, VMENTRY, VMEXIT, change, record, report, vcpu, window
from traces import scan as scans
from traces.account import IDLE_DOMID
from traces.analyses.elapsed import Elapsed
from traces.analyses.intervals import Interval, Intervals, TimedExit
from traces.analyses.report import report as report_of
from traces.counting.latencies import QUANTILES, Distribution, bounds, distribution, merged
from traces.reader import Reader


@pytest.mark.parametrize("data", [*map(capture, NAMES), *map(piece, NAMES)])
def test_run_states_are_the_same_without_exits(data: bytes) -> None:
    def told(*, exits: bool) -> tuple[list[Interval], list[TimedExit]]:
        reader, elapsed, intervals = Reader(), Elapsed(), Intervals(exits=exits)
        # In many tables, since of each some exits are looked at.
        pieces = (data[at : at + 30_000] for at in range(0, len(data), 30_000))
        for table in (table for some in pieces for table in reader.feed(some)):
            intervals.feed(table, elapsed.of(table), elapsed)
        for table in reader.finish():
            intervals.feed(table, elapsed.of(table), elapsed)
        intervals.finish(elapsed.end)
        return intervals.taken()

    states, exits = told(exits=False)
    assert states == told(exits=True)[0] != []
    assert exits == []


def assert_agrees(found: Distribution, cycles: list[int], hz: float) -> None:
    exact: NDArray[np.int64] = np.array(cycles)
    assert found.count == len(exact)
    assert found.longest * hz == pytest.approx(exact.max())
    for share in QUANTILES.values():
        true = float(np.quantile(exact, share, method="inverted_cdf"))
        assert found.quantile(share) * hz == pytest.approx(true, rel=1 / 8)


@pytest.mark.parametrize("name", NAMES)
def test_they_agree_with_every_single_interval(name: str) -> None:
    scan = scans.read(io.BytesIO(capture(name)))
    whole = report_of(scan, hz=1e9)
    states, exits = every(capture(name))
    took = handling(exits, states)
    compared = 0
    for domain in whole.domains:
        for one in domain.vcpus:
            who = (domain.domid, one.vcpu)
            woken = waits(states.get(who, []))
            preempted = waits(states.get(who, []), since=RUNNING) if domain.domid != IDLE_DOMID else []
            single = {"wake_to_run": woken, "preempted_to_run": preempted, "exits": took.get(who, [])}
            assert set(one.latencies) == {what for what, cycles in single.items() if cycles}
            for what, latency in one.latencies.items():
                assert_agrees(latency, single[what], 1e9)
                compared += 1
    assert compared >= 3


def test_only_who_was_blocked_is_woken() -> None:
    found = report(
        window(
            0,
            change(100, 1, 0, RUNNABLE, RUNNING)
            + change(150, 1, 0, RUNNING, RUNNABLE)  # preempted
            + change(190, 1, 0, RUNNABLE, RUNNING)
            + change(200, 1, 0, RUNNING, BLOCKED)
            + change(300, 1, 0, BLOCKED, RUNNABLE)
            + change(307, 1, 0, RUNNABLE, RUNNING)
            + change(400, 1, 0, RUNNING, BLOCKED)
            + change(500, 1, 0, BLOCKED, RUNNABLE)
            + change(503, 1, 0, RUNNABLE, RUNNING),
        )
    )
    latencies = vcpu(found, 1, 0).latencies
    assert {round(begin * 1e9) for begin, _ in latencies["preempted_to_run"].counts} == {40}
    wake = latencies["wake_to_run"]
    assert {round(begin * 1e9): count for (begin, _), count in wake.counts.items()} == {7: 1, 3: 1}
    assert wake.longest == pytest.approx(7e-9)


def test_an_exit_that_a_loss_cuts_off_has_no_latency() -> None:
    lost = record(0x1F001, 300, 5, 1, 250, 0)
    found = report(
        window(
            0,
            change(100, 1, 0, RUNNABLE, RUNNING)
            + record(VMEXIT, 200, 0x78, 0, 0)
            + lost
            + record(VMENTRY, 310)
            + record(VMEXIT, 400, 0x78, 0, 0)
            + record(VMENTRY, 460),
        )
    )
    (exit_,) = vcpu(found, 1, 0).exits
    assert (exit_.count, exit_.latency.count) == (2, 1)
    assert exit_.latency.longest == pytest.approx(60e-9)


def test_ranges_follow_each_other_and_are_at_most_an_eighth_wide() -> None:
    edges = [bounds(bucket) for bucket in range(496)]
    assert edges[0] == (0, 1)
    assert edges[-1][1] == 1 << 64
    assert all(before[1] == after[0] for before, after in pairwise(edges))
    assert all((end - begin) * 8 <= max(begin, 8) for begin, end in edges)


@pytest.mark.parametrize("cycles", [0, 1, 7, 8, 15, 16, 17, 1000, (1 << 40) - 1, 1 << 40])
def test_the_compiled_counter_uses_these_ranges(cycles: int) -> None:
    body = change(1, 1, 0, RUNNABLE, RUNNING) + record(VMEXIT, 2, 0x78, 0, 0) + record(VMENTRY, 2 + cycles)
    (exit_,) = vcpu(report(window(0, body)), 1, 0).exits
    ((begin, end),) = exit_.latency.counts
    assert begin * 1e9 <= cycles * (1 + 1e-12)
    assert cycles * (1 - 1e-12) < end * 1e9
    assert exit_.latency.longest * 1e9 == pytest.approx(cycles)


def test_quantiles_of_few_and_of_none() -> None:
    assert Distribution().quantile(0.5) == 0
    one = distribution({16: 1}, 17, 17, hz=1.0)
    assert one.quantile(0.99) <= 17
    both = merged([one, distribution({16: 2, 800 // 8: 1}, 5000, 5040, hz=1.0)])
    assert (both.count, both.longest, both.seconds) == (4, 5000, 5057)


def test_the_idle_domain_is_not_woken() -> None:
    data = capture(NAMES[0])
    scan = scans.read(io.BytesIO(data))
    idle = next(one for one in report_of(scan).domains if one.domid == IDLE_DOMID)
    assert all(not one.latencies for one in idle.vcpus)
