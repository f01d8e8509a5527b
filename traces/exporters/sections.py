"""A report as sections of cells: what people are told of it, made once, and drawn by ``text`` and by ``html``.

Both draw all of it. The page alone has besides what text has no room for: courses of time, graphs, histograms, and the
list of what Xen does not record, which is the same for each trace.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

from traces.account import DOUBTS, UNKNOWN_DOMID
from traces.analyses import totals
from traces.analyses.findings import Finding, findings
from traces.answers import RUNSTATE_NAMES, DomainReport, Hypercall, Report, VcpuReport
from traces.counting.latencies import QUANTILES
from traces.exporters import words
from traces.exporters.cells import (
    COUNT,
    DISTRIBUTION,
    LONG,
    MEANING,
    NOTHING,
    RATE,
    SECONDS,
    SHARE,
    WORDS,
    Cell,
    Column,
    Section,
    count,
    distributed,
    duration,
    rate,
    seconds,
    share,
)
from traces.exporters.words import CONTENTION, LATENCIES, called, run_state, unit, who
from traces.foreign import printable
from traces.plural import plural

#: Rows of a table, and domains: a hostile trace has more than anybody reads, or waits for.
ROWS_MAX, DOMAINS_MAX = 64, 32
#: With more vCPUs than this, hypercalls are told as totals only.
_VCPU_COLUMNS = 4
#: Addresses of each kind; there may be thousands.
_BUSIEST = 20
#: In a cell.
_WORDS_MAX = 20
#: pCPUs that a vCPU ran on.
_PCPUS_TOLD = 3
_LIVES_TOLD = 3
_PER_S = Column("per s", RATE)
_SWITCHES_TELL = ": who ran is known from the scheduler's switches, but not why others did not."
_NOBODY_TELLS = ", so nobody says whose this is; an exit lasts until the next entry on its pCPU."
_HALT_NOTE = "It woke the vCPU, alone if no other came until the vCPU halted; or the vCPU was awake."
_CHANNELS_NOTE = (
    "Xen records no event channels: these are event_channel_op calls right after which the other side woke up."
)

_T = TypeVar("_T")


class Heading(NamedTuple):
    """About the trace as a whole; what there is not is empty."""

    #: Of what is told: of the trace, unless ``timed``.
    span: str
    timed: bool
    records: int
    size: str
    pcpus: int
    clock: str
    clock_source: str
    clock_assumed: bool
    xen_version: str
    lost: int
    lost_share: str
    tracer: str
    recorded: str
    #: What was chosen.
    only: str
    #: About the clocks of pCPUs, and whether it makes the report doubtful.
    skew: str
    doubtful: bool
    #: Why there are no run states, and what that means.
    no_run_states: str
    exit_doubt: str
    skipped: int
    skipped_share: str


class Domain(NamedTuple):
    """About one domain."""

    domid: int
    title: str
    remark: str
    #: What of it is left out.
    note: str
    sections: Sequence[Section]


class Found(NamedTuple):
    """A finding: its rule, what it says, and where to look."""

    rule: str
    text: str
    where: str


class Told(NamedTuple):
    """All that people are told. ``host`` is about pCPUs and what passes between domains."""

    heading: Heading
    domains: Sequence[Domain]
    domains_left: int
    host: Sequence[Section]
    damage: Section | None
    findings: Sequence[Found]


def tell(report: Report, most: int = ROWS_MAX) -> Told:
    """Say what a report tells.

    :param most: rows of a table, and vCPUs
    """
    with words.marked(report.clock):
        every = _worth_telling(report)
        return Told(
            _heading(report),
            [_domain(domain, report, most) for domain in domains(report)],
            max(len(every) - DOMAINS_MAX, 0),
            _with_rows(
                _records(report, most),
                _pcpus(report, most),
                _irqs(report, most),
                _grants(report, most),
                _notifications(report, most),
            ),
            next(iter(_with_rows(_damage(report))), None),
            [_found(one) for one in findings(report)],
        )


def domains(report: Report) -> list[DomainReport]:
    """Give the domains that are told of: the busiest ones."""
    return busiest(_worth_telling(report), records, DOMAINS_MAX)


def records(domain: DomainReport) -> int:
    """Count a domain's records."""
    return sum(sum(vcpu.events.values()) for vcpu in domain.vcpus)


def busiest(found: Sequence[_T], key: Callable[[_T], float], most: int) -> list[_T]:
    """Choose those with the highest keys, in the order that they have."""
    if len(found) <= most:
        return list(found)
    chosen = sorted(range(len(found)), key=lambda at: -key(found[at]))[:most]
    return [found[at] for at in sorted(chosen)]


