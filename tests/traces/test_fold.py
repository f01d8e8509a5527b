"""Run states, exits, inferred notifications and the clock, on traces made by hand; conservation on any trace."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.traces.handmade import (
    BLOCKED,
    HZ,
    RUNNABLE,
    RUNNING,
    VMENTRY,
    VMEXIT,
    change,
    cycles,
    record,
    report,
    vcpu,
    window,
)
from traces.analyses.report import DomainInfo
from traces.counting import clock
from traces.xen.formats import events as xentrace


def test_run_states_move_with_the_vcpu_from_pcpu_to_pcpu() -> None:
    found = report(
        window(0, change(100, 1, 0, RUNNABLE, RUNNING) + change(150, 1, 0, RUNNING, BLOCKED)),
        window(1, change(180, 1, 0, BLOCKED, RUNNABLE) + change(200, 1, 0, RUNNABLE, RUNNING) + record(0x28003, 260)),
    )
    assert cycles(vcpu(found, 1, 0)) == {
        "running": (2, 110, 0),
        "runnable": (1, 20, 0),
        "blocked": (1, 30, 0),
        "offline": (0, 0, 0),
        "lost": (0, 0, 0),
    }
    assert found.span_s * HZ == pytest.approx(160)


def test_what_was_before_and_after_is_clipped() -> None:
    found = report(
        window(0, record(0x28003, 50) + change(100, 1, 0, RUNNABLE, RUNNING) + change(150, 1, 0, RUNNING, BLOCKED)),
        window(1, record(0x28003, 190)),
    )
    states = cycles(vcpu(found, 1, 0))
    assert states["runnable"] == (0, 50, 50)
    assert states["running"] == (1, 50, 0)
    assert states["blocked"] == (0, 40, 40)


def test_after_a_loss_only_those_running_elsewhere_are_known() -> None:
    lost = record(xentrace.LOST_RECORDS, 300, 77, 2, 200, 0)
    found = report(
        window(
            0,
            change(100, 1, 0, RUNNABLE, RUNNING)
            + change(110, 2, 0, RUNNING, BLOCKED)
            + lost
            + change(350, 2, 0, RUNNING, BLOCKED),
        ),
        window(1, change(100, 3, 0, RUNNABLE, RUNNING) + change(400, 3, 0, RUNNING, BLOCKED)),
    )
    assert cycles(vcpu(found, 1, 0))["running"] == (1, 100, 0)
    assert cycles(vcpu(found, 1, 0))["lost"][1] == 200
    assert cycles(vcpu(found, 2, 0))["lost"][1] == 100
    assert cycles(vcpu(found, 2, 0))["running"][1] == 10 + 50
    assert cycles(vcpu(found, 3, 0))["running"] == (1, 300, 0)
    assert found.account.lost_records == 77


def test_an_exit_without_the_time_while_others_ran() -> None:
    found = report(
        window(
            0,
            change(100, 1, 0, RUNNABLE, RUNNING)
            + record(VMEXIT, 200, 0x78, 0, 0)
            + change(210, 1, 0, RUNNING, BLOCKED)
            + change(400, 1, 0, BLOCKED, RUNNABLE)
            + change(410, 1, 0, RUNNABLE, RUNNING)
            + record(VMENTRY, 425)
            + record(VMEXIT, 500, 0x400, 0, 0)
            + record(VMENTRY, 530),
        )
    )
    exits = {
        one.name: (one.count, round(one.seconds * HZ), round(one.descheduled_seconds * HZ))
        for one in vcpu(found, 1, 0).exits
    }
    assert exits == {"HLT": (1, 25, 200), "NPF": (1, 30, 0)}


@pytest.mark.parametrize(("reason", "name"), [(0x7B, "IOIO"), (30, "IO_INSTRUCTION")])
def test_exits_under_intels_id_are_amds_when_intel_has_no_such_reason(reason: int, name: str) -> None:
    body = change(100, 1, 0, RUNNABLE, RUNNING) + record(xentrace.HVM_VMX_EXIT | xentrace.FLAG_64, 200, reason, 0, 0)
    found = vcpu(report(window(0, body + record(VMENTRY, 230))), 1, 0)
    assert [(one.name, one.count) for one in found.exits] == [(name, 1)]


def test_notifications_are_inferred_from_the_wake_right_after() -> None:
    send = record(xentrace.PV_HYPERCALL_V2, 110, 32)
    wake = record(xentrace.SCHED_WAKE, 111, 5, 0)
    other = record(xentrace.PV_HYPERCALL_V2, 112, 29)
    start = change(100, 1, 0, RUNNABLE, RUNNING)
    found = report(window(0, start + send + wake + send + other + wake))
    assert [(one.source, one.target, one.count) for one in found.notifications] == [(1, 5, 1)]


MAP = xentrace.GRANT_MAP


@pytest.mark.parametrize(
    ("times", "also", "confidence"),
    [
        (2, b"", {(1, 5): "low"}),
        (3, b"", {(1, 5): "likely"}),
        (1, record(MAP, 500, 5), {(1, 5): "high"}),  # 1 maps a page of 5
        (1, change(500, 5, 0, RUNNABLE, RUNNING) + record(MAP, 501, 1), {(1, 5): "high"}),  # 5 maps a page of 1
        (1, record(MAP, 500, 6), {(1, 5): "low"}),
        (
            1,
            change(500, 5, 0, RUNNABLE, RUNNING)
            + record(xentrace.PV_HYPERCALL_V2, 501, 32)
            + record(xentrace.SCHED_WAKE, 502, 1, 0),
            {(1, 5): "high", (5, 1): "high"},
        ),
    ],
)
def test_what_else_tells_of_a_channel_makes_notifications_credible(
    times: int, also: bytes, confidence: dict[tuple[int, int], str]
) -> None:
    pair = record(xentrace.PV_HYPERCALL_V2, 110, 32) + record(xentrace.SCHED_WAKE, 111, 5, 0)
    found = report(window(0, change(100, 1, 0, RUNNABLE, RUNNING) + pair * times + also))
    assert {(one.source, one.target): one.confidence for one in found.notifications} == confidence


def test_modes_and_names() -> None:
    body = change(100, 1, 0, RUNNABLE, RUNNING) + record(xentrace.PV_HYPERCALL_V2, 110, 1)
    body += change(120, 1, 0, RUNNING, BLOCKED) + change(121, 2, 0, RUNNABLE, RUNNING) + record(VMENTRY, 125)
    found = report(window(0, body), infos={2: DomainInfo("web", "pvh")})
    assert [(d.domid, d.name, d.mode) for d in found.domains] == [(1, None, "pv"), (2, "web", "pvh")]


def test_the_clock_is_found_in_spite_of_interruptions_and_a_fixed_delay() -> None:
    pairs = [(round(2.1 * ns) + 9000, ns) for ns in range(1_000_000, 30_000_000, 250_000)]
    pairs += [(round(2.1 * ns) + 5_000_000, ns) for ns in range(1_000_000, 30_000_000, 2_000_000)]
    found = clock.from_trace(pairs)
    assert found is not None
    assert found.source == "trace"
    assert found.hz == pytest.approx(2.1e9, rel=1e-5)


@pytest.mark.parametrize("pairs", [[], [(100, 1_000_000)] * 3, [(5, 1_000_000)] * 100])
def test_too_little_to_tell_the_clock(pairs: list[tuple[int, int]]) -> None:
    assert clock.from_trace(pairs) is None


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 3),  # pCPU
        st.integers(0, 50),  # cycles since the last record there
        st.integers(0, 3),  # domid
        st.integers(0, 1),  # vCPU
        st.integers(0, 3),  # old
        st.integers(0, 3),  # new
        st.booleans(),  # a loss instead
    ),
    min_size=1,
    max_size=60,
)


@given(EVENTS)
def test_conservation_to_the_cycle(events: list[tuple[int, int, int, int, int, int, bool]]) -> None:
    # Whatever is claimed of run states, however contradictory: for each vCPU they add up to the span.
    bodies: dict[int, bytes] = {}
    now: dict[int, int] = {}
    stamps = []
    for pcpu, delay, domid, number, old, new, loss in events:
        tsc = now[pcpu] = now.get(pcpu, 1000) + delay
        stamps.append(tsc)
        entry = (
            record(
                xentrace.LOST_RECORDS, tsc, 1, domid | number << 16, *struct.unpack("<II", struct.pack("<Q", tsc - 7))
            )
            if loss
            else change(tsc, domid, number, old, new)
        )
        bodies[pcpu] = bodies.get(pcpu, b"") + entry
    found = report(*(window(pcpu, body) for pcpu, body in sorted(bodies.items())))
    span = max(stamps) - min(stamps)
    for domain in found.domains:
        for one in domain.vcpus:
            if one.runstates:
                assert sum(total for _, total, _ in cycles(one).values()) == span


def test_conservation_over_captures_end_to_end() -> None:
    one = window(0, change(100, 1, 0, RUNNABLE, RUNNING) + change(150, 1, 0, RUNNING, BLOCKED))
    two = window(0, change(40, 2, 0, RUNNABLE, RUNNING) + change(60, 2, 0, RUNNING, BLOCKED) + record(0x28003, 70))
    found = report(one, two)
    assert found.span_s * HZ == pytest.approx(50 + 30)
    assert cycles(vcpu(found, 1, 0))["lost"] == (0, 30, 30)
    assert cycles(vcpu(found, 2, 0))["lost"] == (0, 50, 50)
    assert all(a < b for a, b in pairwise([d.domid for d in found.domains]))
