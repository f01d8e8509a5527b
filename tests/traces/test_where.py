"""A report on a choice of records against the same by hand: records counted one by one, intervals cut in Python."""

import io
import struct
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.traces.captures import capture
from tests.traces.choices import CAPTURES, HZ, WHERES, report
from tests.traces.every import every
from traces import scan as scans
from traces.account import IDLE_DOMID, UNKNOWN_DOMID
from traces.analyses.elapsed import Elapsed
from traces.analyses.intervals import RUNNING, STATES
from traces.analyses.report import report as report_of
from traces.answers import Hypercall, Report
from traces.choice.where import Where
from traces.reader import Reader, read
from traces.table import EventTable
from traces.xen.formats import events as xentrace
from traces.xen.formats.names import hypercall_name

WINDOW = xentrace.CPU_CHANGE | 2 << xentrace.EXTRA_SHIFT
Who = tuple[int, int]


def tables(data: bytes) -> list[tuple[EventTable, NDArray[np.int64]]]:
    elapsed = Elapsed()
    return [(table, elapsed.of(table)) for table in read(io.BytesIO(data), Reader())]


def events(found: Report) -> Counter[tuple[int, int, str]]:
    return Counter(
        {
            (domain.domid, vcpu.vcpu, name): count
            for domain in found.domains
            for vcpu in domain.vcpus
            for name, count in vcpu.events.items()
        }
    )


def calls(found: Report) -> Counter[tuple[int, int, str]]:
    return Counter(
        {
            (domain.domid, vcpu.vcpu, call.name): call.count + call.restarts
            for domain in found.domains
            for vcpu in domain.vcpus
            for call in vcpu.hypercalls
        }
    )


@pytest.mark.parametrize("name", CAPTURES)
@pytest.mark.parametrize("where", WHERES, ids=str)
def test_counts_are_those_of_the_chosen_records(name: str, where: Where) -> None:
    data = capture(name)
    wanted: Counter[tuple[int, int, str]] = Counter()
    called: Counter[tuple[int, int, str]] = Counter()
    for table, cycles in tables(data):
        rows = where.rows(table, cycles, HZ)
        who = list(zip(table.domid[rows].tolist(), table.vcpu[rows].tolist(), strict=True))
        names = [xentrace.event_name(event) for event in table.event[rows].tolist()]
        wanted.update((*one, of) for one, of in zip(who, names, strict=True))
        for one, row, of in zip(who, rows.tolist(), names, strict=True):
            if of in ("pv_hypercall_v2", "hvm_vmmcall"):
                nr = int(table.word(np.array([row]), 0)[0]) & xentrace.HYPERCALL_OP_MASK
                called[(*one, hypercall_name(nr))] += 1
    found = report(data, where)
    assert events(found) == wanted
    assert calls(found) == called
    assert sum(wanted.values()) > 100


@pytest.mark.parametrize("name", CAPTURES)
@pytest.mark.parametrize("where", WHERES[:3], ids=str)
def test_times_are_those_of_the_intervals_between(name: str, where: Where) -> None:
    data = capture(name)
    states, exits = every(data)
    first, last = where.cycles(HZ)
    end = last or 1 << 60
    found = report(data, where)
    compared = 0
    for domain in found.domains:
        for vcpu in domain.vcpus:
            mine = states.get((domain.domid, vcpu.vcpu), [])
            seconds: Counter[str] = Counter()
            counts: Counter[str] = Counter()
            for one in mine:
                if not where.pcpus or (one.state == RUNNING and one.pcpu in where.pcpus):
                    state = STATES[one.state]
                    seconds[state] += max(min(one.end, end) - max(one.begin, first), 0)
                    counts[state] += one.counted and first <= one.begin and one.end <= end
            for state, of in vcpu.runstates.items():
                assert of.seconds * HZ == pytest.approx(seconds[state], abs=1)
                assert of.count == counts[state]
                compared += of.count
            if not where.pcpus and vcpu.runstates:
                total = sum(of.seconds for of in vcpu.runstates.values())
                assert total == pytest.approx(found.span_s)
            mine_exits = [
                one
                for one in exits
                if one[:2] == (domain.domid, vcpu.vcpu)
                and first <= one.begin < end
                and (not where.pcpus or one.pcpu in where.pcpus)
            ]
            took = vcpu.latencies.get("exits")
            assert (took.count if took else 0) == len(mine_exits)
    assert compared > 20