def _worth_telling(report: Report) -> list[DomainReport]:
    return [domain for domain in report.told if domain.domid != UNKNOWN_DOMID or _tells(domain)]


def _tells(domain: DomainReport) -> bool:
    return any(one.hypercalls or one.exits or one.traps or one.io or one.interrupts for one in domain.vcpus)


def _heading(report: Report) -> Heading:
    account, clock = report.account, report.clock
    lost_share = ""
    if account.lost_records:
        lost_share = f"{account.lost_records / (account.lost_records + account.records):.1%} of all"
        per_s = words.lost_rate(report)
        lost_share += "" if per_s is None else f", {words.time(f'{per_s:,.0f}')}/s"
    known = any(domain.domid != UNKNOWN_DOMID for domain in report.told)
    return Heading(
        span=words.seconds(report.span_s, 2),
        timed=report.where.timed,
        records=account.records,
        size=f"{account.bytes / 1e6:.1f} MB",
        pcpus=len(account.pcpus),
        clock=words.clock_rate(clock),
        clock_source=words.clock_source(clock),
        clock_assumed=clock.assumed,
        xen_version=printable(report.xen_version or ""),
        lost=account.lost_records,
        lost_share=lost_share,
        tracer="" if report.tracer_share is None else f"{report.tracer_share:.1%}",
        recorded=words.recorded(report) or "",
        only=printable(str(report.where)),
        skew=words.skew_doubt(report) or "",
        doubtful=report.skew is not None and report.skew.of_clocks,
        no_run_states="" if report.run_states else _SWITCHES_TELL if known else _NOBODY_TELLS,
        exit_doubt=words.exit_doubt(report) if report.exits.in_doubt else "",
        skipped=account.skipped_bytes,
        skipped_share=f"{account.skipped_bytes / account.bytes:.1%}" if account.skipped_bytes else "",
    )


def _domain(domain: DomainReport, report: Report, most: int) -> Domain:
    unknown, span_s = domain.domid == UNKNOWN_DOMID, report.span_s
    parts = f"domid {domain.domid}", printable(domain.mode), plural(len(domain.vcpus), "pCPU" if unknown else "vCPU")
    vcpus = busiest(domain.vcpus, lambda vcpu: sum(vcpu.events.values()), most)
    left, note = len(domain.vcpus) - len(vcpus), ""
    if left:
        note = f"Run states, placement and latencies of the {most} busiest; {plural(left, 'vCPU')} more (--json)"
    return Domain(
        domain.domid,
        "Nobody says whose" if unknown else called(domain),
        ", ".join((*parts, *_lives(domain))),
        note,
        _with_rows(
            _runstates(vcpus, report),
            _contention(domain, span_s),
            _places(vcpus),
            _latencies(vcpus, unit(domain.domid)),
            _calls("Hypercalls", domain, [vcpu.hypercalls for vcpu in domain.vcpus], span_s, most),
            _calls(_multicalls(domain), domain, [vcpu.multicall_subcalls for vcpu in domain.vcpus], span_s, most),
            _page_tables(domain, span_s),
            *_exits(domain, span_s, most),
            _io(domain, span_s),
            _roots(domain, span_s),
            *_interrupts(domain, span_s, most),
            _traps(domain, span_s, most),
        ),
    )


def _with_rows(*sections: Section | None) -> list[Section]:
    return [one for one in sections if one is not None and one.rows]


def _lives(domain: DomainReport) -> list[str]:
    # Those that the trace saw begin or end, in order; of many the first ones.
    told = []
    for begin, end in domain.lives[:_LIVES_TOLD]:
        told += [] if begin is None else [f"created at {begin:.3f} s"]
        told += [] if end is None else [f"destroyed at {end:.3f} s"]
    more = len(domain.lives) - _LIVES_TOLD
    return told + ([f"and {more:,} times more"] if more > 0 else [])


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
    return Section("vCPUs together", columns, rows)


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


def _multicalls(domain: DomainReport) -> str:
    of = totals.batches(domain.vcpus, "multicall")
    if not of.calls:
        return "In multicalls"
    return f"In {plural(of.calls, 'multicall')}, {of.items / of.calls:.1f} calls each on average"


