"""Perfetto's arrows, counters and annotations: on traces made by hand, and against the reports on real ones."""

import io
from collections import Counter

import pytest

from tests.traces import choices
from tests.traces.captures import capture
from tests.traces.exporters.drawn import Drawing, drawn
from tests.traces.handmade import BLOCKED, RUNNABLE, RUNNING, change, record, window
from traces import scan as scans
from traces.analyses.report import report as report_of
from traces.choice.classes import classes_of
from traces.choice.where import EVERYTHING, Where, kinds
from traces.exporters.payload import fields
from traces.exporters.perfetto import writer as perfetto
from traces.exporters.perfetto.packets import ARGS_MAX
from traces.reader import Reader, read
from traces.xen.formats import events as xentrace
from traces.xen.formats.names import EVENT_CHANNEL_OP, GRANT_TABLE_OP


def shown(data: bytes, where: Where = EVERYTHING) -> Drawing:
    output = io.BytesIO()
    perfetto.write(read(io.BytesIO(data), Reader()), choices.report(data, where, lanes=1), output)
    return drawn(output.getvalue())


def send(tsc: int) -> bytes:
    return record(xentrace.PV_HYPERCALL_V2, tsc, EVENT_CHANNEL_OP)


def life(*bodies: bytes) -> bytes:
    """Give a trace in which d1v0 runs on pCPU 0 from 1000 on and d2v0 is blocked; then what is given."""
    begin = change(1000, 1, 0, RUNNABLE, RUNNING)
    blocks = change(900, 2, 0, RUNNABLE, RUNNING) + change(1000, 2, 0, RUNNING, BLOCKED)
    end = change(9000, 1, 0, RUNNING, BLOCKED)
    return window(1, blocks) + window(0, begin + b"".join(bodies) + end)


def test_an_arrow_leads_from_the_call_to_who_was_woken() -> None:
    data = life(send(2000), change(2100, 2, 0, BLOCKED, RUNNABLE), send(3000), send(4000))
    drawing = shown(data)
    ((call, woken),) = drawing.arrows
    assert (call.track, call.at, call.name) == ("d1v0", 1100, "event_channel_op")
    assert (woken.track, woken.at, woken.name, woken.args) == ("d2v0", 1200, "notified", {"by_domid": 1})
    # The others woke nobody.
    assert [one.at for one in drawing.instants if one.name == "event_channel_op"] == [1100, 2100, 3100]


def test_a_wake_by_itself_is_no_notification() -> None:
    traps = record(xentrace.PV_TRAP, 2050, 5, 14)
    drawing = shown(life(send(2000), traps, change(2100, 2, 0, BLOCKED, RUNNABLE)))
    assert not drawing.arrows
    assert not [one for one in drawing.instants if one.name == "notified"]


@pytest.mark.parametrize("piece", [1, 2, 3, 1 << 17])
def test_call_and_wake_in_two_pieces(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perfetto, "_PIECE", piece)
    data = life(
        send(2000),
        record(xentrace.SCHED_WAKE, 2100, 2, 0),
        change(2101, 2, 0, BLOCKED, RUNNABLE),
        send(2200),
    )
    drawing = shown(data)
    assert [(call.at, woken.at) for call, woken in drawing.arrows] == [(1100, 1200)]
    # Before that, of whom nobody had heard in an earlier piece does not count; it waits to the trace's end.
    assert drawing.counters["", "run queue"][-2:] == [(1201, 1.0), (8100, 0.0)]


def test_what_is_chosen_of_notifications() -> None:
    data = life(send(2000), change(2100, 2, 0, BLOCKED, RUNNABLE))
    target = shown(data, Where(domid=2))
    assert [(one.track, one.args) for one in target.instants] == [("d2v0", {"by_domid": 1})]
    assert not target.arrows
    source = shown(data, Where(domid=1))
    assert [one.name for one in source.instants] == ["event_channel_op"]
    without = shown(data, Where(kinds=kinds("sched,trap")))
    assert not without.instants
    before = shown(data, Where(end=1.15e-6))
    assert [one.name for one in before.instants] == ["event_channel_op"]


def test_pages_that_others_mapped_rise_and_fall() -> None:
    def maps(event: int, tsc: int, granter: int) -> bytes:
        return record(event, tsc, granter)

    data = life(
        maps(xentrace.GRANT_UNMAP, 2000, 5),
        maps(xentrace.GRANT_MAP, 2001, 5),
        maps(xentrace.GRANT_MAP, 2002, 6),
        maps(xentrace.GRANT_MAP, 2003, 5),
    )
    counters = shown(data).counters
    assert counters["d1", "pages mapped of d5"] == [(1100, -1.0), (1101, 0.0), (1103, 1.0)]
    assert counters["d1", "pages mapped of d6"] == [(1102, 1.0)]


