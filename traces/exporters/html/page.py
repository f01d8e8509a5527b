"""A page from a report and the course of its trace."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from traces.analyses import totals
from traces.analyses.intervals import STATES
from traces.answers import DomainReport, Report, VcpuReport
from traces.counting.latencies import QUANTILES, merged
from traces.exporters import sections
from traces.exporters.cells import DOMAINS_MAX
from traces.exporters.html import charts, tables
from traces.exporters.html.choice import Choice
from traces.exporters.html.course import COLOURS, Course, Series
from traces.exporters.html.graph import EDGES_MAX, NODES_MAX, Edge, graph
from traces.exporters.html.lexicon import Lexicon
from traces.exporters.html.model import Domain, Fact, Figure, Legend, Page, Row, Rule, TimelineGroup
from traces.exporters.sections import Found, Heading, tell
from traces.exporters.sources import words
from traces.exporters.words import duration, run_state, who
from traces.plural import plural

#: Of one rule: those in sight, and those on the page at all.
FINDINGS_SHOWN, FINDINGS_MAX = 6, 100

#: So many domains have room side by side in half a page.
_NARROW_NODES = 4
_LATENCY_NOTES = {
    "wake_to_run": (
        "From waking until running",
        "How long {scheduler} lets a vCPU wait that was blocked and has something to do.",
    ),
    "preempted_to_run": (
        "From being preempted until running again",
        "How long {scheduler} lets a vCPU wait that it took off a pCPU.",
    ),
    "exits": ("In {scheduler} for a VM exit", "From the exit to the entry that ends it, without time descheduled."),
}


def page(report: Report, choice: Choice, course: Course, title: str) -> Page:
    """Put a page together.

    :param title: what the trace is called
    """
    styles = {one.domid: f"s{colour}" for colour, one in enumerate(choice.domains[:COLOURS])}
    told = tell(report, tables.ROWS_MAX)
    lexicon = Lexicon(report)
    missing = [f"only the {DOMAINS_MAX} busiest of {DOMAINS_MAX + told.domains_left:,} domains"]
    return Page(
        title=title,
        words=words(report),
        facts=_facts(told.heading),
        findings=_findings(told.findings, lexicon),
        timeline=_timeline(report, choice, course, styles),
        states=_states(report, course, lexicon),
        occupants=_legend(*_occupants(report, styles), course.pcpus.values()),
        axis=charts.time_axis(report.span_s),
        domains=[_domain(*one, report, course, lexicon) for one in zip(choice.domains, told.domains, strict=True)],
        graphs=_graphs(report, styles),
        tables=tables.tables(told.host, lexicon),
        damage=tables.table(told.damage) if told.damage else None,
        missing=[*(missing if told.domains_left else []), *choice.missing],
        not_recorded=report.not_recorded,
        # All others have asked by now.
        lexicon=lexicon.entries(),
    )


def _facts(of: Heading) -> list[Fact]:
    found = [
        Fact("Span", of.span, f"on {plural(of.pcpus, 'pCPU')}"),
        Fact("Records", f"{of.records:,}", of.size),
        Fact("Lost", plural(of.lost, "record"), of.lost_share, alarm=True) if of.lost else Fact("Lost", "none"),
        Fact("Clock", of.clock or "ns", of.clock_source, alarm=of.clock_assumed),
    ]
    begin, _, clock = of.recorded.partition(" (")
    told = (
        Fact("Only", of.only),
        Fact("Tracer", of.tracer, "of one of dom0's CPUs"),
        Fact("Clocks of pCPUs", "doubtful" if of.doubtful else "not known to agree", of.skew, alarm=of.doubtful),
        Fact("Run states", "not recorded" if of.no_run_states else "", of.no_run_states.lstrip(":, ")),
        Fact("Not decoded", plural(of.skipped, "byte"), f"{of.skipped_share} of all", alarm=True),
        Fact("VM exits", "in doubt", of.exit_doubt, alarm=True),
        Fact("Recorded", begin, clock.rstrip(")")),
        Fact("Xen", of.xen_version),
        Fact("Kernel", of.kernel),
    )
    there = (
        of.only,
        of.tracer,
        of.skew,
        of.no_run_states,
        of.skipped,
        of.exit_doubt,
        of.recorded,
        of.xen_version,
        of.kernel,
    )
    return found + [fact for fact, known in zip(told, there, strict=True) if known]


def _findings(found: Iterable[Found], lexicon: Lexicon) -> list[Rule]:
    by_rule: dict[str, list[Found]] = {}
    for one in found:
        by_rule.setdefault(one.rule, []).append(one)
    return [
        Rule(
            name,
            lexicon.word(("finding",), name),
            of[:FINDINGS_SHOWN],
            of[FINDINGS_SHOWN:FINDINGS_MAX],
            max(len(of) - FINDINGS_MAX, 0),
        )
        for name, of in by_rule.items()
    ]


def _timeline(report: Report, choice: Choice, course: Course, styles: Mapping[int, str]) -> list[TimelineGroup]:
    groups = []
    for domain in choice.domains:
        rows = [
            _vcpu_row(domain, vcpu, course, report.span_s)
            for vcpu in domain.vcpus
            if (domain.domid, vcpu.vcpu) in course.runstates
        ]
        if rows:
            groups.append(TimelineGroup(who(domain.domid, report), rows))
    names, kinds = _occupants(report, styles)
    rows, idle = [], totals.idle(report)
    for pcpu, shares in course.pcpus.items():
        layers = charts.share_layers(names, kinds, shares, report.span_s)
        chart = charts.share_row(layers, shares.shape[1], report.span_s, f"who ran on pCPU {pcpu} over time")
        remark = f"{1 - idle[pcpu]:.0%} busy" if pcpu in idle else ""
        rows.append(Row(f"pCPU {pcpu}", chart, remark, {"pcpu": pcpu}))
    return [*groups, TimelineGroup("Who runs on the pCPUs", rows)] if rows else groups


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


def _states(report: Report, course: Course, lexicon: Lexicon) -> list[Legend]:
    drawn = _legend([run_state(name, report) for name in STATES], STATES, course.runstates.values())
    return [replace(one, word=lexicon.word(("run state",), one.style)) for one in drawn]


def _domain(
    domain: DomainReport, told: sections.ToldDomain, report: Report, course: Course, lexicon: Lexicon
) -> Domain:
    rates = []
    for title, of in (("Hypercalls", course.hypercalls), ("VM exits", course.exits)):
        if domain.domid in of and report.span_s:
            rates.append(_rates(title, of[domain.domid], report.span_s))
    latencies = []
    scheduler = words(report).scheduler
    for name, notes in _LATENCY_NOTES.items():
        title, remark = (note.format(scheduler=scheduler) for note in notes)
        found = merged(vcpu.latencies[name] for vcpu in domain.vcpus if name in vcpu.latencies)
        if found.count:
            facts = [Fact(what, duration(found.quantile(share))) for what, share in QUANTILES.items()]
            facts += [Fact("max", duration(found.longest)), Fact("count", f"{found.count:,}")]
            latencies.append(Figure(title, remark, charts.histogram(found, title), wide=False, facts=facts))
    drawn = tables.tables(told.sections, lexicon)
    return Domain(domain.domid, told.title, told.remark, told.note, rates, latencies, drawn)


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
