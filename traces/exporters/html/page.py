"""A page from a report and the course of its trace."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from traces.analyses import totals
from traces.analyses.findings import findings
from traces.analyses.intervals import STATES
from traces.answers import DomainReport, Report, VcpuReport
from traces.counting.latencies import QUANTILES, merged
from traces.exporters.html import charts, tables
from traces.exporters.html.choice import Choice
from traces.exporters.html.course import COLOURS, Course, Series
from traces.exporters.html.graph import EDGES_MAX, NODES_MAX, Edge, graph
from traces.exporters.html.model import Domain, Fact, Figure, Group, Legend, Page, Row, Rule
from traces.exporters.words import called, clock_rate, clock_source, duration, exit_doubt, recorded, skew_doubt, who
from traces.plural import plural

#: Of one rule: those in sight, and those on the page at all.
FINDINGS_SHOWN, FINDINGS_MAX = 6, 100

#: So many domains have room side by side in half a page.
_NARROW_NODES = 4
_LATENCY_NOTES = {
    "wake_to_run": (
        "From waking until running",
        "How long Xen lets a vCPU wait that was blocked and has something to do.",
    ),
    "preempted_to_run": (
        "From being preempted until running again",
        "How long Xen lets a vCPU wait that it took off a pCPU.",
    ),
    "exits": ("In Xen for a VM exit", "From the exit to the entry that ends it, without time descheduled."),
}


def page(report: Report, choice: Choice, course: Course, title: str) -> Page:
    """Put a page together.

    :param title: what the trace is called
    """
    styles = {one.domid: f"s{colour}" for colour, one in enumerate(choice.domains[:COLOURS])}
    return Page(
        title=title,
        facts=_facts(report),
        findings=_findings(report),
        timeline=_timeline(report, choice, course, styles),
        states=_legend(STATES, STATES, course.runstates.values()),
        occupants=_legend(*_occupants(report, styles), course.pcpus.values()),
        axis=charts.time_axis(report.span_s),
        domains=[_domain(one, report, course) for one in choice.domains],
        graphs=_graphs(report, styles),
        tables=tables.of_host(report),
        damage=tables.damage(report),
        missing=choice.missing,
        not_recorded=report.not_recorded,
    )


def _facts(report: Report) -> list[Fact]:
    account = report.account
    lost = Fact("Lost", "none")
    if account.lost_records:
        share = account.lost_records / (account.lost_records + account.records)
        lost = Fact("Lost", plural(account.lost_records, "record"), f"{share:.1%} of all", alarm=True)
    facts = [
        Fact("Span", duration(report.span_s), f"on {plural(len(account.pcpus), 'pCPU')}"),
        Fact("Records", f"{account.records:,}", f"{account.bytes / 1e6:.1f} MB"),
        lost,
        Fact("Clock", clock_rate(report.clock), clock_source(report.clock), alarm=report.clock.assumed),
    ]
    if (doubt := skew_doubt(report)) is not None:
        facts.append(Fact("Doubtful", "order of pCPUs", doubt, alarm=True))
    if account.skipped_bytes:
        share = account.skipped_bytes / account.bytes
        facts.append(Fact("Not decoded", plural(account.skipped_bytes, "byte"), f"{share:.1%} of all", alarm=True))
    if report.exits.in_doubt:
        facts.append(Fact("VM exits", "in doubt", exit_doubt(report), alarm=True))
    if when := recorded(report):
        begin, _, clock = when.partition(" (")
        facts.append(Fact("Recorded", begin, clock.rstrip(")")))
    if report.xen_version:
        facts.append(Fact("Xen", report.xen_version))
    return facts


def _findings(report: Report) -> list[Rule]:
    by_rule: dict[str, list[str]] = {}
    for one in findings(report):
        by_rule.setdefault(one.rule.replace("_", " "), []).append(one.text)
    return [
        Rule(name, of[:FINDINGS_SHOWN], of[FINDINGS_SHOWN:FINDINGS_MAX], max(len(of) - FINDINGS_MAX, 0))
        for name, of in by_rule.items()
    ]


def _timeline(report: Report, choice: Choice, course: Course, styles: Mapping[int, str]) -> list[Group]:
    groups = []
    for domain in choice.domains:
        rows = [
            _vcpu_row(domain, vcpu, course, report.span_s)
            for vcpu in domain.vcpus
            if (domain.domid, vcpu.vcpu) in course.runstates
        ]
        if rows:
            groups.append(Group(who(domain.domid, report), rows))
    names, kinds = _occupants(report, styles)
    rows, idle = [], totals.idle(report)
    for pcpu, shares in course.pcpus.items():
        layers = charts.share_layers(names, kinds, shares, report.span_s)
        chart = charts.share_row(layers, shares.shape[1], report.span_s, f"who ran on pCPU {pcpu} over time")
        remark = f"{1 - idle[pcpu]:.0%} busy" if pcpu in idle else ""
        rows.append(Row(f"pCPU {pcpu}", chart, remark, {"pcpu": pcpu}))
    return [*groups, Group("Who runs on the pCPUs", rows)] if rows else groups


def _vcpu_row(domain: DomainReport, vcpu: VcpuReport, course: Course, span_s: float) -> Row:
    shares = course.runstates[domain.domid, vcpu.vcpu]
    layers = charts.share_layers(STATES, STATES, shares, span_s)
    chart = charts.share_row(layers, shares.shape[1], span_s, f"run states of vCPU {vcpu.vcpu} over time")
    ran, waited = (vcpu.runstates[name].seconds / (span_s or 1.0) for name in ("running", "runnable"))
    return Row(
        f"v{vcpu.vcpu}", chart, f"{ran:.0%} running, {waited:.0%} runnable", {"domid": domain.domid, "vcpu": vcpu.vcpu}
    )


def _occupants(report: Report, styles: Mapping[int, str]) -> tuple[list[str], list[str]]:
    # Names and styles of the rows of ``Course.pcpus``.
    names = [*(who(domid, report) for domid in styles), "other domains", "lost records"]
    return names, [*styles.values(), "rest", "lost"]


def _legend(names: Sequence[str], styles: Sequence[str], drawn: Iterable[NDArray[np.float64]]) -> list[Legend]:
    seen = {row for shares in drawn for row in np.flatnonzero(shares.any(axis=1)).tolist()}
    kinds = enumerate(zip(names, styles, strict=True))
    return [Legend(style, name) for row, (name, style) in kinds if row in seen]


def _domain(domain: DomainReport, report: Report, course: Course) -> Domain:
    rates = []
    for title, of in (("Hypercalls", course.hypercalls), ("VM exits", course.exits)):
        if domain.domid in of and report.span_s:
            rates.append(_rates(title, of[domain.domid], report.span_s))
    latencies = []
    for name, (title, remark) in _LATENCY_NOTES.items():
        found = merged(vcpu.latencies[name] for vcpu in domain.vcpus if name in vcpu.latencies)
        if found.count:
            facts = [Fact(what, duration(found.quantile(share))) for what, share in QUANTILES.items()]
            facts += [Fact("max", duration(found.longest)), Fact("count", f"{found.count:,}")]
            latencies.append(Figure(title, remark, charts.histogram(found, title), wide=False, facts=facts))
    remark = f"domid {domain.domid}, {domain.mode}, {plural(len(domain.vcpus), 'vCPU')}"
    return Domain(
        domain.domid,
        called(domain),
        remark,
        rates,
        latencies,
        tables.of_domain(domain, report.span_s),
    )


def _rates(title: str, series: Series, span_s: float) -> Figure:
    layers = charts.count_layers(series)
    columns = series.counts.shape[1]
    chart = charts.rates(layers, columns, span_s, f"{title} over time")
    legend = [Legend(layer.style, layer.name, layer.total) for layer in layers]
    return Figure(f"{title} over time", f"a column is {duration(span_s / columns)}", chart, legend=legend)


def _graphs(report: Report, styles: Mapping[int, str]) -> list[Figure]:
    grants = [Edge(one.mapper, one.granter, one.maps) for one in report.grants if one.maps]
    notes = [Edge(one.source, one.target, one.count) for one in report.notifications]
    kinds = (
        ("Grants", "An arrow goes from who maps to whose pages they are; with it, how often.", grants),
        (
            "Notifications",
            "Inferred: event_channel_op calls right after which the other side woke up. Xen records no channels.",
            notes,
        ),
    )
    found = []
    for title, remark, edges in kinds:
        if edges:
            ends = {end for edge in edges for end in (edge.source, edge.target)}
            more = len(edges) > EDGES_MAX or len(ends) > NODES_MAX
            note = f"{remark} Only the busiest are drawn; the table has more." if more else remark
            drawn = graph(edges, report.names, styles, title)
            found.append(Figure(title, note, drawn, wide=len(ends) > _NARROW_NODES))
    return found