def _calls(title: str, domain: DomainReport, calls: Sequence[Sequence[Hypercall]], span_s: float, most: int) -> Section:
    found = totals.calls(calls)
    each = _each(domain)
    detailed = any(call.subops or call.restarts for call in found)
    rows = []
    for call in found[:most]:
        of_each = (count(sum(one.count for one in of_vcpu if one.nr == call.nr)) for of_vcpu in calls[: len(each)])
        remarks = (Cell(_remarks(call)),) if detailed else ()
        rows.append((Cell(call.name), count(call.count), rate(call.count, span_s), *of_each, *remarks))
    columns = (Column("count", bar=True), _PER_S, *each, *((Column("of these", LONG),) if detailed else ()))
    return Section(title, columns, rows, len(found) - len(rows))


def _remarks(call: Hypercall) -> str:
    told = [f"{subop} {of:,}" for subop, of in islice(call.subops.items(), _WORDS_MAX)]
    if len(call.subops) > _WORDS_MAX:
        told.append(f"{len(call.subops) - _WORDS_MAX:,} more")
    told += [f"preempted {plural(call.restarts, 'time')}"] if call.restarts else []
    return ", ".join(told)


def _each(domain: DomainReport) -> list[Column]:
    # Of the vCPUs that have a column of their own.
    each = len(domain.vcpus) if 1 < len(domain.vcpus) <= _VCPU_COLUMNS else 0
    return [Column(f"{unit(domain.domid)}{vcpu.vcpu}") for vcpu in domain.vcpus[:each]]


def _page_tables(domain: DomainReport, span_s: float) -> Section:
    rows = [
        (
            Cell(work.what),
            count(work.count),
            rate(work.count, span_s),
            Cell(f"{work.per_call:.1f}", work.per_call) if work.per_call else NOTHING,
        )
        for work in totals.page_tables(domain.vcpus)
    ]
    return Section("Page tables", (Column("count"), _PER_S, Column("a call", COUNT)), rows)


def _exits(domain: DomainReport, span_s: float, most: int) -> Iterator[Section]:
    found = totals.exits(domain.vcpus)
    whole = span_s * len(domain.vcpus)
    rows = [
        (
            Cell(one.name),
            count(one.count),
            rate(one.count, span_s),
            seconds(one.seconds),
            share(one.seconds / whole if whole else 0.0),
            duration(one.seconds / one.count),
            seconds(one.descheduled_seconds),
        )
        for one in found[:most]
    ]
    columns = (
        Column("count"),
        _PER_S,
        Column("in Xen", SECONDS, bar=True),
        Column("of all", SHARE),
        Column("mean", SECONDS),
        Column("descheduled", SECONDS),
    )
    yield Section("VM exits", columns, rows, len(found) - len(rows))
    ended = [one for one in found if one.latency.count]
    each = [(Cell(one.name), *distributed(one.latency)) for one in ended[:most]]
    yield Section("VM exits, each", DISTRIBUTION, each, len(ended) - len(each))


def _io(domain: DomainReport, span_s: float) -> Section:
    found = totals.io(domain.vcpus)
    rows = [
        (
            Cell(f"{one.kind} {one.address:#x}"),
            count(one.reads),
            count(one.writes),
            rate(one.reads + one.writes, span_s),
        )
        for one in found[:_BUSIEST]
    ]
    return Section("Emulated I/O", (Column("reads"), Column("writes"), _PER_S), rows, len(found) - len(rows))


def _roots(domain: DomainReport, span_s: float) -> Section:
    found = totals.cr3_writes(domain.vcpus).most_common()
    rows = [(Cell(f"{root:#x}"), count(of), rate(of, span_s)) for root, of in found[:_BUSIEST]]
    return Section("Page tables switched to (cr3)", (Column("count"), _PER_S), rows, len(found) - len(rows))


def _interrupts(domain: DomainReport, span_s: float, most: int) -> Iterator[Section]:
    found = totals.interrupts(domain.vcpus)
    each = _each(domain)
    rows = []
    for one in found[:most]:
        of_vcpus = ([of.count for of in vcpu.interrupts if of.vector == one.vector] for vcpu in domain.vcpus)
        counts = (count(sum(of)) for of in islice(of_vcpus, len(each)))
        rows.append((Cell(f"vector {one.vector}"), count(one.count), rate(one.count, span_s), *counts))
    yield Section("Guest interrupts", (Column("count"), _PER_S, *each), rows, len(found) - len(rows))
    halts = [
        (Cell(f"vector {one.vector} {what}"), *distributed(took))
        for one in found[:most]
        for what, took in (
            ("woke alone", one.alone),
            ("woke", one.wake_to_halt),
            ("awake", one.interrupt_to_halt),
        )
        if took.count
    ]
    yield Section("From interrupt to halt", DISTRIBUTION, halts, note=_HALT_NOTE)


