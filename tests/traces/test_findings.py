"""Every rule speaks where its fault is planted, with its numbers, and is silent on a trace without it."""

import io
from dataclasses import replace

import pytest

from tests.traces.captures import capture
from traces import scan as scans
from traces.account import IDLE_DOMID, Account, Diagnostic, Skew
from traces.analyses.findings import Finding, findings
from traces.analyses.report import report as report_of
from traces.answers import DomainReport, Exit, GrantPair, Hypercall, Report, Runstate, VcpuReport, Wait
from traces.counting.clock import Clock
from traces.counting.latencies import Distribution

SPAN_S = 10.0


def vcpu(*, runnable: float = 0.1, ptwr: int = 100, evtchn: int = 1000) -> VcpuReport:
    states = {"running": 4.0, "runnable": runnable, "blocked": 5.9, "offline": 0.0, "lost": 0.0}
    return VcpuReport(
        vcpu=0,
        runstates={name: Runstate(1, seconds, 0.0) for name, seconds in states.items()},
        hypercalls=(Hypercall(32, "event_channel_op", evtchn // 2, first_offset=66),),
        multicall_subcalls=(Hypercall(32, "event_channel_op", evtchn - evtchn // 2, first_offset=55),),
        batches={},
        exits=(),
        traps=(),
        events={"pv_ptwr_emulation": ptwr},
        first_offsets={"pv_ptwr_emulation": 77},
        longest_wait=Wait(1.5, 1.75, 2),
    )


def report(of: VcpuReport, *, lost: int = 0, grants: tuple[GrantPair, ...] = (), domid: int = 3) -> Report:
    account = Account(bytes=1 << 20, records=9_000, lost_records=lost, pcpus=[0])
    if lost:
        account.diagnostics.append(Diagnostic("lost_records", "data_loss", lost, 4711))
    domain = DomainReport(domid, "web", "pv", (of,))
    return Report(account, Clock(1e9, "trace"), SPAN_S, (domain,), grants, (), names={domid: "web"})


def only(found: tuple[Finding, ...]) -> Finding:
    (one,) = found
    return one


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert findings(report(vcpu(), grants=(GrantPair(0, 3, 5000, 4990),))) == ()


def test_steal() -> None:
    found = only(findings(report(vcpu(runnable=1.0))))
    assert (found.rule, found.domid, found.vcpu) == ("steal", 3, 0)
    measured = {"running_s": 4.0, "runnable_s": 1.0, "share": pytest.approx(0.2)}
    assert found.evidence == measured | {"worst_from_s": 1.5, "worst_to_s": 1.75, "worst_pcpu": 2}
    assert found.text.startswith("web v0 waited for a pCPU 20% of the time that it wanted to run (1.00 s of 5.00 s)")


def test_the_idle_domain_always_waits() -> None:
    assert findings(report(vcpu(runnable=5.0), domid=IDLE_DOMID)) == ()


def test_page_table_writes_one_by_one() -> None:
    found = only(findings(report(vcpu(ptwr=25_000))))
    assert (found.rule, found.evidence) == ("ptwr_flood", {"count": 25_000, "per_s": 2500.0, "first_offset": 77})


def test_notifications_in_multicalls_count() -> None:
    found = only(findings(report(vcpu(evtchn=200_001))))
    assert (found.rule, found.evidence["count"]) == ("notification_storm", 200_001)
    assert found.evidence["first_offset"] == 55


def test_grants_that_stay_mapped() -> None:
    found = only(findings(report(vcpu(), grants=(GrantPair(0, 3, 500, 300, 99), GrantPair(0, 4, 90, 30)))))
    assert (found.rule, found.domid) == ("grants_left", 3)
    assert found.evidence == {"maps": 500, "unmaps": 300, "left": 200, "first_offset": 99}
    assert found.text.startswith("d0 mapped 500 pages of web and unmapped 300")


def test_lost_records_come_first() -> None:
    found = findings(report(vcpu(runnable=1.0), lost=1000))
    assert [one.rule for one in found] == ["lost_records", "steal"]
    assert found[0].evidence == {"lost": 1000, "records": 9_000, "share": 0.1, "first_offset": 4711}


def test_a_few_lost_records_are_no_finding() -> None:
    assert findings(replace(report(vcpu(), lost=50))) == ()


def with_exits(of: VcpuReport, name: str, count: int, seconds: float) -> VcpuReport:
    latency = Distribution({(0.0, 1.0): count}, seconds / count, seconds, 1e9)
    exits = (Exit(16, name, count, seconds, 0.0, latency), Exit(12, "HLT", 10, 0.001, 0.0))
    return replace(of, exits=exits, first_offsets={"hvm_vmx_exit": 4242})


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("RDTSC", "tsc_emulation"),
        ("RDTSCP", "tsc_emulation"),
        ("MSR_WRITE", "msr_storm"),
        ("MSR", "msr_storm"),
        ("APIC_ACCESS", "apic_storm"),
        ("IOIO", "emulated_io"),
        ("PAUSE_INSTRUCTION", "pause_storm"),
    ],
)
def test_exits_that_cost_a_part_of_the_running_time(name: str, rule: str) -> None:
    # 17 % of 4 s.
    found = only(findings(report(with_exits(vcpu(), name, 68_000, 0.68))))
    assert (found.rule, found.domid, found.vcpu) == (rule, 3, 0)
    assert found.evidence == {
        "count": 68_000,
        "per_s": 6_800.0,
        "in_xen_s": 0.68,
        "running_s": 4.0,
        "share": pytest.approx(0.17),
        "longest_s": pytest.approx(1e-5),
        "first_offset": 4242,
    }
    assert "17% of its running time" in found.text
    assert "68,000" in found.text
    assert findings(report(with_exits(vcpu(), name, 10_000, 0.1))) == ()


def test_trifles_are_no_findings() -> None:
    # 85 % of hardly anything.
    states = {name: Runstate(0, 0.0, 0.0) for name in ("blocked", "offline", "lost")}
    states |= {"running": Runstate(1, 0.0003, 0.0), "runnable": Runstate(1, 0.0017, 0.0)}
    assert findings(report(replace(with_exits(vcpu(), "RDTSC", 50, 0.0002), runstates=states))) == ()
    short = replace(report(replace(vcpu(evtchn=90), runstates=states)), span_s=0.002)
    assert findings(short) == ()


def faulty() -> Report:
    states = {name: Runstate(1, seconds, 0.0) for name, seconds in {"running": 4.0, "runnable": 3.0}.items()}
    states |= {"blocked": Runstate(100_000, 3.0, 0.0)}
    of = with_exits(vcpu(ptwr=90_000, evtchn=900_000), "RDTSC", 68_000, 0.68)
    of = replace(of, runstates=states, migrations=9_000, pcpus={0: 2.0, 1: 2.0}, longest_wait=None)
    return report(of, lost=1000, grants=(GrantPair(0, 3, 500, 300, 99),))


def rules(of: Report) -> list[str]:
    return [one.rule for one in findings(of)]


def test_every_rule_speaks_where_its_fault_is() -> None:
    assert rules(replace(faulty(), tracer_share=0.4, skew=Skew(9, 0, 77, {0: 0, 1: 5_000_000}))) == [
        *("clock_skew", "lost_records", "tracer_load", "steal", "migrations", "halt_polling"),
        *("tsc_emulation", "ptwr_flood", "notification_storm", "grants_left"),
    ]


def test_an_assumed_clock_makes_no_rates() -> None:
    assert rules(replace(faulty(), clock=Clock(2.4e9, "default"))) == ["lost_records", "grants_left"]


def test_doubtful_run_states_make_no_findings() -> None:
    found = rules(replace(faulty(), skew=Skew(900, 900, 77, {})))
    assert found == [
        *("clock_skew", "lost_records", "tsc_emulation", "ptwr_flood", "notification_storm", "grants_left"),
    ]
    (first, *_) = findings(replace(faulty(), skew=Skew(900, 900, 77, {})))
    assert first.evidence == {"contradictions": 900, "left": 900, "first_offset": 77}


def test_dom0_is_starved_as_a_whole() -> None:
    found = findings(report(vcpu(runnable=0.3), domid=0))
    assert [(one.rule, one.domid, one.vcpu) for one in found] == [("dom0_starved", 0, None)]
    assert found[0].evidence["share"] == pytest.approx(0.3 / 4.3)
    assert found[0].evidence["worst_from_s"] == 1.5
    assert findings(report(vcpu(runnable=0.1), domid=0)) == ()


def test_migrations_say_among_how_many_pcpus() -> None:
    found = only(findings(report(replace(vcpu(), migrations=9_000, pcpus={0: 1.0, 3: 3.0}))))
    assert (found.rule, found.evidence["per_s"], found.evidence["pcpus"]) == ("migrations", 900.0, 2)


def test_the_real_pvh_guest_reads_an_emulated_tsc() -> None:
    # The lab's machine is emulated, and so is the TSC of its guests.
    found = findings(report_of(scans.read(io.BytesIO(capture("xen-4.20-pvh"))), host_hz=2.596e9))
    (emulated,) = (one for one in found if one.rule == "tsc_emulation")
    assert emulated.evidence["count"] == 8_617
    assert 0.15 < emulated.evidence["share"] < 0.22
