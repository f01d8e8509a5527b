"""A report as the JSON document ``xentool.report/1``: fields may be added to it, none changed or dropped."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from traces.account import Account
from traces.analyses.findings import findings
from traces.answers import DomainReport, Hypercall, Msr, Report, VcpuReport
from traces.choice.where import EVERYTHING, Where
from traces.counting.latencies import QUANTILES, Distribution
from traces.exporters.words import lost_rate

SCHEMA = "xentool.report/1"


def document(report: Report) -> dict[str, Any]:
    """Give the document as what ``json`` writes. Times are in seconds, rates in hertz."""
    return {name: list(value) if isinstance(value, Iterator) else value for name, value in parts(report).items()}


def parts(report: Report) -> dict[str, Any]:
    """Give the document in parts: its long lists are iterators, which need not be in memory at once."""
    return {
        "schema": SCHEMA,
        "capture": _capture(report, report.account),
        "chosen": _chosen(report.where),
        "domains": (_domain(domain) for domain in report.domains),
        "grants": (
            {"mapper": pair.mapper, "granter": pair.granter, "maps": pair.maps, "unmaps": pair.unmaps}
            for pair in report.grants
        ),
        "notifications": (
            {"from": one.source, "to": one.target, "count": one.count, "confidence": one.confidence}
            for one in report.notifications
        ),
        "irqs": (
            {
                "irq": one.irq,
                "count": one.count,
                "seconds": one.seconds,
                "pcpus": {str(pcpu): count for pcpu, count in one.pcpus.items()},
                "latency": latency(one.latency),
            }
            for one in report.irqs
        ),
        "findings": (
            {"rule": one.rule, "domid": one.domid, "vcpu": one.vcpu, "text": one.text, "evidence": dict(one.evidence)}
            for one in findings(report)
        ),
        "not_recorded": list(report.not_recorded),
    }


def _chosen(where: Where) -> dict[str, Any] | None:
    if where == EVERYTHING:
        return None
    return {
        "domid": where.domid,
        "vcpus": sorted(where.vcpus),
        "pcpus": sorted(where.pcpus),
        "events": str(where.kinds),
        "from_s": where.begin,
        "to_s": where.end if where.end < math.inf else None,
    }


def _capture(report: Report, account: Account) -> dict[str, Any]:
    return {
        "source": report.source,
        "bytes": account.bytes,
        "records": account.records,
        "skipped_bytes": account.skipped_bytes,
        "lost_records": account.lost_records,
        "lost_per_s": lost_rate(report),
        "tracer_cpu_share": report.tracer_share,
        "pcpus": account.pcpus,
        "span_s": report.span_s,
        "hz": report.clock.hz,
        "hz_source": report.clock.source,
        "hz_error": report.clock.error,
        "clock_skew": _skew(report),
        "xen_version": report.xen_version,
        **({} if report.kernel is None else {"kernel": report.kernel}),
        "exit_vendor": None if report.exits.source == "default" else report.exits.vendor,
        "exit_vendor_source": report.exits.source,
        "recorded": _recorded(report),
        "diagnostics": [
            {"code": one.code, "severity": one.severity, "count": one.count, "first_offset": one.first_offset}
            for one in account.diagnostics
        ],
    }


def _recorded(report: Report) -> dict[str, Any] | None:
    if report.recorded is None:
        return None
    begin = round(report.where.begin * 1e9)
    end = begin + round(report.span_s * 1e9)
    return {
        "begin": report.recorded.text(begin, "microseconds"),
        "end": report.recorded.text(end, "microseconds"),
        "first_record_unix_ns": report.recorded.ns,
        "error_s": report.recorded.error_ns / 1e9,
        "basis": report.recorded.basis,
    }


def _skew(report: Report) -> dict[str, Any] | None:
    skew = report.skew
    return (
        None
        if skew is None
        else {
            "contradictions": skew.contradictions,
            "contradictions_left": skew.left,
            "corrected": bool(skew.shifts),
            "added_seconds": {str(pcpu): report.clock.seconds(cycles) for pcpu, cycles in skew.shifts.items()},
        }
    )


def _domain(domain: DomainReport) -> dict[str, Any]:
    return {
        "domid": domain.domid,
        "name": domain.name,
        "mode": domain.mode,
        "lives": [{"created_s": begin, "destroyed_s": end} for begin, end in domain.lives],
        "contention": {name: {"count": one.count, "seconds": one.seconds} for name, one in domain.contention.items()},
        "vcpus": [_vcpu(vcpu) for vcpu in domain.vcpus],
    }


def _vcpu(vcpu: VcpuReport) -> dict[str, Any]:
    return {
        "vcpu": vcpu.vcpu,
        "runstates": {
            name: {
                "count": state.count,
                "seconds": state.seconds,
                "clipped_seconds": state.clipped_seconds,
                "histogram": _histogram(state.histogram),
                **({"modes": dict(state.modes)} if state.modes else {}),
            }
            for name, state in vcpu.runstates.items()
        },
        "hypercalls": [{**call, "subops": subops} for call, subops in _calls(vcpu.hypercalls)],
        "multicall_subcalls": [call for call, _ in _calls(vcpu.multicall_subcalls)],
        "batches": {name: {"calls": batches.calls, "items": batches.items} for name, batches in vcpu.batches.items()},
        "exits": [
            {
                "reason": one.reason,
                "name": one.name,
                "nested": one.nested,
                "count": one.count,
                "seconds": one.seconds,
                "descheduled_seconds": one.descheduled_seconds,
                **({} if one.user_seconds is None else {"user_seconds": one.user_seconds}),
                "latency": _latency(one.latency),
            }
            for one in vcpu.exits
        ],
        "interrupts": [
            {
                "vector": one.vector,
                "count": one.count,
                "wake_to_halt_alone": _latency(one.alone),
                "wake_to_halt": _latency(one.wake_to_halt),
                "interrupt_to_halt": _latency(one.interrupt_to_halt),
            }
            for one in vcpu.interrupts
        ],
        "traps": [{"vector": trap.vector, "name": trap.name, "count": trap.count} for trap in vcpu.traps],
        "events": dict(vcpu.events),
        "migrations": vcpu.migrations,
        "pcpus": {str(pcpu): seconds for pcpu, seconds in vcpu.pcpus.items()},
        "io": [
            {
                "kind": one.kind,
                "address": one.address,
                "reads": one.reads,
                "writes": one.writes,
                **({} if one.entries is None else {"entries": one.entries, "device": one.device}),
            }
            for one in vcpu.io
        ],
        **({"msrs": [_msr(one) for one in vcpu.msrs]} if vcpu.msrs else {}),
        **({"entries": dict(vcpu.entries)} if vcpu.entries else {}),
        "cr3_writes": [{"cr3": root, "count": count} for root, count in vcpu.cr3_writes.items()],
        "latencies": {name: latency(one) for name, one in vcpu.latencies.items()},
    }


def latency(one: Distribution) -> dict[str, Any]:
    """Give a distribution: quantiles and the longest in seconds, and a histogram by octaves."""
    return {"count": one.count, "seconds": one.seconds, **quantiles(one), "histogram": _histogram(one.octaves())}


def quantiles(one: Distribution) -> dict[str, float]:
    """Give a distribution's quantiles and its longest, in seconds, by their keys."""
    # A dot in a key would have to be quoted in jq.
    named = {f"{name.replace('.', '_')}_s": one.quantile(share) for name, share in QUANTILES.items()}
    return {**named, "max_s": one.longest}


def _msr(one: Msr) -> dict[str, Any]:
    return {"number": one.number, "name": one.name, "reads": one.reads, "writes": one.writes}


def _latency(one: Distribution) -> dict[str, Any] | None:
    return latency(one) if one.count else None


def _histogram(counts: Mapping[tuple[float, float], int]) -> list[dict[str, float]]:
    return [{"from_s": begin, "to_s": end, "count": count} for (begin, end), count in sorted(counts.items())]


def _calls(calls: Iterable[Hypercall]) -> Iterable[tuple[dict[str, Any], dict[str, int]]]:
    for call in calls:
        made = {
            "nr": call.nr,
            "name": call.name,
            "count": call.count,
            "restarts": call.restarts,
            "first_offset": call.first_offset,
        }
        yield made, dict(call.subops)
