"""What in a report calls for attention: rules, each with the numbers that made it speak.

Law: a rule reads a ``Report`` and nothing else, and says what was measured before what it may mean. The limits are
what a host that works well stays far from; they are constants here, so that a finding can be argued with.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from traces.account import IDLE_DOMID, UNKNOWN_DOMID
from traces.analyses.report import DomainReport, Report, VcpuReport
from traces.counted import plural

#: Of the time in which a vCPU could have run: runnable, but another one ran.
STEAL_SHARE = 0.10
#: Emulated page-table writes a second and vCPU: Linux batches its updates, and comes here for single ones only.
PTWR_RATE = 1000.0
#: event_channel_op calls a second and vCPU. A virtual disk and a network card under load make some thousands.
EVTCHN_RATE = 10_000.0
_PTWR = ("pv_ptwr_emulation", "pv_ptwr_emulation_pae")
#: Pages that stayed mapped: at least so many, and so many of those that were mapped during the trace.
GRANTS_LEFT, GRANTS_LEFT_SHARE = 64, 0.05
#: Of all records: with more lost, counts and rates are too low by more than they vary anyway.
LOST_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found.

    ``rule`` is a fixed word; ``text`` one sentence; ``evidence`` the measured values, with units in their names, and
    where to look: ``first_offset`` in the file, or the worst case's time since the trace's beginning.
    ``domid`` and ``vcpu`` are None where it is about the whole host or domain.
    """

    rule: str
    text: str
    evidence: Mapping[str, float | int]
    domid: int | None = None
    vcpu: int | None = None


def findings(report: Report) -> tuple[Finding, ...]:
    """Apply all rules: what makes numbers doubtful first, then by domain."""
    return tuple(finding for rule in _RULES for finding in rule(report))


def _lost_records(report: Report) -> Iterator[Finding]:
    lost, kept = report.account.lost_records, report.account.records
    if lost and lost >= LOST_SHARE * (lost + kept):
        first = min((d.first_offset for d in report.account.diagnostics if d.code == "lost_records"), default=0)
        share = lost / (lost + kept)
        yield Finding(
            "lost_records",
            f"{plural(lost, 'record')} ({share:.0%}) {'was' if lost == 1 else 'were'} lost: counts and rates are "
            f"too low by as much; record with larger buffers or fewer classes of events",
            {"lost": lost, "records": kept, "share": share, "first_offset": first},
        )


def _steal(report: Report) -> Iterator[Finding]:
    for domain in _real(report):
        for vcpu in domain.vcpus:
            if "runnable" not in vcpu.runstates:
                continue
            ran, waited = vcpu.runstates["running"].seconds, vcpu.runstates["runnable"].seconds
            if waited and waited >= STEAL_SHARE * (ran + waited):
                share = waited / (ran + waited)
                yield Finding(
                    "steal",
                    f"{_name(domain.domid, report)} v{vcpu.vcpu} waited for a pCPU {share:.0%} of the time that it "
                    f"wanted to run ({waited:.2f} s of {ran + waited:.2f} s): the pCPUs are overcommitted, "
                    f"or its weight or cap is low",
                    {"running_s": ran, "runnable_s": waited, "share": share, **_longest_wait(vcpu)},
                    domain.domid,
                    vcpu.vcpu,
                )


def _ptwr_flood(report: Report) -> Iterator[Finding]:
    for domain in _real(report):
        for vcpu in domain.vcpus:
            count = sum(vcpu.events.get(name, 0) for name in _PTWR)
            if report.span_s and count / report.span_s >= PTWR_RATE:
                rate = count / report.span_s
                yield Finding(
                    "ptwr_flood",
                    f"Xen emulates {rate:,.0f} page-table writes a second for {_name(domain.domid, report)} "
                    f"v{vcpu.vcpu}: each costs a fault, where mmu_update would take many in one hypercall",
                    {"count": count, "per_s": rate, **_first(vcpu.first_offsets.get(name) for name in _PTWR)},
                    domain.domid,
                    vcpu.vcpu,
                )


def _notification_storm(report: Report) -> Iterator[Finding]:
    for domain in _real(report):
        for vcpu in domain.vcpus:
            every = (*vcpu.hypercalls, *vcpu.multicall_subcalls)
            calls = [call for call in every if call.name == "event_channel_op"]
            count = sum(call.count for call in calls)
            if report.span_s and count / report.span_s >= EVTCHN_RATE:
                rate = count / report.span_s
                yield Finding(
                    "notification_storm",
                    f"{_name(domain.domid, report)} v{vcpu.vcpu} makes {rate:,.0f} event_channel_op calls a second: "
                    f"a driver may notify for every request instead of every batch",
                    {"count": count, "per_s": rate, **_first(call.first_offset for call in calls)},
                    domain.domid,
                    vcpu.vcpu,
                )


def _grants_left(report: Report) -> Iterator[Finding]:
    for pair in report.grants:
        left = pair.maps - pair.unmaps
        if left >= GRANTS_LEFT and left >= GRANTS_LEFT_SHARE * pair.maps:
            yield Finding(
                "grants_left",
                f"{_name(pair.mapper, report)} mapped {plural(pair.maps, 'page')} of {_name(pair.granter, report)} and "
                f"unmapped {pair.unmaps:,}: persistent grants while a ring fills, or a leak if it goes on",
                {"maps": pair.maps, "unmaps": pair.unmaps, "left": left, "first_offset": pair.first_offset},
                pair.granter,
            )


_RULES: tuple[Callable[[Report], Iterator[Finding]], ...] = (
    _lost_records,
    _steal,
    _ptwr_flood,
    _notification_storm,
    _grants_left,
)


def _longest_wait(vcpu: VcpuReport) -> dict[str, float | int]:
    wait = vcpu.longest_wait
    return {} if wait is None else {"worst_from_s": wait.begin, "worst_to_s": wait.end, "worst_pcpu": wait.pcpu}


def _first(offsets: Iterable[int | None]) -> dict[str, int]:
    known = [offset for offset in offsets if offset is not None]
    return {"first_offset": min(known)} if known else {}


def _real(report: Report) -> Iterator[DomainReport]:
    return (domain for domain in report.domains if domain.domid not in (IDLE_DOMID, UNKNOWN_DOMID))


def _name(domid: int, report: Report) -> str:
    return report.names.get(domid) or f"d{domid}"
