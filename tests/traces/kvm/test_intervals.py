"""Intervals and exits of vCPUs' threads, one by one: as many and as long as the report counts."""

from collections import Counter

import numpy as np
import pytest

from tests.traces.kvm.traces import LIFE, VCPU, counted, exit_, known, page, sample, sixth, switch
from traces.analyses.elapsed import Elapsed
from traces.analyses.intervals import STATES, Interval, TimedExit
from traces.analyses.kvm import report
from traces.analyses.threads import ThreadIntervals, ThreadOccupancy

CHANCE = sixth(
    [
        [page([switch(1000 + 7 * i, 77, 1, VCPU) if i % 3 else exit_(1000 + 7 * i, VCPU, 0x78) for i in range(90)])],
        [page([exit_(1003 + 11 * i, VCPU + 1, 0x400, vcpu=1) for i in range(40)])],
    ]
)


def _told(data: bytes) -> tuple[list[Interval], list[TimedExit]]:
    tables, _ = known(data)
    elapsed, intervals = Elapsed(), ThreadIntervals()
    for table in tables:
        intervals.feed(table, elapsed.of(table), elapsed)
    intervals.finish(elapsed.end)
    return intervals.taken()


@pytest.mark.parametrize("data", [sample(), sixth([[page(LIFE)]]), CHANCE], ids=["real", "a life", "of chance"])
def test_they_are_what_the_report_counts(data: bytes) -> None:
    trace, counts, _ = counted(data)
    found = report(counts, trace)
    intervals, exits = _told(data)
    for domain in (one for one in found.domains if one.mode == "kvm"):
        for vcpu in domain.vcpus:
            own = [one for one in intervals if one[:2] == (domain.domid, vcpu.vcpu)]
            for name, state in vcpu.runstates.items():
                of = [one for one in own if STATES[one.state] == name]
                assert sum(one.end - one.begin for one in of) == round(state.seconds * 1e9)
                assert sum(one.counted for one in of) == state.count
                assert sum(one.end - one.begin for one in of if not one.counted) == round(state.clipped_seconds * 1e9)
            mine = [one for one in exits if one[:2] == (domain.domid, vcpu.vcpu)]
            took = Counter[int]()
            for one in mine:
                took[one.key] += one.end - one.begin - one.away
            for exit_of in vcpu.exits:
                assert took[exit_of.key] == round(exit_of.seconds * 1e9)
                assert sum(one.key == exit_of.key for one in mine) == exit_of.latency.count


def test_a_lifes_exits() -> None:
    _, exits = _told(sixth([[page(LIFE)]]))
    assert [(one.key, one.begin, one.end, one.away) for one in exits] == [
        (0x400, 110, 157, 30),
        (0x7B, 207, 250, 40),  # in its process
        (0x78, 300, 413, 105),
    ]


def test_who_ran_where() -> None:
    tables, _ = known(sixth([[page(LIFE)]]))
    elapsed, occupancy = Elapsed(), ThreadOccupancy()
    for table in tables:
        occupancy.feed(table, elapsed.of(table), elapsed)
    occupancy.finish()
    assert [one[:5] for one in occupancy.taken()] == [
        (0, VCPU, 0, 0, 120),
        (0, VCPU, 0, 150, 306),
        (0, VCPU, 0, 411, 500),
    ]


def test_a_field_beyond_its_record_is_not_read() -> None:
    tables, _ = known(sixth([[page(LIFE)]]))
    (table,) = tables
    rows, (reasons,) = table.of_event("kvm_exit", "exit_reason")
    assert reasons.tolist() == [0x400, 0x7B, 0x78, 0x78]
    assert not len(table.of_event("kvm_exit", "no_such_field")[0])
    assert np.all(table.event[rows] == 12)
