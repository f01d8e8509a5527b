"""A trace in intervals: sums are the report's totals, to the cycle, and each is what a report on it alone tells."""

import io
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.traces.captures import NAMES, capture
from tests.traces.choices import CAPTURES, HZ, WHERES, intervals, report
from tests.traces.damage import DAMAGES, piece, windows
from tests.traces.handmade import record, window
from tests.traces.interrupts import trace
from traces.account import UNKNOWN_DOMID
from traces.analyses import series
from traces.analyses.intervals import STATES
from traces.analyses.series import NOTIFICATIONS, Series, TooMany
from traces.analyses.timeseries import Edges, Occurrences, Stays
from traces.answers import Report
from traces.choice.where import EVERYTHING, Where, kinds
from traces.errors import TraceError
from traces.reader import Reader, read
from traces.xen.formats import events as xentrace

#: What is told by vCPU, by whom and in whose sums.
Totals = dict[int, tuple[dict[str, int], dict[str, int]]]


def totals(found: Report) -> Totals:
    answer: Totals = {}
    for domain in found.domains:
        timed = [vcpu.runstates for vcpu in domain.vcpus if vcpu.runstates]
        counts = dict.fromkeys((*series.COUNTS, NOTIFICATIONS), 0)
        for vcpu in domain.vcpus:
            counts["hypercalls"] += sum(call.count for call in vcpu.hypercalls)
            counts["multicall_subcalls"] += sum(call.count for call in vcpu.multicall_subcalls)
            counts["exits"] += sum(one.count for one in vcpu.exits)
            counts["interrupts"] += sum(one.count for one in vcpu.interrupts)
        for pair in found.grants:
            counts["grant_maps"] += pair.maps * (pair.mapper == domain.domid)
            counts["grant_unmaps"] += pair.unmaps * (pair.mapper == domain.domid)
        for one in found.notifications:
            counts[NOTIFICATIONS] += one.count * (one.source == domain.domid)
        # On a choice of pCPUs only running is told.
        told = [name for name in STATES if timed and name in timed[0]]
        states = {name: round(sum(of[name].seconds for of in timed) * HZ) for name in told}
        answer[domain.domid] = (states, counts)
    return answer


def sums(found: Series, columns: slice = slice(None)) -> Totals:
    return {
        one.domid: (
            {name: int(of[columns].sum()) for name, of in (one.runstates or {}).items()},
            {name: 0 if of is None else int(of[columns].sum()) for name, of in one.counts.items()},
        )
        for one in found.domains
    }


@pytest.mark.parametrize("seconds", [0.0007, 0.01, 0.25, 60.0])
@pytest.mark.parametrize("name", NAMES)
def test_sums_are_the_totals(name: str, seconds: float) -> None:
    found = report(capture(name), EVERYTHING)
    assert sums(intervals(capture(name), found, seconds)) == totals(found)
    assert {count for _, counts in totals(found).values() for count in counts.values()} > {0}


@pytest.mark.parametrize("name", CAPTURES)
@pytest.mark.parametrize("where", WHERES, ids=str)
def test_of_a_choice_too(name: str, where: Where) -> None:
    found = report(capture(name), where)
    assert sums(intervals(capture(name), found, 0.013)) == totals(found)


@pytest.mark.parametrize("data", [capture(NAMES[0]) * 2, capture(CAPTURES[1])[100:-3], *map(trace, range(6))])
def test_of_a_clock_that_begins_anew_of_damage_and_of_random_traces_too(data: bytes) -> None:
    found = report(data, EVERYTHING, lanes=1)
    assert sums(intervals(data, found, found.span_s / 7)) == totals(found)


def test_of_any_damage_too() -> None:
    pieces = [piece(name) for name in NAMES]
    damages = sorted(DAMAGES)
    compared = 0
    for turn in range(10 * len(damages)):
        chance = random.Random(turn)  # noqa: S311 - to be repeated, not kept secret
        data = bytearray(chance.choice(pieces))
        for kind in (damages[turn % len(damages)], *chance.choices(damages, k=chance.choice((0, 1)))):
            if windows(data):
                DAMAGES[kind](data, chance)
        try:
            found = report(bytes(data), EVERYTHING, lanes=1)
        except TraceError:
            continue
        summed, expected = sums(intervals(bytes(data), found, max(found.span_s / 7, 1.0))), totals(found)
        for domid, (states, counts) in expected.items():
            assert (turn, domid, summed[domid][1]) == (turn, domid, counts)
            # Run states depend on the order of all records, and so on in which order it is that time runs backwards;
            # and where a time stamp is from anywhere, seconds are no longer exact to the cycle.
            if found.span_s < 1e6 and not any(one.code == "tsc_backwards" for one in found.account.diagnostics):
                assert (turn, domid, summed[domid][0]) == (turn, domid, states)
                compared += bool(states)
    assert compared > 200


