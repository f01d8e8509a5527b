"""Columns of time against the plain sums, one interval and one record at a time."""

import io
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.traces.captures import NAMES, capture
from traces import scan as scans
from traces.analyses.elapsed import Elapsed
from traces.analyses.intervals import STATES, Intervals
from traces.analyses.report import report as report_of
from traces.analyses.timeseries import Columns, Occurrences, Shares
from traces.reader import Reader, read
from traces.xen import find
from traces.xen.formats.exits import key_of

COLUMNS = Columns(7, 1000.0)
WIDTH = COLUMNS.cycles / COLUMNS.count

INTERVALS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 1000), st.integers(0, 1000)), max_size=30
)


@given(INTERVALS)
def test_shares_are_the_overlaps(drawn: list[tuple[int, int, int, int]]) -> None:
    # One after the other in each row, as intervals are, so that no column is more than full.
    found, plain = Shares(2, 3, COLUMNS), np.zeros((2, 3, COLUMNS.count))
    ends = [0, 0]
    for row, state, begin, length in drawn:
        begin = max(begin, ends[row])  # noqa: PLW2901 - moved behind the one before it
        end = ends[row] = min(begin + length, 1000)
        if end < begin:
            continue
        found.add([row], [state], [begin], [end])
        for column in range(COLUMNS.count):
            overlap = min(end, (column + 1) * WIDTH) - max(begin, column * WIDTH)
            plain[row, state, column] += max(overlap, 0) / WIDTH
    assert found.shares() == pytest.approx(plain, abs=1e-9)


def test_intervals_at_once_are_as_one_by_one() -> None:
    rows, states, begins, ends = [0, 0, 1], [2, 0, 2], [0, 400, 10], [400, 1000, 990]
    found = Shares(2, 3, COLUMNS)
    found.add(rows, states, begins, ends)
    assert found.shares().sum(axis=2) * WIDTH == pytest.approx(np.array([[600, 0, 400], [0, 0, 980]]))


def test_occurrences_keep_what_is_early_late_and_unnamed() -> None:
    found = Occurrences({1: [5, 9], 2: []}, COLUMNS)
    domids, numbers = np.array([1, 1, 1, 1, 2, 3], np.uint16), np.array([5, 9, 9, 77, 5, 5], np.uint32)
    found.add(domids, numbers, np.array([-1, 500, 1000, 999, 0, 0]))
    assert found.counts[1].tolist() == [[1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 1], [0, 0, 0, 0, 0, 0, 1]]
    assert found.counts[2].tolist() == [[1, 0, 0, 0, 0, 0, 0]]
    assert set(found.counts) == {1, 2}


def test_a_kind_of_exits_is_no_other_domains() -> None:
    kind = key_of(0x6E, nested=False, amds_id=True)
    found = Occurrences({1: [kind], 3: [kind]}, COLUMNS)
    found.add(np.array([1, 3, 3], np.uint16), np.array([kind] * 3, np.int64), np.array([0, 0, 0]))
    assert [found.counts[domid][:, 0].tolist() for domid in (1, 3)] == [[1, 0], [2, 0]]


@pytest.mark.parametrize("name", NAMES)
def test_over_a_whole_capture_they_add_up_to_the_report(name: str) -> None:
    scan = scans.read(io.BytesIO(capture(name)))
    report = report_of(scan, hz=1e9)
    who = [(domain.domid, vcpu.vcpu) for domain in report.domains for vcpu in domain.vcpus if vcpu.runstates]
    columns = Columns(50, report.span_s * 1e9)
    elapsed, intervals, shares = Elapsed(), Intervals(), Shares(len(who), len(STATES), columns)
    calls, exits = Counter[tuple[int, int]](), Counter[tuple[int, int]]()
    for table in read(io.BytesIO(capture(name)), Reader()):
        intervals.feed(table, elapsed.of(table), elapsed)
        for kind, counter in ((find.hypercalls, calls), (find.exits, exits)):
            rows, numbers = kind(table)
            counter.update(zip(table.domid[rows].tolist(), numbers.tolist(), strict=True))
    intervals.finish(elapsed.end)
    found = [one for one in intervals.taken()[0] if one[:2] in who]
    shares.add(
        [who.index(one[:2]) for one in found],
        [one.state for one in found],
        [one.begin for one in found],
        [one.end for one in found],
    )
    seconds = shares.shares().sum(axis=2) * report.span_s / columns.count
    vcpus = {(domain.domid, vcpu.vcpu): vcpu for domain in report.domains for vcpu in domain.vcpus}
    for row, key in enumerate(who):
        assert seconds[row] == pytest.approx([state.seconds for state in vcpus[key].runstates.values()], abs=1e-9)
        # A vCPU is always in some state.
        assert shares.shares()[row].sum(axis=0) == pytest.approx(np.ones(columns.count))
    expected = Counter[tuple[int, int]]()
    for (domid, _), vcpu in vcpus.items():
        expected.update({(domid, call.nr): call.count for call in vcpu.hypercalls})
    assert calls == expected
    expected.clear()
    for (domid, _), vcpu in vcpus.items():
        expected.update({(domid, exit_.key): exit_.count for exit_ in vcpu.exits})
    assert exits == expected


@pytest.mark.parametrize(("count", "cycles"), [(40, 1e9), (7, 3.0), (1, 0.0), (39, 123_456_789.5)])
def test_one_time_lies_in_the_column_in_which_an_array_of_it_does(count: int, cycles: float) -> None:
    columns = Columns(count, cycles)
    edges = [round(cycles / count * place) + by for place in range(count + 1) for by in (-1, 0, 1)]
    assert [columns.column_of(at) for at in edges] == columns.column(np.array(edges)).tolist()
    assert {columns.column_of(-1), columns.column_of(1 << 61)} == {0, count - 1}
