"""Counting: what is too short, what is flagged, and a capture made to fill the memory."""

import struct

from tests.traces.handmade import record, window
from traces.analyses.counts import by_vcpu
from traces.analyses.report import report as report_of
from traces.answers import Batches, Report
from traces.scan import Scan
from traces.xen.formats import events as xentrace

D1V0 = (1, 0)
START = record(xentrace.RUNSTATE_CHANGE | 1 << 8, 10, 1 << 16)
ARG0, ARG1, ARG2 = 1 << 20, 1 << 22, 1 << 24


def scan(body: bytes) -> Scan:
    found = Scan()
    found.feed(window(0, START + body))
    found.finish()
    return found


def report(body: bytes) -> Report:
    return report_of(scan(body))


def test_suboperations_and_batches() -> None:
    v2, sub = xentrace.PV_HYPERCALL_V2, xentrace.PV_HYPERCALL_SUBCALL
    body = (
        record(v2, 11, 20 | ARG0 | ARG2, 5, 3)  # grant_table_op: copy, 3 of them
        + record(v2, 12, 20 | ARG0 | ARG2, 5 | 7 << 12, 3)  # the same, gone on with
        + record(v2, 13, 29 | ARG0, 1)
        + record(v2, 14, 13 | ARG1, 4)
        + record(sub, 15, 26 | ARG1, 2)
        + record(sub, 16, 1 | ARG1, 6 | 1 << 31)  # preempted
        + record(v2, 17, 29)  # says that no argument follows
        + record(v2, 18)  # too short for even a number
    )
    counts = by_vcpu(scan(body))[D1V0]
    assert counts.hypercalls == {20: 1, 29: 2, 13: 1}
    assert counts.subcalls == {26: 1, 1: 0}
    assert (counts.restarts, counts.subcall_restarts) == ({20: 1}, {1: 1})
    assert counts.subops == {20: {5: 1}, 29: {1: 1}}
    assert counts.batches == {13: Batches(1, 4), 26: Batches(1, 2)}
    assert counts.events[v2] == 6


def test_traps_of_both_widths() -> None:
    use_error_code = 1 << 15
    narrow = record(xentrace.PV_TRAP, 11, 0x1000, 13 | use_error_code | 5 << 16)
    wide = record(xentrace.PV_TRAP | xentrace.FLAG_64, 12, 0x1000, 0, 13)
    (vcpu,) = (v for d in report(narrow + wide).domains if d.domid == 1 for v in d.vcpus)
    assert [(trap.name, trap.count) for trap in vcpu.traps] == [("gp_fault", 2)]
    assert vcpu.events["pv_trap"] == 2


def test_interrupts_by_number_with_stamps_that_wrap() -> None:
    handled = xentrace.HW_IRQ_HANDLED
    body = (
        record(handled, 1000, 9, 100, 400)
        + record(handled, 2000, 9, 0xFFFFFF00, 0x100)  # 512 cycles
        + record(handled, 3000, 31, 5, 6)
        + record(handled, 4000, 31, 5)  # too short to tell
    )
    nine, other = report_of(scan(body), hz=1.0).irqs
    assert (nine.irq, nine.count, nine.seconds, nine.latency.longest, nine.pcpus) == (9, 2, 812.0, 512.0, {0: 2})
    assert nine.latency.count == 2
    assert (other.irq, other.count, other.seconds) == (31, 1, 1.0)


def test_unknown_events_are_counted_and_located() -> None:
    body = record(0x8001234, 11, 1) + record(0x20100D, 12, 1) + record(0x8001235, 13)
    diagnostics = {one.code: one for one in report(body).account.diagnostics}
    assert diagnostics["unknown_event"].count == 2
    assert diagnostics["unknown_event"].first_offset == 12 + len(START)


def test_a_capture_made_to_fill_the_memory_is_counted_in_bounds() -> None:
    # Each record names another hypercall.
    kinds = 300_000
    body = b"".join(struct.pack("<IQI", 0x9020100D, 100, nr) for nr in range(kinds))
    found = report(body)
    (one,) = (one for one in found.account.diagnostics if one.code == "too_many_kinds")
    assert one.severity == "error"
    (vcpu,) = (v for d in found.domains if d.domid == 1 for v in d.vcpus)
    assert len(vcpu.hypercalls) + one.count == kinds
    assert vcpu.events["pv_hypercall_v2"] == kinds
