"""Part of a report: one domain, or some classes of events."""

from dataclasses import replace

from traces.analyses.report import DomainReport, Hypercall, Report, VcpuReport
from traces.filters import CLASSES, classes_of
from traces.formats.names import HYPERCALLS, hypercall_name
from traces.formats.xentrace import EVENTS, PV_HYPERCALL_V2

_EVENT_IDS = {event.name: event.id for event in EVENTS}
_LATENCIES = {"wake_to_run": "sched", "exits": "exit"}
_HYPERCALL_NUMBERS = {hypercall_name(nr): nr for nr in HYPERCALLS}


def of_domain(report: Report, domid: int) -> Report:
    """Keep what one domain did, and what passed between it and others."""
    return replace(
        report,
        domains=tuple(domain for domain in report.domains if domain.domid == domid),
        grants=tuple(pair for pair in report.grants if domid in (pair.mapper, pair.granter)),
        notifications=tuple(one for one in report.notifications if domid in (one.source, one.target)),
        irqs=(),  # are the host's
    )


def of_classes(report: Report, classes: frozenset[str]) -> Report:
    """Keep what belongs to some classes of events, see ``traces.filters``.

    The records that attribution needs are captured with any class; they are left out here unless asked for.
    """
    if classes == frozenset(CLASSES):
        return report
    return replace(
        report,
        domains=tuple(_domain(domain, classes) for domain in report.domains),
        grants=report.grants if "grant" in classes else (),
        notifications=report.notifications if "evtchn" in classes else (),
        irqs=report.irqs if "irq" in classes else (),
    )


def _domain(domain: DomainReport, classes: frozenset[str]) -> DomainReport:
    return replace(domain, vcpus=tuple(_vcpu(vcpu, classes) for vcpu in domain.vcpus))


def _vcpu(vcpu: VcpuReport, classes: frozenset[str]) -> VcpuReport:
    return replace(
        vcpu,
        runstates=vcpu.runstates if "sched" in classes else {},
        hypercalls=_hypercalls(vcpu.hypercalls, classes),
        multicall_subcalls=_hypercalls(vcpu.multicall_subcalls, classes),
        batches={
            name: batches
            for name, batches in vcpu.batches.items()
            if classes & classes_of(PV_HYPERCALL_V2, _HYPERCALL_NUMBERS[name])
        },
        exits=vcpu.exits if "exit" in classes else (),
        traps=vcpu.traps if "trap" in classes else (),
        events={
            name: count
            for name, count in vcpu.events.items()
            if name in _EVENT_IDS and classes & classes_of(_EVENT_IDS[name])
        },
        latencies={name: one for name, one in vcpu.latencies.items() if _LATENCIES[name] in classes},
    )


def _hypercalls(calls: tuple[Hypercall, ...], classes: frozenset[str]) -> tuple[Hypercall, ...]:
    return tuple(call for call in calls if classes & classes_of(PV_HYPERCALL_V2, call.nr))
