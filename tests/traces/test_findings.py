"""Every rule speaks where its fault is planted, with its numbers, and is silent on a trace without it."""

from dataclasses import replace

import pytest

from traces.account import IDLE_DOMID, Account, Diagnostic
from traces.analyses.clock import Clock
from traces.analyses.findings import Finding, findings
from traces.analyses.report import DomainReport, GrantPair, Hypercall, Report, Runstate, VcpuReport, Wait

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