def test_exits_a_second_end_with_a_zero() -> None:
    # A trace of 4 ms in steps of 1 ms: three exits in the first, one in the third.
    exits = [
        record(0x81002, at, 10, 0x1234) + record(xentrace.HVM_VMENTRY, at + 10) for at in (2000, 3000, 4000, 2_500_000)
    ]
    data = window(
        0, change(1000, 1, 0, RUNNABLE, RUNNING) + b"".join(exits) + change(4_001_000, 1, 0, RUNNING, BLOCKED)
    )
    drawing = shown(data)
    assert drawing.counters["d1", "VM exits a second"] == [
        (0, 3000.0),
        (1_000_000, 0.0),
        (2_000_000, 1000.0),
        (3_000_000, 0.0),
    ]
    assert [one.args for one in drawing.named("d1v0 VM exits")] == [{"rip": 0x1234}] * 4


def test_slices_and_instants_say_what_was_recorded() -> None:
    rip = (0x8100_0000, 0xFFFF_FFFF)
    data = life(
        record(xentrace.PV_PAGE_FAULT | xentrace.FLAG_64, 2000, *rip, 0x10, 0, 6),
        record(xentrace.PV_HYPERCALL_V2, 2001, GRANT_TABLE_OP | 0b01_00_01 << xentrace.HYPERCALL_ARG_SHIFT, 5, 9),
        record(0x0010F004, None, 7, 0, 0xFFFF_FFFF, 0xFFFF_FFFF, 3, 2 | 9 << 16),
        record(0x81102, 2002, 48, *rip),
        change(2003, 1, 0, RUNNING, RUNNABLE),
        change(2013, 1, 0, RUNNABLE, RUNNING),
        record(xentrace.HVM_VMENTRY, 2023),
    )
    drawing = shown(data)
    told = {one.name: one.args for one in drawing.instants}
    assert told["pv_page_fault"] == {"rip": 0xFFFF_FFFF_8100_0000, "address": 0x10, "error_code": 6}
    assert told["grant_table_op copy"] == {"count": 9}
    # No frame: not the number that stands for none.
    assert told["mem_set_p2m_entry"] == {"gfn": 7, "p2mt": 3, "target_domid": 2, "order": 9}
    (exit_,) = drawing.named("d1v0 VM exits")
    assert (exit_.end - exit_.begin, exit_.args) == (21, {"rip": 0xFFFF_FFFF_8100_0000, "away_ns": 10})
    assert {one.args["pcpu"] for one in drawing.named("d1v0") if one.name == "running"} == {0}


def test_no_event_that_is_shown_has_more_fields_than_annotations() -> None:
    shown_events = [one for one in xentrace.EVENTS if {"hypercall", "grant", "mm", "trap"} & classes_of(one.id)]
    assert shown_events
    for one in shown_events:
        for flags in (0, xentrace.FLAG_64):
            assert len(fields(one.id | flags, xentrace.EXTRA_MAX)) <= ARGS_MAX, one.name


@pytest.mark.parametrize("name", ["xen-4.17-pv2", "xen-4.20-pvh"])
def test_arrows_and_counters_are_the_reports(name: str) -> None:
    data = capture(name)
    report = report_of(scans.read(io.BytesIO(data)))
    output = io.BytesIO()
    perfetto.write(read(io.BytesIO(data), Reader()), report, output)
    drawing = drawn(output.getvalue())
    told = {one.domid for one in report.told}
    arrows = Counter(
        (int(call.track[1:].split("v")[0]), int(to.track[1:].split("v")[0])) for call, to in drawing.arrows
    )
    assert arrows == {
        (one.source, one.target): one.count for one in report.notifications if {one.source, one.target} <= told
    }
    assert all(call.at <= woken.at for call, woken in drawing.arrows)
    for pair in report.grants:
        if pair.mapper in told:
            values = drawing.counters[f"d{pair.mapper}", f"pages mapped of d{pair.granter}"]
            assert values[-1][1] == pair.maps - pair.unmaps
            assert len(values) == pair.maps + pair.unmaps
    # How long vCPUs waited, together, is what the run queue adds up to.
    end = report.span_s * 1e9
    queue = drawing.counters["", "run queue"]
    waited = sum(
        value * (after - at) for (at, value), after in zip(queue, [*(at for at, _ in queue[1:]), end], strict=True)
    )
    runnable = sum(vcpu.runstates["runnable"].seconds for one in report.told for vcpu in one.vcpus if vcpu.runstates)
    assert waited / 1e9 == pytest.approx(runnable, rel=1e-3)
    for one in report.told:
        exits = sum(exit_.count for vcpu in one.vcpus for exit_ in vcpu.exits)
        if exits:
            rates = drawing.counters[f"d{one.domid}", "VM exits a second"]
            step = max(report.span_s / 1000, 0.001)
            counted = sum(rate * step for _, rate in rates)
            assert counted == pytest.approx(exits, rel=1e-3)