@pytest.mark.parametrize("name", CAPTURES)
def test_a_stretch_is_what_a_trace_cut_by_hand_shows(name: str) -> None:
    """The records in between as a file of their own, after those before that say who runs."""
    data = capture(name)
    where = Where(begin=0.2, end=0.4)
    cut, context = io.BytesIO(), Counter[str]()
    for table, cycles in tables(data):
        rows = set(where.rows(table, cycles, HZ).tolist())
        for row in np.argsort(table.offset, kind="stable").tolist():
            event = int(table.event[row])
            tells = xentrace.base_id(event) in (xentrace.RUNSTATE_CHANGE, xentrace.CONTINUE_RUNNING)
            if row not in rows and not (tells and cycles[row] < 0.2 * HZ):
                continue
            context[xentrace.event_name(event)] += row not in rows
            size = 4 + 8 * int(table.timed[row]) + 4 * int(table.words[row])
            at = int(table.offset[row])
            cut.write(struct.pack("<III", WINDOW, table.pcpu[row], size) + data[at : at + size])
    by_hand = report_of(scans.read(io.BytesIO(cut.getvalue())), hz=HZ)
    found = report(data, where)

    def nowhere(calls: tuple[Hypercall, ...]) -> tuple[Hypercall, ...]:
        return tuple(replace(call, first_offset=0) for call in calls)

    def seen(of: Report) -> Report:
        # Without what the added records tell: run states and latencies, which other tests compare.
        return replace(
            of,
            domains=tuple(
                replace(
                    domain,
                    contention={},
                    vcpus=tuple(
                        replace(
                            vcpu,
                            runstates={},
                            latencies={},
                            exits=(),
                            migrations=0,
                            pcpus={},
                            longest_wait=None,
                            # The cut file's offsets are its own.
                            first_offsets={},
                            hypercalls=nowhere(vcpu.hypercalls),
                            multicall_subcalls=nowhere(vcpu.multicall_subcalls),
                            events={
                                name: count for name, count in vcpu.events.items() if not name.startswith("sched_")
                            },
                        )
                        for vcpu in domain.vcpus
                        if any(not name.startswith("sched_") for name in vcpu.events)
                    ),
                )
                for domain in of.domains
                if domain.domid not in (IDLE_DOMID, UNKNOWN_DOMID)
            ),
        )

    mine, other = seen(found), seen(by_hand)
    # What kind of guest a domain is, the whole trace tells.
    modes = {domain.domid: domain.mode for domain in mine.domains}
    assert [one for one in mine.domains if one.vcpus] == [
        replace(one, mode=modes[one.domid]) for one in other.domains if one.vcpus
    ]
    assert [(one.maps, one.unmaps) for one in mine.grants] == [(one.maps, one.unmaps) for one in other.grants]
    assert mine.irqs == other.irqs
    assert mine.grants
    assert context["sched_runstate_change"]


def test_the_number_of_lanes_does_not_matter() -> None:
    data = capture(CAPTURES[1])
    for where in WHERES[:4]:
        assert report(data, where, lanes=1) == report(data, where, lanes=3)


def test_stretches_of_the_runs_of_a_clock() -> None:
    runs = [(1000, 500), (20, 100)]
    assert scans.in_runs(runs, 0, None) == [(0, scans.FOREVER), (0, scans.FOREVER)]
    assert scans.in_runs(runs, 100, 510) == [(1100, 1510), (1, 30)]
    assert scans.in_runs(runs, 550, None) == [(1550, scans.FOREVER), (70, scans.FOREVER)]


@pytest.mark.parametrize("where", [Where(begin=0.3, end=1.3), Where(begin=1.1), Where(end=0.2)], ids=str)
def test_a_clock_that_begins_anew(where: Where) -> None:
    data = capture(CAPTURES[0]) + capture(CAPTURES[0])
    wanted = sum(len(where.rows(table, cycles, HZ)) for table, cycles in tables(data))
    assert sum(events(report(data, where, lanes=1)).values()) == wanted > 0
