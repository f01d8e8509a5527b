"""What vCPUs' threads did, of traces whose every record is known."""

from collections import Counter

import pytest

from tests.traces.kvm.traces import (
    LIFE,
    OTHER,
    RUNS,
    SLEEPS,
    VCPU,
    Told,
    counted,
    entry,
    exit_,
    page,
    sample,
    sixth,
    switch,
)
from traces.analyses.kvm import machines, report
from traces.answers import Report
from traces.kvm.counted import Thread


def _report(*pages: list[Told]) -> Report:
    trace, counts, lost = counted(sixth([[page(one)] for one in pages]))
    assert lost == []
    return report(counts, trace)


def test_a_life() -> None:
    found = _report(LIFE)
    (machine,) = (one for one in found.domains if one.mode == "kvm")
    (vcpu,) = machine.vcpus
    assert (found.source, machine.domid, machine.name, vcpu.vcpu) == ("kvm", VCPU, None, 0)
    states = {name: round(state.seconds * 1e9) for name, state in vcpu.runstates.items()}
    assert states == {"running": 365, "runnable": 41, "blocked": 94, "lost": 0}
    modes = {name: round(one * 1e9) for name, one in vcpu.runstates["running"].modes.items()}
    assert modes == {"guest": 287, "kernel": 38, "user": 40}
    exits = {
        one.name: (
            one.count,
            *(round(each * 1e9) for each in (one.seconds, one.descheduled_seconds, one.user_seconds or 0)),
        )
        for one in vcpu.exits
    }
    assert exits == {"npf": (1, 17, 30, 0), "exit_0x7b": (1, 3, 0, 40), "hlt": (2, 8, 105, 0)}
    assert [(one.kind, one.address, one.reads, one.writes) for one in vcpu.io] == [
        ("memory", 0xFEB00000, 0, 1),
        ("port", 0x3F8, 0, 1),
    ]
    assert [(one.vector, one.count) for one in vcpu.interrupts] == [(236, 1)]
    assert (vcpu.latencies["wake_to_run"].count, round(vcpu.latencies["wake_to_run"].longest * 1e9)) == (1, 11)
    assert (vcpu.latencies["preempted_to_run"].count, round(vcpu.latencies["preempted_to_run"].longest * 1e9)) == (
        1,
        30,
    )
    assert vcpu.events["kvm_exit"] == 4
    assert found.span_s * 1e9 == 500


def test_states_are_the_span() -> None:
    trace, counts, _ = counted(sample())
    found = report(counts, trace)
    for domain in found.domains:
        for vcpu in domain.vcpus:
            if vcpu.runstates:
                assert sum(one.seconds for one in vcpu.runstates.values()) == pytest.approx(found.span_s, abs=1e-9)
                running = vcpu.runstates["running"]
                assert sum(running.modes.values()) == pytest.approx(running.seconds, abs=1e-9)
                assert sum(vcpu.pcpus.values()) == pytest.approx(running.seconds, abs=1e-9)


def test_what_was_not_recorded_is_lost() -> None:
    found = _report(
        [Told(0, OTHER, "sched_wakeup", {"pid": OTHER}), entry(100, VCPU), switch(300, VCPU, SLEEPS, OTHER)]
    )
    (machine,) = (one for one in found.domains if one.mode == "kvm")
    states = {name: round(one.seconds * 1e9) for name, one in machine.vcpus[0].runstates.items()}
    assert states == {"running": 200, "runnable": 0, "blocked": 0, "lost": 100}


def test_without_the_schedulers_events_no_run_states_are_told() -> None:
    found = _report([entry(100, VCPU), exit_(300, VCPU, 0x78), entry(900, VCPU)])
    assert found.domains[0].vcpus[0].runstates == {}
    assert found.not_recorded[0].startswith("run states: ")
    assert [(one.name, one.count, round(one.seconds * 1e9)) for one in found.domains[0].vcpus[0].exits] == [
        ("hlt", 1, 600)
    ]


def test_processors_in_order_of_time_and_a_migration() -> None:
    here = [switch(10, OTHER, SLEEPS, VCPU), entry(20, VCPU), exit_(60, VCPU, 0x400), switch(70, VCPU, RUNS, OTHER)]
    there = [switch(90, OTHER, RUNS, VCPU), entry(95, VCPU), exit_(110, VCPU, 0x400)]
    (vcpu,) = _report(here, there).domains[0].vcpus
    assert vcpu.migrations == 1
    assert {cpu: round(one * 1e9) for cpu, one in vcpu.pcpus.items()} == {0: 60, 1: 20}
    assert vcpu.longest_wait is not None
    assert (round(vcpu.longest_wait.begin * 1e9), round(vcpu.longest_wait.end * 1e9), vcpu.longest_wait.pcpu) == (
        60,
        80,
        1,
    )


def test_intels_reasons_and_a_failedentry() -> None:
    found = _report(
        [exit_(10, VCPU, 12, isa=1), entry(20, VCPU), exit_(30, VCPU, 1 << 31 | 48, isa=1), entry(35, VCPU)]
    )
    assert {one.name: one.count for one in found.domains[0].vcpus[0].exits} == {
        "HLT": 1,
        "EPT_VIOLATION (failed VM entry)": 1,
    }


def test_threads_put_together_to_machines() -> None:
    records = [
        entry(at, pid, vcpu) for at, (pid, vcpu) in enumerate([(500, 0), (501, 1), (900, 0), (910, 1), (700, 0)])
    ]
    trace, counts, _ = counted(sixth([[page(records)]]))
    assert [(one.pid, len(one.threads)) for one in machines(counts.threads, {})] == [(500, 2), (700, 1), (900, 2)]
    named = machines(counts.threads, {900: "web", 910: "web", 500: "db", 501: "db"})
    assert [(one.pid, one.name) for one in named] == [(500, "db"), (700, None), (900, "web")]
    assert [one.domid for one in report(counts, trace).domains] == [500, 700, 900]


def test_lost_records_are_the_kernels_count() -> None:
    pages = [page(LIFE[:4]), page(LIFE[4:], lost=41)]
    trace, counts, _ = counted(sixth([pages]))
    account = report(counts, trace).account
    assert (account.lost_records, account.records) == (41, len(LIFE))
    assert [one.code for one in account.diagnostics] == ["lost_records"]


def test_the_real_ones_events() -> None:
    trace, counts, lost = counted(sample())
    found = report(counts, trace)
    assert lost == []
    events: Counter[str] = Counter()
    for domain in found.domains:
        for vcpu in domain.vcpus:
            events.update(vcpu.events)
    # As `trace-cmd report` counts them.
    assert events["kvm_exit"] == events["kvm_entry"] == 632
    assert (events["sched_switch"], events["kvm_msr"], events["kvm_eoi"], events["vcpu_match_mmio"]) == (
        239,
        194,
        177,
        38,
    )
    assert sum(events.values()) == found.account.records == 3713
    (machine,) = (one for one in found.domains if one.mode == "kvm")
    exits = {one.name: one.count for one in machine.vcpus[0].exits}
    assert exits == {"msr": 194, "cpuid": 165, "interrupt": 132, "vintr": 85, "npf": 38, "hlt": 18}


def test_threads_say_what_they_are() -> None:
    _, counts, _ = counted(sixth([[page(LIFE)]]))
    assert all(isinstance(one, Thread) for one in counts.threads)
    assert {one.pid: one.vcpu for one in counts.threads} == {VCPU: 0, OTHER: None}
