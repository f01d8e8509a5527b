"""A report's tables, as a page shows them: what each cell says, and the value behind it, by which it is sorted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from traces.account import DOUBTS
from traces.analyses import totals
from traces.answers import RUNSTATE_NAMES, DomainReport, Hypercall, Report
from traces.counting.latencies import QUANTILES
from traces.exporters.words import CONTENTION, LATENCIES, duration, rate, seconds, who
from traces.plural import plural

#: No capture of a real host has so many; a made-up one would make a page that no browser opens.
ROWS_MAX = 200
#: In a cell.
_WORDS_MAX = 20
#: With more vCPUs than this, hypercalls are shown as totals only.
_VCPU_COLUMNS = 4
#: So many columns have room in half a page.
_NARROW_MAX = 6


@dataclass(frozen=True)
class Cell:
    """What a cell says; ``value`` is its number, if it is one; ``bar`` draws it as a share of the largest instead."""

    text: str
    value: float | None = None
    bar: float | None = None


@dataclass(frozen=True)
class Table:
    """A table; its first column names the rows. ``missing`` rows had no room."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    missing: int = 0

    @property
    def wide(self) -> bool:
        """Whether it needs the page's whole width."""
        words = any(cell.text for row in self.rows for cell in row[1:] if cell.value is None)
        return len(self.columns) > _NARROW_MAX or words


def of_domain(domain: DomainReport, span_s: float) -> list[Table]:
    """Give all tables about one domain that have something to say."""
    found = (
        _runstates(domain),
        _contention(domain),
        _latencies(domain),
        _calls("Hypercalls", domain, [vcpu.hypercalls for vcpu in domain.vcpus], span_s),
        _calls(_multicalls(domain), domain, [vcpu.multicall_subcalls for vcpu in domain.vcpus], span_s),
        _exits(domain, span_s),
        _page_tables(domain, span_s),
        _interrupts(domain, span_s),
        _traps(domain, span_s),
    )
    return [one for one in found if one]


def of_host(report: Report) -> list[Table]:
    """Give the tables about what passes between domains, and about pCPUs."""
    return [one for one in (_grants(report), _notifications(report), _pcpus(report)) if one]


def damage(report: Report) -> Table | None:
    """Give the table of what is wrong with the file."""
    rows = (
        [
            Cell(one.code.replace("_", " ")),
            _count(one.count),
            Cell(one.severity.replace("_", " ")),
            _count(one.first_offset),
        ]
        for one in report.account.diagnostics
        if one.severity != "info" and one.code not in DOUBTS
    )
    return _table("Damage", ("count", "severity", "first at byte"), rows)


def _calls(title: str, domain: DomainReport, calls: Sequence[Sequence[Hypercall]], span_s: float) -> Table | None:
    every = totals.calls(calls)
    found = every[:ROWS_MAX]
    each = calls if 1 < len(calls) <= _VCPU_COLUMNS else ()
    most = max((call.count for call in found), default=0)
    subops = any(call.subops for call in found)
    rows = []
    for call in found:
        row = [Cell(call.name), _bar(call.count, most), _count(call.count), _rate(call.count, span_s)]
        row += [_count(sum(one.count for one in of_vcpu if one.nr == call.nr)) for of_vcpu in each]
        if subops:
            told = [f"{name} {count:,}" for name, count in islice(call.subops.items(), _WORDS_MAX)]
            more = len(call.subops) - len(told)
            row.append(Cell(", ".join([*told, f"{more:,} more"] if more else told)))
        rows.append(row)
    vcpus = [f"v{vcpu.vcpu}" for vcpu, _ in zip(domain.vcpus, each, strict=False)]
    return _table(title, ("", "count", "per s", *vcpus, *(["of these"] if subops else [])), rows, len(every))


def _multicalls(domain: DomainReport) -> str:
    of = totals.batches(domain.vcpus, "multicall")
    if not of.calls:
        return "In multicalls"
    return f"In {plural(of.calls, 'multicall')}, {of.items / of.calls:.1f} calls each on average"


def _exits(domain: DomainReport, span_s: float) -> Table | None:
    found = totals.exits(domain.vcpus)
    most = max((one.seconds for one in found), default=0.0)
    columns = ("", "in Xen", "of all", "count", "per s", "mean", "p50", "p99", "max", "descheduled")
    rows = []
    for one in found:
        share = one.seconds / span_s / len(domain.vcpus) if span_s else 0.0
        rows.append(
            [
                Cell(one.name),
                _bar(one.seconds, most),
                _duration(one.seconds),
                _share(share),
                _count(one.count),
                _rate(one.count, span_s),
                _duration(one.seconds / one.count),
                _duration(one.latency.quantile(QUANTILES["p50"])),
                _duration(one.latency.quantile(QUANTILES["p99"])),
                _duration(one.latency.longest),
                _duration(one.descheduled_seconds),
            ]
        )
    return _table("VM exits", columns, rows)