@pytest.mark.parametrize("name", CAPTURES)
@pytest.mark.parametrize("where", [EVERYTHING, Where(begin=0.21, end=0.87), Where(pcpus=frozenset({1}))], ids=str)
def test_an_interval_is_what_a_report_on_it_tells(name: str, where: Where) -> None:
    data = capture(name)
    found = intervals(data, report(data, where), 0.1)
    for index in (0, 3, len(found.edges) - 2):
        begin = where.begin + index * 0.1
        alone = report(data, Where(pcpus=where.pcpus, begin=begin, end=min(begin + 0.1, where.end)))
        one = sums(found, slice(index, index + 1))
        # Who did nothing there is not in a report on it.
        assert {domid: of for domid, of in one.items() if domid in totals(alone)} == totals(alone)


def test_they_begin_when_asked_to_and_the_last_ends_with_the_trace() -> None:
    found = report(capture(NAMES[0]), Where(begin=0.5, end=0.72))
    assert series.edges(found, 0.1).at.tolist() == [500_000_000, 600_000_000, 700_000_000, 720_000_000]
    whole = report(capture(NAMES[0]), EVERYTHING)
    assert series.edges(whole, 1000.0).at.tolist() == [0, round(whole.span_s * HZ)]
    nothing = report(capture(NAMES[0]), Where(begin=1e6))
    assert sums(intervals(capture(NAMES[0]), nothing, 0.1)) == totals(nothing)


def test_a_buffers_end_may_be_the_traces() -> None:
    data = capture(NAMES[0])
    last = max(int(table.tsc.max()) for table in read(io.BytesIO(data), Reader()))
    data += window(1, record(xentrace.WRAP_BUFFER, last + 12_345))
    found = report(data, EVERYTHING)
    assert sums(intervals(data, found, 0.25)) == totals(found)


def test_what_is_not_chosen_is_not_told() -> None:
    def told(where: Where) -> set[str]:
        found = intervals(capture(CAPTURES[1]), report(capture(CAPTURES[1]), where), 0.5)
        names = {name for one in found.domains for name, of in one.counts.items() if of is not None}
        return names | {"runstates" for one in found.domains if one.runstates is not None}

    everything = {"runstates", *series.COUNTS, NOTIFICATIONS}
    assert told(EVERYTHING) == everything
    assert told(Where(kinds=kinds("sched"))) == {"runstates"}
    assert told(Where(kinds=kinds("mem_page_grant_map"))) == {"grant_maps", "grant_unmaps"}
    assert told(Where(vcpus=frozenset({0}))) == everything - {"grant_maps", "grant_unmaps", NOTIFICATIONS}
    assert told(Where(kinds=kinds("evtchn"))) == {"hypercalls", "multicall_subcalls", NOTIFICATIONS}


def test_nobody_reads_so_many() -> None:
    found = report(capture(NAMES[0]), EVERYTHING)
    with pytest.raises(TooMany) as error:
        series.edges(found, 1e-5)
    assert error.value.count > series.ROWS_MAX / len(found.domains)
    assert series.edges(found, error.value.seconds * 1.01).count * len(found.domains) <= series.ROWS_MAX
    with pytest.raises(TooMany):
        series.edges(found, 1e-12)


EDGES = st.lists(st.integers(0, 200), min_size=2, max_size=8, unique=True).map(sorted)
STAYS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(-50, 250), st.integers(0, 200)), max_size=20
)


@given(EDGES, STAYS)
def test_stays_are_the_overlaps(at: list[int], stays: list[tuple[int, int, int, int]]) -> None:
    found, plain = Stays(2, 3, Edges(np.array(at))), np.zeros((2, 3, len(at) - 1), np.int64)
    for row, state, begin, length in stays:
        for column, (first, last) in enumerate(pairwise(at)):
            plain[row, state, column] += max(min(begin + length, last) - max(begin, first), 0)
    rows = np.array([(row, state, begin, begin + length) for row, state, begin, length in stays], np.int64)
    found.add(*rows.reshape(-1, 4).T)
    assert found.cycles().tolist() == plain.tolist()


def test_occurrences_between_edges() -> None:
    found = Occurrences({1: []}, Edges(np.array([10, 20, 25])))
    times = np.array([-1, 10, 19, 20, 24, 25, 99])
    found.add(np.full(7, 1, np.uint16), np.zeros(7, np.uint32), times)
    assert found.counts[1].tolist() == [[3, 4]]


def test_nobody_unknown_notifies() -> None:
    found = intervals(capture(NAMES[0]), report(capture(NAMES[0]), EVERYTHING), 0.5)
    of = {one.domid: one.counts for one in found.domains}
    if UNKNOWN_DOMID in of:
        assert not np.any(of[UNKNOWN_DOMID][NOTIFICATIONS])
