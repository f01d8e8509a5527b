"""Where a domain's time went: run states, its vCPUs together, placement, latencies."""

from collections.abc import Iterator, Mapping, Sequence

from traces.answers import RUNSTATE_NAMES, DomainReport, Report, VcpuReport
from traces.exporters.cells import (
    DISTRIBUTION,
    MEANING,
    SECONDS,
    SHARE,
    WORDS,
    Cell,
    Column,
    Section,
    count,
    distributed,
    seconds,
    share,
)
from traces.exporters.words import CONTENTION, LATENCIES, run_state, unit

#: pCPUs that a vCPU ran on.
_PCPUS_TOLD = 3


def sections(domain: DomainReport, vcpus: Sequence[VcpuReport], report: Report) -> Iterator[Section | None]:
    """Tell where the time of a domain's vCPUs went.

    :param vcpus: that are told one by one
    """
    yield _runstates(vcpus, report)
    yield _modes(vcpus)
    yield _contention(domain, report.span_s)
    yield _places(vcpus)
    yield _latencies(vcpus, unit(domain.domid))


def _runstates(vcpus: Sequence[VcpuReport], report: Report) -> Section | None:
    span_s = report.span_s
    if not span_s:
        return None
    seen = {name for vcpu in vcpus for name, state in vcpu.runstates.items() if state.seconds > 0}
    shown = [name for name in RUNSTATE_NAMES if name in seen]
    columns = [
        column
        for name in shown
        for column in (Column(run_state(name, report), SECONDS), Column("%", SHARE, joined=True))
    ]
    if not columns:
        return None
    rows = []
    for vcpu in (one for one in vcpus if one.runstates):
        spent = [vcpu.runstates[name].seconds for name in shown]
        cells = (cell for one in spent for cell in (seconds(one), share(one / span_s)))
        rows.append((Cell(f"v{vcpu.vcpu}"), *cells))
    return Section("Run states", columns, rows)


def _modes(vcpus: Sequence[VcpuReport]) -> Section | None:
    told = [(one, one.runstates["running"]) for one in vcpus if one.runstates and one.runstates["running"].modes]
    if not told:
        return None
    columns = [
        column for name in told[0][1].modes for column in (Column(name, SECONDS), Column("%", SHARE, joined=True))
    ]
    rows = [
        (
            Cell(f"v{vcpu.vcpu}"),
            *(cell for one in running.modes.values() for cell in (seconds(one), share(_part(one, running.seconds)))),
        )
        for vcpu, running in told
    ]
    return Section("Running in", columns, rows)


def _part(of: float, whole: float) -> float:
    return of / whole if whole else 0.0


def _contention(domain: DomainReport, span_s: float) -> Section | None:
    # Of a single vCPU it would say its run states again.
    if len(domain.vcpus) < 2 or not domain.contention or not span_s:
        return None
    columns = (Column("count"), Column("time", SECONDS, bar=True), Column("%", SHARE), Column("meaning", MEANING))
    found = ((name, meaning, domain.contention[name]) for name, meaning in CONTENTION.items())
    rows = [
        (
            Cell(name.replace("_", " ")),
            count(of.count),
            seconds(of.seconds),
            share(of.seconds / span_s),
            Cell(meaning),
        )
        for name, meaning, of in found
        if of.seconds
    ]
    return Section("vCPUs together", columns, rows, of=("vCPUs together",))


def _places(vcpus: Sequence[VcpuReport]) -> Section | None:
    if not any(vcpu.pcpus for vcpu in vcpus):
        return None
    rows = [(Cell(f"v{vcpu.vcpu}"), count(vcpu.migrations), Cell(_ran_on(vcpu.pcpus))) for vcpu in vcpus]
    return Section("Placement", (Column("migrations"), Column("ran on pCPU", WORDS)), rows)


def _ran_on(pcpus: Mapping[int, float]) -> str:
    # Where it ran most, and how much of its running time.
    total = sum(pcpus.values())
    most = sorted(pcpus, key=lambda pcpu: -pcpus[pcpu])
    told = [f"{pcpu}: {pcpus[pcpu] / total:.0%}" for pcpu in most[:_PCPUS_TOLD]]
    return ", ".join(told + ([f"{len(most) - _PCPUS_TOLD} more"] if len(most) > _PCPUS_TOLD else []))


def _latencies(vcpus: Sequence[VcpuReport], prefix: str) -> Section:
    rows = [
        (Cell(f"{what} {prefix}{vcpu.vcpu}"), *distributed(vcpu.latencies[name]))
        for name, what in LATENCIES.items()
        for vcpu in vcpus
        if name in vcpu.latencies
    ]
    return Section("Latencies", DISTRIBUTION, rows)