def _runstates(domain: DomainReport) -> Table | None:
    vcpus = [vcpu for vcpu in domain.vcpus if vcpu.runstates]
    shown = [name for name in RUNSTATE_NAMES if any(vcpu.runstates[name].seconds > 0 for vcpu in vcpus)]
    rows = []
    for vcpu in vcpus:
        span = sum(state.seconds for state in vcpu.runstates.values()) or 1.0
        row = [Cell(f"v{vcpu.vcpu}")]
        for name in shown:
            spent = vcpu.runstates[name].seconds
            row += [Cell(seconds(spent), spent), _share(spent / span)]
        rows.append(row)
    return _table("Run states", [column for name in shown for column in (name, "%")], rows)


def _contention(domain: DomainReport) -> Table | None:
    # Of a single vCPU it would say its run states again.
    if len(domain.vcpus) < 2 or not domain.contention:
        return None
    span = sum(one.seconds for one in domain.contention.values()) or 1.0
    found = [(name, domain.contention[name]) for name in CONTENTION if domain.contention[name].seconds]
    most = max((one.seconds for _, one in found), default=0.0)
    rows = [
        [
            Cell(name.replace("_", " ")),
            _bar(one.seconds, most),
            Cell(seconds(one.seconds), one.seconds),
            _share(one.seconds / span),
            _count(one.count),
            Cell(CONTENTION[name]),
        ]
        for name, one in found
    ]
    return _table("vCPUs together", ("", "time", "%", "count", "meaning"), rows)


def _latencies(domain: DomainReport) -> Table | None:
    rows = []
    for name, what in LATENCIES.items():
        for vcpu in (vcpu for vcpu in domain.vcpus if name in vcpu.latencies):
            took = vcpu.latencies[name]
            times = (*(took.quantile(share) for share in QUANTILES.values()), took.longest)
            rows.append([Cell(f"{what} v{vcpu.vcpu}"), _count(took.count), *map(_duration, times)])
    return _table("Latencies", ("count", *QUANTILES, "max"), rows)


def _page_tables(domain: DomainReport, span_s: float) -> Table | None:
    rows = (
        [
            Cell(work.what),
            _count(work.count),
            _rate(work.count, span_s),
            Cell(f"{work.per_call:.1f}", work.per_call) if work.per_call else Cell(""),
        ]
        for work in totals.page_tables(domain.vcpus)
    )
    return _table("Page tables", ("count", "per s", "a call"), rows)


def _interrupts(domain: DomainReport, span_s: float) -> Table | None:
    rows = (
        [Cell(f"vector {one.vector}"), _count(one.count), _rate(one.count, span_s)]
        for one in totals.interrupts(domain.vcpus)
    )
    return _table("Guest interrupts", ("count", "per s"), rows)


def _traps(domain: DomainReport, span_s: float) -> Table | None:
    rows = ([Cell(one.name), _count(one.count), _rate(one.count, span_s)] for one in totals.traps(domain.vcpus))
    return _table("Traps", ("count", "per s"), rows)


def _grants(report: Report) -> Table | None:
    rows = (
        [
            Cell(f"{who(pair.mapper, report)} maps pages of {who(pair.granter, report)}"),
            _count(pair.maps),
            _count(pair.unmaps),
            _rate(pair.maps, report.span_s),
        ]
        for pair in sorted(report.grants, key=lambda pair: -pair.maps)
    )
    return _table("Grants", ("maps", "unmaps", "maps per s"), rows)


def _notifications(report: Report) -> Table | None:
    rows = (
        [
            Cell(f"{who(one.source, report)} → {who(one.target, report)}"),
            _count(one.count),
            _rate(one.count, report.span_s),
            Cell(one.confidence),
        ]
        for one in sorted(report.notifications, key=lambda one: -one.count)
    )
    return _table("Notifications (inferred)", ("count", "per s", "confidence"), rows)


def _pcpus(report: Report) -> Table | None:
    rows = (
        [Cell(str(pcpu)), _bar(1 - idle, 1.0), _share(1 - idle), _share(idle)]
        for pcpu, idle in totals.idle(report).items()
    )
    return _table("pCPUs", ("", "busy", "idle"), rows)


def _table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], count: int | None = None
) -> Table | None:
    # ``count`` is how many there are, should not all be given.
    every = list(rows)
    return Table(title, columns, every[:ROWS_MAX], max((count or len(every)) - ROWS_MAX, 0)) if every else None


def _bar(value: float, most: float) -> Cell:
    return Cell("", value, value / most if most else 0.0)


def _share(share: float) -> Cell:
    return Cell(f"{share:.1%}", share)


def _count(count: int) -> Cell:
    return Cell(f"{count:,}", count)


def _rate(count: int, span_s: float) -> Cell:
    return Cell(rate(count, span_s), count / span_s if span_s else None)


def _duration(took: float) -> Cell:
    return Cell(duration(took), took)
