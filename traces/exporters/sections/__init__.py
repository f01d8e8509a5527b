"""A report as sections of cells: what people are told of it, made once, and drawn by ``text`` and by ``html``.

Both draw all of it. The page alone has besides what text has no room for: courses of time, graphs, histograms, and the
list of what Xen does not record, which is the same for each trace.
"""

from collections.abc import Sequence
from typing import NamedTuple

from traces.account import UNKNOWN_DOMID
from traces.analyses.findings import Finding, findings
from traces.answers import DomainReport, Report
from traces.exporters import words
from traces.exporters.cells import DOMAINS_MAX, ROWS_MAX, Section, busiest
from traces.exporters.sections import guest, host, times
from traces.exporters.words import called
from traces.foreign import printable
from traces.plural import plural

_LIVES_TOLD = 3
#: The rate of clocks that need not be told.
_NANOSECONDS = 1e9
_SWITCHES_TELL = ": who ran is known from the scheduler's switches, but not why others did not."
_NOBODY_TELLS = ", so nobody says whose this is; an exit lasts until the next entry on its pCPU."


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
    not_recorded: str
    #: What was chosen.
    only: str
    #: About the clocks of pCPUs, and whether it makes the report doubtful.
    skew: str
    doubtful: bool
    #: Why there are no run states, and what that means.
    no_run_states: str
    exit_doubt: str
    #: Of Linux, whose trace it is.
    kernel: str
    skipped: int
    skipped_share: str


class ToldDomain(NamedTuple):
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
    domains: Sequence[ToldDomain]
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
            _with_rows(*host.sections(report, most, domains_tell=bool(every))),
            next(iter(_with_rows(host.damage(report))), None),
            [_found(one) for one in findings(report)],
        )


def domains(report: Report) -> list[DomainReport]:
    """Give the domains that are told of: the busiest ones."""
    return busiest(_worth_telling(report), records, DOMAINS_MAX)


def records(domain: DomainReport) -> int:
    """Count a domain's records."""
    return sum(sum(vcpu.events.values()) for vcpu in domain.vcpus)


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
        clock="" if report.source == "kvm" and clock.hz == _NANOSECONDS else words.clock_rate(clock),
        clock_source=words.clock_source(clock),
        clock_assumed=clock.assumed,
        xen_version=printable(report.xen_version or ""),
        lost=account.lost_records,
        lost_share=lost_share,
        tracer="" if report.tracer_share is None else f"{report.tracer_share:.1%}",
        recorded=words.recorded(report) or "",
        not_recorded=words.not_recorded(report),
        only=printable(str(report.where)),
        skew=words.skew_doubt(report) or "",
        doubtful=report.skew is not None and report.skew.of_clocks,
        # What it takes to record them stands in ``not_recorded``.
        no_run_states="" if report.source == "kvm" or report.run_states else _SWITCHES_TELL if known else _NOBODY_TELLS,
        exit_doubt=words.exit_doubt(report) if report.exits.in_doubt else "",
        kernel=printable(report.kernel or ""),
        skipped=account.skipped_bytes,
        skipped_share=f"{account.skipped_bytes / account.bytes:.1%}" if account.skipped_bytes else "",
    )


def _domain(domain: DomainReport, report: Report, most: int) -> ToldDomain:
    unknown = domain.domid == UNKNOWN_DOMID
    parts = f"domid {domain.domid}", printable(domain.mode), plural(len(domain.vcpus), "pCPU" if unknown else "vCPU")
    vcpus = busiest(domain.vcpus, lambda vcpu: sum(vcpu.events.values()), most)
    left, note = len(domain.vcpus) - len(vcpus), ""
    if left:
        note = f"Run states, placement and latencies of the {most} busiest; {plural(left, 'vCPU')} more (--json)"
    return ToldDomain(
        domain.domid,
        "Nobody says whose" if unknown else called(domain),
        ", ".join((*parts, *_lives(domain))),
        note,
        _with_rows(*times.sections(domain, vcpus, report), *guest.sections(domain, report.span_s, most)),
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


def _found(one: Finding) -> Found:
    of, where = one.evidence, ""
    if "worst_from_s" in of:
        where = f"longest: {of['worst_from_s']:.6f} to {of['worst_to_s']:.6f}, pCPU {of['worst_pcpu']}"
    elif "first_offset" in of:
        where = f"first at byte {of['first_offset']:,}"
    return Found(one.rule.replace("_", " "), printable(one.text), where)
