"""Part of a report: one domain, or what ``where`` chooses.

Law: a table is kept whole or not at all by whether the records that it is made of are wanted. What is made of several
kinds of records, as run states and times of VM exits, is computed from all of them whatever is wanted.
"""

from traces.account import IDLE_DOMID
from traces.answers import DomainReport, Hypercall, Report, VcpuReport
from traces.choice.where import EVERYTHING, Kinds, Where
from traces.plain import replace
from traces.xen.formats.events import (
    EVENTS,
    GRANT_MAP,
    GRANT_UNMAP,
    HVM_INJ_VIRQ,
    HVM_SVM_EXIT,
    HVM_VMMCALL,
    HVM_VMX_EXIT,
    HW_IRQ_HANDLED,
    PV_HYPERCALL_SUBCALL,
    PV_HYPERCALL_V2,
    PV_TRAP,
    RUNSTATE_CHANGE,
)
from traces.xen.formats.names import EVENT_CHANNEL_OP, HYPERCALLS, hypercall_name

_EVENT_IDS = {event.name: event.id for event in EVENTS}
_HYPERCALL_NUMBERS = {hypercall_name(nr): nr for nr in HYPERCALLS}
_IO = {"port": (0x0008_2016, 0x0008_2216), "memory": (0x0008_2017, 0x0008_2217)}
_CR_WRITE = 0x0008_2009


def sections(where: Where) -> frozenset[str]:
    """Name what is told of a choice, whole: the fields of a report, or of its vCPUs, that are kept or left as one."""
    kinds = where.kinds
    kept = {
        "runstates": kinds.keeps(RUNSTATE_CHANGE),
        "exits": kinds.keeps(HVM_VMX_EXIT) or kinds.keeps(HVM_SVM_EXIT),
        "interrupts": kinds.keeps(HVM_INJ_VIRQ),
        "traps": kinds.keeps(PV_TRAP),
        "cr3_writes": kinds.keeps(_CR_WRITE),
    }
    if not where.vcpus:
        # Grants and notifications are told by domain, interrupts by pCPU.
        kept["grants"] = kinds.keeps(GRANT_MAP) or kinds.keeps(GRANT_UNMAP)
        kept["notifications"] = kinds.keeps(PV_HYPERCALL_V2, EVENT_CHANNEL_OP)
        kept["irqs"] = kinds.keeps(HW_IRQ_HANDLED)
    return frozenset(name for name, is_kept in kept.items() if is_kept)


def of_domain(report: Report, domid: int) -> Report:
    """Keep what one domain did, and what passed between it and others."""
    return replace(
        report,
        domains=tuple(domain for domain in report.domains if domain.domid == domid),
        grants=tuple(pair for pair in report.grants if domid in (pair.mapper, pair.granter)),
        notifications=tuple(one for one in report.notifications if domid in (one.source, one.target)),
        irqs=(),  # are the host's
    )


def of(report: Report, where: Where) -> Report:
    """Keep what ``where`` chooses. Only of its pCPUs and its time must the report already be."""
    if where == EVERYTHING:
        return report
    told = sections(where)
    chosen = replace(report, where=where)
    if where.domid is not None:
        chosen = of_domain(chosen, where.domid)
    # What a domain's vCPUs are together is about all of them, wherever they are.
    together = "runstates" in told and not where.vcpus and not where.pcpus
    domains = tuple(
        replace(domain, vcpus=_vcpus(domain, where, told), contention=domain.contention if together else {})
        for domain in chosen.domains
    )
    return replace(
        chosen,
        domains=tuple(domain for domain in domains if domain.vcpus),
        grants=chosen.grants if "grants" in told else (),
        notifications=chosen.notifications if "notifications" in told else (),
        irqs=chosen.irqs if "irqs" in told else (),
    )


def _vcpus(domain: DomainReport, where: Where, told: frozenset[str]) -> tuple[VcpuReport, ...]:
    found = (_of_kinds(vcpu, where.kinds, told) for vcpu in domain.vcpus if not where.vcpus or vcpu.vcpu in where.vcpus)
    if where.pcpus:
        found = (_of_pcpus(vcpu) for vcpu in found if _was_there(domain.domid, vcpu, where.pcpus))
    return tuple(found)


def _was_there(domid: int, vcpu: VcpuReport, pcpus: frozenset[int]) -> bool:
    # The idle domain has one vCPU for each pCPU, of the same number.
    ran = vcpu.runstates and vcpu.runstates["running"].seconds > 0
    return vcpu.vcpu in pcpus if domid == IDLE_DOMID else bool(vcpu.events or ran)


def _of_pcpus(vcpu: VcpuReport) -> VcpuReport:
    # Who does not run is on no pCPU.
    return replace(vcpu, runstates={name: of for name, of in vcpu.runstates.items() if name == "running"})


def _of_kinds(vcpu: VcpuReport, kinds: Kinds, told: frozenset[str]) -> VcpuReport:
    if kinds.all:
        return vcpu
    entry = HVM_VMMCALL if "hvm_vmmcall" in vcpu.events else PV_HYPERCALL_V2
    hypercalls = _hypercalls(vcpu.hypercalls, entry, kinds)
    subcalls = _hypercalls(vcpu.multicall_subcalls, PV_HYPERCALL_SUBCALL, kinds)
    calls = {"pv_hypercall_v2": hypercalls, "hvm_vmmcall": hypercalls, "pv_hypercall_subcall": subcalls}
    states, exits = "runstates" in told, "exits" in told
    latencies = {"wake_to_run": states, "preempted_to_run": states, "exits": exits}
    return replace(
        vcpu,
        runstates=vcpu.runstates if states else {},
        hypercalls=hypercalls,
        multicall_subcalls=subcalls,
        batches={
            name: batches
            for name, batches in vcpu.batches.items()
            if any(kinds.keeps(at, _HYPERCALL_NUMBERS[name]) for at in (entry, PV_HYPERCALL_SUBCALL))
        },
        exits=vcpu.exits if exits else (),
        migrations=vcpu.migrations if states else 0,
        pcpus=vcpu.pcpus if states else {},
        longest_wait=vcpu.longest_wait if states else None,
        io=tuple(one for one in vcpu.io if any(kinds.keeps(event) for event in _IO[one.kind])),
        cr3_writes=vcpu.cr3_writes if "cr3_writes" in told else {},
        interrupts=vcpu.interrupts if "interrupts" in told else (),
        traps=vcpu.traps if "traps" in told else (),
        events=_events(vcpu, calls, kinds),
        first_offsets={name: at for name, at in vcpu.first_offsets.items() if kinds.keeps(_EVENT_IDS.get(name, 0))},
        latencies={name: one for name, one in vcpu.latencies.items() if latencies[name]},
    )


def _hypercalls(calls: tuple[Hypercall, ...], event: int, kinds: Kinds) -> tuple[Hypercall, ...]:
    return tuple(call for call in calls if kinds.keeps(event, call.nr))


def _events(vcpu: VcpuReport, calls: dict[str, tuple[Hypercall, ...]], kinds: Kinds) -> dict[str, int]:
    found = {}
    for name, count in vcpu.events.items():
        if name in calls:
            kept = sum(call.count + call.restarts for call in calls[name])
        else:
            # An event that is not declared has no name to be chosen by.
            kept = count if kinds.keeps(_EVENT_IDS.get(name, 0)) else 0
        if kept:
            found[name] = kept
    return found
