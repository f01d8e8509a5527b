"""What a page shows, ready for its template: all of it text, numbers and safe markup."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from traces.analyses import totals
from traces.analyses.findings import findings
from traces.analyses.intervals import STATES
from traces.analyses.latencies import QUANTILES, merged
from traces.analyses.report import DomainReport, Report, VcpuReport
from traces.exporters.html import charts, tables
from traces.exporters.html.charts import Layer
from traces.exporters.html.course import COLOURS, Course, Series
from traces.exporters.html.graph import Edge, graph
from traces.exporters.html.tables import Table
from traces.exporters.words import clock, duration, plural, who
from traces.table import IDLE_DOMID, UNKNOWN_DOMID

#: A page that draws more than this says so; the report itself has all.
DOMAINS_MAX, VCPUS_MAX, PCPUS_MAX = 16, 64, 128
#: Of one rule: those in sight, and those on the page at all.
FINDINGS_SHOWN, FINDINGS_MAX = 6, 100

#: So many domains have room side by side in half a page.
_NARROW_NODES = 4
_LATENCY_NOTES = {
    "wake_to_run": (
        "From waking until running",
        "How long Xen lets a vCPU wait that was blocked and has something to do.",
    ),
    "exits": ("In Xen for a VM exit", "From the exit to the entry that ends it, without time descheduled."),
}


@dataclass(frozen=True)
class Fact:
    """A fact of the heading; ``alarm`` draws the eye."""

    name: str
    value: str
    remark: str = ""
    alarm: bool = False


@dataclass(frozen=True)
class Rule:
    """What one rule of the findings found: sentences, first some and then the rest; ``missing`` had no room."""

    name: str
    shown: Sequence[str]
    folded: Sequence[str]
    missing: int


@dataclass(frozen=True)
class Row:
    """A row of the timeline: shares of states, or of domains."""

    name: str
    chart: Markup
    remark: str
    data: Mapping[str, int]


@dataclass(frozen=True)
class Group:
    """Rows of the timeline that belong together."""

    name: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Legend:
    """A style and what it means."""

    style: str
    name: str
    count: float | None = None


@dataclass(frozen=True)
class Figure:
    """A chart with its title, a remark, and its legend or its quantiles."""

    title: str
    remark: str
    chart: Markup
    wide: bool = True
    legend: Sequence[Legend] = ()
    facts: Sequence[Fact] = ()


@dataclass(frozen=True)
class Domain:
    """All about one domain."""

    domid: int
    name: str
    remark: str
    rates: Sequence[Figure]
    latencies: Sequence[Figure]
    tables: Sequence[Table]


@dataclass(frozen=True)
class Page:
    """Everything."""

    title: str
    facts: Sequence[Fact]
    findings: Sequence[Rule]
    timeline: Sequence[Group]
    states: Sequence[Legend]
    occupants: Sequence[Legend]
    axis: Markup
    domains: Sequence[Domain]
    graphs: Sequence[Figure]
    tables: Sequence[Table]
    damage: Table | None
    missing: Sequence[str]
    not_recorded: Sequence[str]


@dataclass(frozen=True)
class Choice:
    """What of a report a page draws: the busiest domains, in order of their numbers, and the first of their vCPUs."""

    domains: Sequence[DomainReport]
    vcpus: Sequence[tuple[int, int]]
    pcpus: Sequence[int]
    missing: Sequence[str]


def choose(report: Report) -> Choice:
    """Choose what to draw."""
    real = [one for one in report.domains if one.domid not in (IDLE_DOMID, UNKNOWN_DOMID)]
    busiest = sorted(real, key=lambda one: -sum(sum(vcpu.events.values()) for vcpu in one.vcpus))[:DOMAINS_MAX]
    domains = sorted(busiest, key=lambda one: one.domid)
    timed = {one.domid: [vcpu for vcpu in one.vcpus if vcpu.runstates] for one in domains}
    vcpus = [(domid, vcpu.vcpu) for domid, of in timed.items() for vcpu in of[:VCPUS_MAX]]
    whole_host = any(one.domid == IDLE_DOMID for one in report.domains)
    pcpus = report.account.pcpus[:PCPUS_MAX] if whole_host else []
    missing = []
    if len(real) > len(domains):
        missing.append(f"only the {DOMAINS_MAX} busiest of {len(real):,} domains")
    if any(len(of) > VCPUS_MAX for of in timed.values()):
        missing.append(f"only the first {VCPUS_MAX} vCPUs of a domain in the timeline")
    if whole_host and len(report.account.pcpus) > PCPUS_MAX:
        missing.append(f"only the first {PCPUS_MAX} of {len(report.account.pcpus):,} pCPUs")
    return Choice(domains, vcpus, pcpus, missing)


def page(report: Report, choice: Choice, course: Course, title: str) -> Page:
    """Put a page together.

    :param title: what the trace is called
    """
    styles = {one.domid: f"s{colour}" for colour, one in enumerate(choice.domains[:COLOURS])}
    states = [
        Legend(name, name) for row, name in enumerate(STATES) if any(of[row].any() for of in course.runstates.values())
    ]
    return Page(
        title=title,
        facts=_facts(report),
        findings=_findings(report),
        timeline=_timeline(report, choice, course, styles),
        states=states,
        occupants=_occupants(report, course, styles),
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
    rate, _, source = clock(report.clock).partition(" (")
    lost = Fact("Lost", "none")
    if account.lost_records:
        share = account.lost_records / (account.lost_records + account.records)
        lost = Fact("Lost", f"{account.lost_records:,} records", f"{share:.1%} of all", alarm=True)
    facts = [
        Fact("Span", duration(report.span_s), f"on {plural(len(account.pcpus), 'pCPU')}"),
        Fact("Records", f"{account.records:,}", f"{account.bytes / 1e6:.1f} MB"),
        lost,
        Fact("Clock", rate, source.removesuffix(")")),
    ]
    if account.skipped_bytes:
        share = account.skipped_bytes / account.bytes
        facts.append(Fact("Not decoded", f"{account.skipped_bytes:,} bytes", f"{share:.1%} of all", alarm=True))
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
    names = [*(who(domid, report) for domid in styles), "other domains", "lost records"]
    rows, idle = [], totals.idle(report)
    for pcpu, shares in course.pcpus.items():
        layers = charts.share_layers(names, [*styles.values(), "rest", "lost"], shares, report.span_s)
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
        f"v{vcpu.vcpu}", chart, f"{ran:.0%} running, {waited:.0%} waiting", {"domid": domain.domid, "vcpu": vcpu.vcpu}
    )


def _occupants(report: Report, course: Course, styles: Mapping[int, str]) -> list[Legend]:
    names = [*(who(domid, report) for domid in styles), "other domains", "lost records"]
    kinds = zip([*styles.values(), "rest", "lost"], names, strict=True)
    return [
        Legend(style, name)
        for row, (style, name) in enumerate(kinds)
        if any(shares[row].any() for shares in course.pcpus.values())
    ]


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
        domain.name or f"Domain {domain.domid}",
        remark,
        rates,
        latencies,
        tables.of_domain(domain, report.span_s),
    )


def _rates(title: str, series: Series, span_s: float) -> Figure:
    layers: list[Layer] = charts.count_layers(series)
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
            wide = len({end for edge in edges for end in (edge.source, edge.target)}) > _NARROW_NODES
            found.append(Figure(title, remark, graph(edges, report.names, styles, title), wide=wide))
    return found
