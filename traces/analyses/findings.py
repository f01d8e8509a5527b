"""What in a report calls for attention: rules, each with the numbers that made it speak.

Law: a rule reads a ``Report`` and nothing else, and says what was measured before what it may mean. The limits are
what a host that works well stays far from; they are constants here, so that a finding can be argued with. No rule
speaks of trifles, none that needs times of a clock whose rate nobody knows, and none that needs run states where these
are doubtful.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from traces.account import IDLE_DOMID, UNKNOWN_DOMID
from traces.answers import DomainReport, Report, VcpuReport
from traces.plain import frozen
from traces.plural import plural

#: Less time than this is a trifle, and so is less than this part of the trace.
LEAST_S, LEAST_SHARE = 0.01, 0.005
#: Of the time in which a vCPU could have run: runnable, but another one ran.
STEAL_SHARE = 0.10
#: Of the time in which dom0's vCPUs could have run, all together: all guests' disks and networks wait with them.
DOM0_SHARE = 0.05
#: Moves to another pCPU, a second and vCPU: each leaves warm caches behind.
MIGRATION_RATE = 500.0
#: Of a vCPU that blocks so often a second, for so short a time on average: waking up costs more than it sleeps.
BLOCK_RATE, BLOCK_S = 5_000.0, 100e-6
#: Of one of dom0's processors, what the tracer may take before it changes what it measures.
TRACER_SHARE = 0.25
#: Emulated page-table writes a second and vCPU: Linux batches its updates, and comes here for single ones only.
PTWR_RATE = 1000.0
#: event_channel_op calls a second and vCPU. A virtual disk and a network card under load make some thousands.
EVTCHN_RATE = 10_000.0
#: Events that make rates and shares: fewer are a trifle.
LEAST_COUNT = 100
_EXITS = ("hvm_vmx_exit", "hvm_svm_exit")
_PTWR = ("pv_ptwr_emulation", "pv_ptwr_emulation_pae")
#: Pages that stayed mapped: at least so many, and so many of those that were mapped during the trace.
GRANTS_LEFT, GRANTS_LEFT_SHARE = 64, 0.05
#: Of all changes of run states: where so many contradict what was known, nothing is said about waits.
CONTRADICTIONS_SHARE = 0.01
#: Of all records: with more lost, counts and rates are too low by more than they vary anyway.
LOST_SHARE = 0.01


@frozen
class ExitRule:
    """VM exits that cost a vCPU more than ``share`` of its running time; ``names`` are Intel's and AMD's."""

    rule: str
    names: frozenset[str]
    share: float
    what: str
    meaning: str


EXIT_RULES = (
    ExitRule(
        "tsc_emulation",
        frozenset({"RDTSC", "RDTSCP"}),
        0.03,
        "reading the TSC",
        "Xen emulates it (tsc_mode=always_emulate, or a host of another rate since it was migrated or restored); "
        "with tsc_mode=native, or a clock source other than tsc in the guest, they go",
    ),
    ExitRule(
        "msr_storm",
        frozenset({"MSR_READ", "MSR_WRITE", "MSR"}),
        0.05,
        "MSRs",
        "timers and IPIs by an x2APIC that is emulated, or a guest that polls one",
    ),
    ExitRule(
        "apic_storm",
        frozenset(
            {
                *("APIC_ACCESS", "APIC_WRITE", "EOI_INDUCED", "TPR_BELOW_THRESHOLD"),
                *("AVIC_NOACCEL", "AVIC_INCOMPLETE_IPI", "CR8_WRITE", "VINTR", "PENDING_VIRT_INTR"),
            }
        ),
        0.05,
        "its interrupt controller",
        "many interrupts, timers or IPIs without help by the processor (APICv, AVIC, posted interrupts)",
    ),
    ExitRule(
        "emulated_io",
        frozenset({"IO_INSTRUCTION", "IOIO", "EPT_MISCONFIG"}),
        0.10,
        "emulated I/O",
        "an emulated disk, network card or timer where the guest has no PV driver",
    ),
    ExitRule(
        "pause_storm",
        frozenset({"PAUSE_INSTRUCTION", "PAUSE"}),
        0.05,
        "spinning on locks",
        "a lock's holder does not run: vCPUs of the domain wait for pCPUs, or it has more than it needs",
    ),
)


#: The fixed words of all rules, in the order in which they speak.
RULES = (
    *("clock_skew", "lost_records", "tracer_load", "dom0_starved", "steal", "migrations", "halt_polling"),
    *(one.rule for one in EXIT_RULES),
    *("ptwr_flood", "notification_storm", "grants_left"),
)


@frozen
class Finding:
    """What one rule found.

    ``rule`` is one of ``RULES``; ``text`` one sentence; ``evidence`` the measured values, with units in their names,
    and where to look: ``first_offset`` in the file, or the worst case's time since the trace's beginning.
    ``domid`` and ``vcpu`` are None where it is about the whole host or domain.
    """

    rule: str
    text: str
    evidence: Mapping[str, float | int]
    domid: int | None = None
    vcpu: int | None = None


def findings(report: Report) -> tuple[Finding, ...]:
    """Apply all rules: what makes numbers doubtful first, then by domain. They are about what Xen records."""
    if report.source != "xentrace":
        return ()
    return tuple(finding for rule in _RULES if _applies(rule, report) for finding in rule.find(report))


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


def _clock_skew(report: Report) -> Iterator[Finding]:
    skew = report.skew
    if skew is None or not skew.of_clocks:
        return
    apart = (max(skew.shifts.values()) - min(skew.shifts.values())) if skew.shifts else 0
    seconds = {"apart_s": report.clock.seconds(apart)} if apart and not report.clock.assumed else {}
    done = "put right by as much as vCPUs' moves tell" if skew.shifts else "and can't be put right"
    yield Finding(
        "clock_skew",
        f"the clocks of pCPUs differ, {done}: {skew.contradictions:,} changes of run states contradict one another; "
        f"look at Xen's clock source, and for `TSC marked as unstable` in its console",
        {"contradictions": skew.contradictions, "left": skew.left, **seconds, "first_offset": skew.first_offset},
    )


def _tracer_load(report: Report) -> Iterator[Finding]:
    share = report.tracer_share
    if share is not None and share >= TRACER_SHARE:
        yield Finding(
            "tracer_load",
            f"the tracer took {share:.0%} of one of dom0's CPUs: part of what dom0 does here is its; "
            f"record fewer classes of events (-e)",
            {"share": share},
        )


def _waits(vcpus: Sequence[VcpuReport], least: float, report: Report) -> tuple[str, dict[str, float | int]] | None:
    # That these waited for pCPUs, in words and as evidence; None where it was a trifle, or less than such a share.
    ran = sum(vcpu.runstates["running"].seconds for vcpu in vcpus)
    waited = sum(vcpu.runstates["runnable"].seconds for vcpu in vcpus)
    if not _counts(waited, report) or waited < least * (ran + waited):
        return None
    share = waited / (ran + waited)
    words = f"{share:.0%} of the time that it wanted to run ({waited:.2f} s of {ran + waited:.2f} s)"
    worst = _longest_wait(max(vcpus, key=_waited))
    return words, {"running_s": ran, "runnable_s": waited, "share": share, **worst}


def _dom0_starved(report: Report) -> Iterator[Finding]:
    for domain in _real(report):
        vcpus = [vcpu for vcpu in domain.vcpus if "runnable" in vcpu.runstates]
        if domain.domid == 0 and (waits := _waits(vcpus, DOM0_SHARE, report)):
            yield Finding(
                "dom0_starved",
                f"{_name(0, report)} waited for pCPUs {waits[0]}: all guests' disks and networks wait with it; give it "
                f"pCPUs of its own, or more weight",
                waits[1],
                0,
            )


def _steal(report: Report) -> Iterator[Finding]:
    for domain, vcpu in _vcpus(report):
        if domain.domid and "runnable" in vcpu.runstates and (waits := _waits([vcpu], STEAL_SHARE, report)):
            yield Finding(
                "steal",
                f"{_name(domain.domid, report)} v{vcpu.vcpu} waited for a pCPU {waits[0]}: the pCPUs are "
                f"overcommitted, or its weight or cap is low",
                waits[1],
                domain.domid,
                vcpu.vcpu,
            )


def _migrations(report: Report) -> Iterator[Finding]:
    for domain, vcpu in _vcpus(report):
        rate = _rate(vcpu.migrations, report)
        if rate >= MIGRATION_RATE:
            yield Finding(
                "migrations",
                f"{_name(domain.domid, report)} v{vcpu.vcpu} moves to another pCPU {rate:,.0f} times a second, among "
                f"{len(vcpu.pcpus)}: each time it leaves warm caches; pin it, or look at the scheduler's parameters",
                {"count": vcpu.migrations, "per_s": rate, "pcpus": len(vcpu.pcpus), **_longest_wait(vcpu)},
                domain.domid,
                vcpu.vcpu,
            )


def _short_blocks(report: Report) -> Iterator[Finding]:
    for domain, vcpu in _vcpus(report):
        blocked = vcpu.runstates.get("blocked")
        if blocked is None or not blocked.count:
            continue
        rate, mean = _rate(blocked.count, report), (blocked.seconds - blocked.clipped_seconds) / blocked.count
        if rate >= BLOCK_RATE and mean <= BLOCK_S:
            yield Finding(
                "halt_polling",
                f"{_name(domain.domid, report)} v{vcpu.vcpu} halts {rate:,.0f} times a second, for {mean * 1e6:.0f} µs "
                f"each: it is woken again at once; let the guest poll a while before it halts (cpuidle_haltpoll), or "
                f"look at who wakes it",
                {"count": blocked.count, "per_s": rate, "mean_s": mean, **_first(_of_exits(vcpu))},
                domain.domid,
                vcpu.vcpu,
            )


def _costly_exits(report: Report) -> Iterator[Finding]:
    for domain, vcpu in _vcpus(report):
        running = vcpu.runstates.get("running")
        whole = running.seconds if running and running.seconds else report.span_s
        for rule in EXIT_RULES:
            found = [one for one in vcpu.exits if one.name.split(" ")[0] in rule.names]
            count, seconds = sum(one.count for one in found), sum(one.seconds for one in found)
            if count >= LEAST_COUNT and _counts(seconds, report) and seconds >= rule.share * whole:
                yield Finding(
                    rule.rule,
                    f"{_name(domain.domid, report)} v{vcpu.vcpu} spends {seconds / whole:.0%} of its running time in "
                    f"VM exits for {rule.what} ({count:,} {', '.join(one.name for one in found)}, "
                    f"{_rate(count, report):,.0f} a second): {rule.meaning}",
                    {
                        **{"count": count, "per_s": _rate(count, report), "in_xen_s": seconds, "running_s": whole},
                        **{"share": seconds / whole, "longest_s": max(one.latency.longest for one in found)},
                        **_first(_of_exits(vcpu)),
                    },
                    domain.domid,
                    vcpu.vcpu,
                )


def _ptwr_flood(report: Report) -> Iterator[Finding]:
    for domain, vcpu in _vcpus(report):
        count = sum(vcpu.events.get(name, 0) for name in _PTWR)
        rate = _rate(count, report)
        if rate >= PTWR_RATE:
            yield Finding(
                "ptwr_flood",
                f"Xen emulates {rate:,.0f} page-table writes a second for {_name(domain.domid, report)} "
                f"v{vcpu.vcpu}: each costs a fault, where mmu_update would take many in one hypercall",
                {"count": count, "per_s": rate, **_first(vcpu.first_offsets.get(name) for name in _PTWR)},
                domain.domid,
                vcpu.vcpu,
            )


def _notification_storm(report: Report) -> Iterator[Finding]:
    for domain, vcpu in _vcpus(report):
        calls = [call for call in (*vcpu.hypercalls, *vcpu.multicall_subcalls) if call.name == "event_channel_op"]
        count = sum(call.count for call in calls)
        rate = _rate(count, report)
        if rate >= EVTCHN_RATE:
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


@frozen
class _Rule:
    find: Callable[[Report], Iterator[Finding]]
    #: What it relies on: a clock whose rate is known, run states that are not doubtful.
    timed: bool = True
    ordered: bool = False


#: What makes numbers doubtful comes first.
_RULES = (
    _Rule(_clock_skew, timed=False),
    _Rule(_lost_records, timed=False),
    _Rule(_tracer_load, timed=False),
    _Rule(_dom0_starved, ordered=True),
    _Rule(_steal, ordered=True),
    _Rule(_migrations, ordered=True),
    _Rule(_short_blocks, ordered=True),
    _Rule(_costly_exits),
    _Rule(_ptwr_flood),
    _Rule(_notification_storm),
    _Rule(_grants_left, timed=False),
)


def _applies(rule: _Rule, report: Report) -> bool:
    return not (rule.timed and report.clock.assumed) and not (rule.ordered and _doubtful(report))


def _doubtful(report: Report) -> bool:
    # Whoever makes run states contradict one another, clocks or records that are missing: waits are made up as well.
    skew = report.skew
    if skew is None or skew.shifts:
        return False
    changes = sum(state.count for _, vcpu in _vcpus(report) for state in vcpu.runstates.values())
    return skew.of_clocks or skew.contradictions >= CONTRADICTIONS_SHARE * changes


def _counts(seconds: float, report: Report) -> bool:
    return seconds >= max(LEAST_S, LEAST_SHARE * report.span_s)


def _rate(count: int, report: Report) -> float:
    # Of what is no trifle.
    return count / report.span_s if count >= LEAST_COUNT and report.span_s >= LEAST_S else 0.0


def _vcpus(report: Report) -> Iterator[tuple[DomainReport, VcpuReport]]:
    return ((domain, vcpu) for domain in _real(report) for vcpu in domain.vcpus)


def _of_exits(vcpu: VcpuReport) -> Iterator[int]:
    return (at for name, at in vcpu.first_offsets.items() if name in _EXITS)


def _waited(vcpu: VcpuReport) -> float:
    return vcpu.longest_wait.end - vcpu.longest_wait.begin if vcpu.longest_wait else 0.0


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
