"""What is about the machine: records, pCPUs, interrupts, what passes between domains, damage."""

from collections import Counter
from collections.abc import Iterator, Sequence

from traces.account import DOUBTS
from traces.analyses import totals
from traces.answers import Report
from traces.counting.latencies import QUANTILES
from traces.exporters.cells import (
    PER_S,
    SECONDS,
    SHARE,
    WORDS,
    Cell,
    Column,
    Section,
    busiest,
    count,
    duration,
    rate,
    seconds,
    share,
)
from traces.exporters.words import who

#: In a cell.
_WORDS_MAX = 20
_CHANNELS_NOTE = (
    "Xen records no event channels: these are event_channel_op calls right after which the other side woke up."
)


def sections(report: Report, most: int, *, domains_tell: bool) -> Iterator[Section]:
    """Tell what is about the machine.

    :param most: rows of a table
    :param domains_tell: whether there are tables of a domain
    """
    if not (domains_tell or report.irqs or report.grants):
        yield _records(report, most)
    yield _pcpus(report, most)
    yield _irqs(report, most)
    yield _grants(report, most)
    yield _notifications(report, most)


def _records(report: Report, most: int) -> Section:
    # Where no other table has anything, as of a single class of a scheduler's or of power management.
    vcpus = (vcpu for domain in report.domains for vcpu in domain.vcpus)
    found = sum((Counter(vcpu.events) for vcpu in vcpus), Counter[str]()).most_common()
    rows = [(Cell(name), count(of), rate(of, report.span_s)) for name, of in found[:most]]
    return Section("Records", (Column("count"), PER_S), rows, len(found) - len(rows), of=("event", "KVM event"))


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
    columns = (Column("count"), PER_S, *times, Column("pCPUs", WORDS))
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
    columns = (Column("maps"), Column("unmaps"), PER_S)
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
    columns = (Column("count"), PER_S, Column("confidence", WORDS))
    return Section("Notifications (inferred)", columns, rows, len(report.notifications) - len(rows), _CHANNELS_NOTE)


def damage(report: Report) -> Section:
    """Tell what of the trace could not be read as it should."""
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