def _traps(domain: DomainReport, span_s: float, most: int) -> Section:
    found = totals.traps(domain.vcpus)
    rows = [(Cell(trap.name), count(trap.count), rate(trap.count, span_s)) for trap in found[:most]]
    return Section("Traps", (Column("count"), _PER_S), rows, len(found) - len(rows))


def _records(report: Report, most: int) -> Section | None:
    # Where no other table has anything, as of a single class of a scheduler's or of power management.
    if _worth_telling(report) or report.irqs or report.grants:
        return None
    vcpus = (vcpu for domain in report.domains for vcpu in domain.vcpus)
    found = sum((Counter(vcpu.events) for vcpu in vcpus), Counter[str]()).most_common()
    rows = [(Cell(name), count(of), rate(of, report.span_s)) for name, of in found[:most]]
    return Section("Records", (Column("count"), _PER_S), rows, len(found) - len(rows))


def _pcpus(report: Report, most: int) -> Section:
    idle = totals.idle(report)
    shown = busiest(list(idle), lambda pcpu: -idle[pcpu], most)
    rows = [(Cell(f"{pcpu}"), share(1 - idle[pcpu]), share(idle[pcpu])) for pcpu in shown]
    return Section("pCPUs", (Column("busy", SHARE, bar=True), Column("idle", SHARE)), rows, len(idle) - len(rows))


def _irqs(report: Report, most: int) -> Section:
    rows = [
        (
            Cell(f"irq {one.irq}"),
            count(one.count),
            rate(one.count, report.span_s),
            seconds(one.seconds),
            *(duration(one.latency.quantile(QUANTILES[name])) for name in ("p50", "p99")),
            duration(one.latency.longest),
            Cell(_numbers(list(one.pcpus))),
        )
        for one in busiest(report.irqs, lambda irq: irq.count, most)
    ]
    times = (Column(name, SECONDS) for name in ("in Xen", "p50", "p99", "max"))
    columns = (Column("count"), _PER_S, *times, Column("pCPUs", WORDS))
    return Section("Interrupts", columns, rows, len(report.irqs) - len(rows))


def _numbers(of: Sequence[int]) -> str:
    """Write ascending numbers with ranges where three or more follow each other: ``0-3, 7``."""
    runs: list[list[int]] = []
    for one in of:
        if runs and runs[-1][-1] == one - 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    parts = [f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join(parts[:_WORDS_MAX] + (["..."] if len(parts) > _WORDS_MAX else []))


def _grants(report: Report, most: int) -> Section:
    rows = [
        (
            Cell(f"{who(pair.mapper, report)} maps pages of {who(pair.granter, report)}"),
            count(pair.maps),
            count(pair.unmaps),
            rate(pair.maps, report.span_s),
        )
        for pair in busiest(report.grants, lambda pair: pair.maps + pair.unmaps, most)
    ]
    columns = (Column("maps"), Column("unmaps"), _PER_S)
    return Section("Grants", columns, rows, len(report.grants) - len(rows))


def _notifications(report: Report, most: int) -> Section:
    rows = [
        (
            Cell(f"{who(one.source, report)} → {who(one.target, report)}"),
            count(one.count),
            rate(one.count, report.span_s),
            Cell(one.confidence),
        )
        for one in busiest(report.notifications, lambda one: one.count, most)
    ]
    columns = (Column("count"), _PER_S, Column("confidence", WORDS))
    return Section("Notifications (inferred)", columns, rows, len(report.notifications) - len(rows), _CHANNELS_NOTE)


def _damage(report: Report) -> Section:
    rows = [
        (
            Cell(one.code.replace("_", " ")),
            count(one.count),
            Cell(one.severity.replace("_", " ")),
            count(one.first_offset),
        )
        for one in report.account.diagnostics
        if one.severity != "info" and one.code not in DOUBTS
    ]
    return Section("Damage", (Column("count"), Column("severity", WORDS), Column("first at byte")), rows)


def _found(one: Finding) -> Found:
    of, where = one.evidence, ""
    if "worst_from_s" in of:
        where = f"longest: {of['worst_from_s']:.6f} to {of['worst_to_s']:.6f}, pCPU {of['worst_pcpu']}"
    elif "first_offset" in of:
        where = f"first at byte {of['first_offset']:,}"
    return Found(one.rule.replace("_", " "), printable(one.text), where)
