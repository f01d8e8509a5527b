"""A report as text for people: names, rates and percentages, as wide as the terminal."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from traces.account import DOUBTS, UNKNOWN_DOMID
from traces.analyses import totals
from traces.analyses.findings import Finding, findings
from traces.answers import RUNSTATE_NAMES, DomainReport, Hypercall, Report, VcpuReport
from traces.counting.latencies import QUANTILES
from traces.exporters.words import (
    CONTENTION,
    LATENCIES,
    called,
    clock_rate,
    clock_source,
    duration,
    exit_doubt,
    lost_rate,
    marked,
    rate,
    recorded,
    seconds,
    skew_doubt,
    time,
    unit,
    who,
)
from traces.foreign import printable
from traces.plural import plural

#: With more vCPUs than this, hypercalls are shown as totals only.
_VCPU_COLUMNS = 4
#: Addresses of each kind; there may be thousands.
_BUSIEST = 20
#: Of anything else, and domains: a hostile trace has more than anybody reads, or waits for.
ROWS_MAX, DOMAINS_MAX = 64, 32
#: In a cell.
_WORDS_MAX = 20
#: pCPUs that a vCPU ran on.
_PCPUS_TOLD = 3
_LIVES_TOLD = 3
_SWITCHES_TELL = ": who ran is known from the scheduler's switches, but not why others did not."
_NOBODY_TELLS = ", so nobody says whose this is; an exit lasts until the next entry on its pCPU."
_INDENT, _DEEPER = (0, 0, 0, 2), (0, 0, 0, 4)
#: Of the names of run states, where these head columns.
STATE_STYLES = {"running": "green", "runnable": "yellow", "blocked": "blue", "offline": "dim", "lost": "red"}


_T = TypeVar("_T")


def write(report: Report, console: Console) -> None:
    """Write the report: the capture, each domain, what passed between domains, what is doubtful, findings."""
    with marked(report.clock):
        _write(report, console)


def _write(report: Report, console: Console) -> None:
    console.print(_heading(report))
    domains = [domain for domain in report.told if domain.domid != UNKNOWN_DOMID or _tells(domain)]
    for domain in busiest(domains, records, DOMAINS_MAX):
        _write_domain(domain, report, console)
    if len(domains) > DOMAINS_MAX:
        console.print()
        console.print(Text(f"and {plural(len(domains) - DOMAINS_MAX, 'domain')} more (--json, --domain)", "dim"))
    if not (domains or report.irqs or report.grants):
        _write_records(report, console)
    _write_pcpus(report, console)
    _write_irqs(report, console)
    _write_grants(report, console)
    _write_notifications(report, console)
    _write_doubts(report, console)
    _write_findings(report, console)


def _write_records(report: Report, console: Console) -> None:
    # Where no other table has anything, as of a single class of a scheduler's or of power management.
    vcpus = [vcpu for domain in report.domains for vcpu in domain.vcpus]
    found = sum((Counter(vcpu.events) for vcpu in vcpus), Counter[str]())
    if found:
        table = _table("Records", "count", "per s")
        for name, count in shown(found.most_common(), table):
            table.add_row(name, f"{count:,}", rate(count, report.span_s))
        _print(table, console)


def records(domain: DomainReport) -> int:
    """Count a domain's records."""
    return sum(sum(vcpu.events.values()) for vcpu in domain.vcpus)


def busiest(found: Sequence[_T], key: Callable[[_T], float], most: int) -> list[_T]:
    """Choose those with the highest keys, in the order that they have."""
    if len(found) <= most:
        return list(found)
    chosen = sorted(range(len(found)), key=lambda at: -key(found[at]))[:most]
    return [found[at] for at in sorted(chosen)]


def _heading(report: Report) -> Text:
    account = report.account
    parts = (
        *([] if report.where.timed else [seconds(report.span_s, 2)]),
        plural(account.records, "record"),
        f"{account.bytes / 1e6:.1f} MB",
        plural(len(account.pcpus), "pCPU"),
        f"clock {clock_rate(report.clock)} ({clock_source(report.clock)})",
    )
    text = Text(", ".join(parts))
    if account.lost_records:
        share = account.lost_records / (account.lost_records + account.records)
        per_s = lost_rate(report)
        text.append(f"; {plural(account.lost_records, 'record')} lost", "bold red")
        text.append(f" ({share:.1%} of all" + (")" if per_s is None else f", {time(f'{per_s:,.0f}')}/s)"))
    else:
        text.append("; none lost")
    if report.tracer_share is not None:
        text.append(f"; the tracer took {report.tracer_share:.1%} of one of dom0's CPUs")
    when = recorded(report)
    text.append(f"\nRecorded {when}" if when else "\nNobody noted when it was recorded; `xentool record` does", "dim")
    if str(report.where):
        text.append("\nOnly ").append(printable(str(report.where)), "bold")
        text.append(f": {seconds(report.span_s, 2)}" if report.where.timed else "")
    if (doubt := skew_doubt(report)) is not None:
        doubtful = report.skew is not None and report.skew.of_clocks
        text.append("\nDoubtful: ", "bold red").append(doubt) if doubtful else text.append(f"\n{doubt}", "dim")
    if not report.run_states:
        known = any(domain.domid != UNKNOWN_DOMID for domain in report.told)
        text.append("\nRun states were not recorded", "yellow")
        text.append(
            f" (`xentool record` does, or 0x21000 in -e of xentrace){_SWITCHES_TELL if known else _NOBODY_TELLS}"
        )
    return text


def _write_domain(domain: DomainReport, report: Report, console: Console) -> None:
    console.print()
    unknown = domain.domid == UNKNOWN_DOMID
    title = Text("Nobody says whose" if unknown else called(domain), "bold")
    parts = f"domid {domain.domid}", printable(domain.mode), plural(len(domain.vcpus), "pCPU" if unknown else "vCPU")
    title.append(f"  ({', '.join((*parts, *_lives(domain)))})", "not bold dim")
    console.print(title)
    vcpus = busiest(domain.vcpus, lambda vcpu: sum(vcpu.events.values()), ROWS_MAX)
    if len(domain.vcpus) > ROWS_MAX:
        left = len(domain.vcpus) - ROWS_MAX
        note = f"Run states, placement and latencies of the {ROWS_MAX} busiest; {plural(left, 'vCPU')} more (--json)"
        console.print(Padding(Text(note, "dim"), _INDENT, expand=False))
    _write_runstates(vcpus, report.span_s, console)
    _write_contention(domain, report.span_s, console)
    _write_places(vcpus, console)
    _write_latencies(vcpus, unit(domain.domid), console)
    _write_hypercalls(domain, report.span_s, console)
    _write_subcalls(domain, report.span_s, console)
    _write_page_tables(domain.vcpus, report.span_s, console)
    _write_exits(domain.vcpus, report.span_s, console)
    _write_io(domain.vcpus, report.span_s, console)
    _write_interrupts(domain, report.span_s, console)
    _write_traps(domain.vcpus, report.span_s, console)


def _tells(domain: DomainReport) -> bool:
    return any(one.hypercalls or one.exits or one.traps or one.io or one.interrupts for one in domain.vcpus)


def _lives(domain: DomainReport) -> list[str]:
    # Those that the trace saw begin or end, in order; of many the first ones.
    told = []
    for begin, end in domain.lives[:_LIVES_TOLD]:
        told += [] if begin is None else [f"created at {begin:.3f} s"]
        told += [] if end is None else [f"destroyed at {end:.3f} s"]
    more = len(domain.lives) - _LIVES_TOLD
    return told + ([f"and {more:,} times more"] if more > 0 else [])


def _write_runstates(vcpus: Sequence[VcpuReport], span_s: float, console: Console) -> None:
    seen = {name for vcpu in vcpus for name, state in vcpu.runstates.items() if state.seconds > 0}
    shown = [name for name in RUNSTATE_NAMES if name in seen]
    if not shown:
        return
    table = _table("Run states", *(Text(name, STATE_STYLES[name]) for name in shown))
    for vcpu in (one for one in vcpus if one.runstates and span_s):
        cells = (vcpu.runstates[name].seconds for name in shown)
        table.add_row(f"v{vcpu.vcpu}", *(f"{seconds(one)} {one / span_s:5.1%}" for one in cells))
    _print(table, console)


def _write_places(vcpus: Sequence[VcpuReport], console: Console) -> None:
    if not any(vcpu.pcpus for vcpu in vcpus):
        return
    table = _table("Placement", "migrations", "ran on pCPU")
    for vcpu in vcpus:
        table.add_row(f"v{vcpu.vcpu}", f"{vcpu.migrations:,}", _places(vcpu.pcpus))
    _print(table, console)


def _places(pcpus: Mapping[int, float]) -> str:
    # Where it ran most, and how much of its running time.
    total = sum(pcpus.values())
    most = sorted(pcpus, key=lambda pcpu: -pcpus[pcpu])
    told = [f"{pcpu}: {pcpus[pcpu] / total:.0%}" for pcpu in most[:_PCPUS_TOLD]]
    return ", ".join(told + ([f"{len(most) - _PCPUS_TOLD} more"] if len(most) > _PCPUS_TOLD else []))


def _write_contention(domain: DomainReport, span_s: float, console: Console) -> None:
    # Of a single vCPU it would say its run states again.
    if len(domain.vcpus) < 2 or not domain.contention or not span_s:
        return
    table = _table("vCPUs together", "count", "time", "")
    table.add_column(Text("meaning", "dim"), overflow="fold")
    for name, meaning in CONTENTION.items():
        of = domain.contention[name]
        if of.seconds:
            cells = (f"{of.count:,}", seconds(of.seconds), f"{of.seconds / span_s:.1%}", Text(meaning, "dim"))
            table.add_row(name.replace("_", " "), *cells)
    _print(table, console)


def _write_hypercalls(domain: DomainReport, span_s: float, console: Console) -> None:
    _write_calls("Hypercalls", domain, [vcpu.hypercalls for vcpu in domain.vcpus], span_s, console)


def _write_subcalls(domain: DomainReport, span_s: float, console: Console) -> None:
    of = totals.batches(domain.vcpus, "multicall")
    title = "In multicalls"
    if of.calls:
        title = f"In {plural(of.calls, 'multicall')}, {of.items / of.calls:.1f} calls each on average"
    _write_calls(title, domain, [vcpu.multicall_subcalls for vcpu in domain.vcpus], span_s, console)


def _write_calls(
    title: str, domain: DomainReport, calls: Sequence[Sequence[Hypercall]], span_s: float, console: Console
) -> None:
    found = totals.calls(calls)
    if not found:
        return
    each, columns = _each(domain)
    detailed = any(call.subops or call.restarts for call in found)
    table = _table(title, "count", "per s", *columns)
    if detailed:
        table.add_column(Text("of these", "dim"), overflow="fold")
    for call in shown(found, table):
        cells = [call.name, f"{call.count:,}", rate(call.count, span_s)]
        cells += [f"{sum(one.count for one in of_vcpu if one.nr == call.nr):,}" for of_vcpu in calls[:each]]
        if detailed:
            remarks = [f"{subop} {count:,}" for subop, count in islice(call.subops.items(), _WORDS_MAX)]
            if len(call.subops) > _WORDS_MAX:
                remarks.append(f"{len(call.subops) - _WORDS_MAX:,} more")
            remarks += [f"preempted {plural(call.restarts, 'time')}"] if call.restarts else []
            cells.append(", ".join(remarks))
        table.add_row(*cells)
    _print(table, console)


def _each(domain: DomainReport) -> tuple[int, list[str]]:
    # Of how many vCPUs there is a column of their own, and its heading.
    each = len(domain.vcpus) if 1 < len(domain.vcpus) <= _VCPU_COLUMNS else 0
    return each, [f"{unit(domain.domid)}{vcpu.vcpu}" for vcpu in domain.vcpus[:each]]


def _write_page_tables(vcpus: Sequence[VcpuReport], span_s: float, console: Console) -> None:
    found = totals.page_tables(vcpus)
    if not found:
        return
    table = _table("Page tables", "count", "per s", "")
    for work in found:
        remark = f"{work.per_call:.1f} a call" if work.per_call else ""
        table.add_row(work.what, f"{work.count:,}", rate(work.count, span_s), remark)
    _print(table, console)


def _write_exits(vcpus: Sequence[VcpuReport], span_s: float, console: Console) -> None:
    found = totals.exits(vcpus)
    if not found:
        return
    table = _table("VM exits", "count", "per s", "in Xen", "of all", "mean", "descheduled")
    for one in shown(found, table):
        share = one.seconds / span_s / len(vcpus) if span_s else 0.0
        table.add_row(
            one.name,
            f"{one.count:,}",
            rate(one.count, span_s),
            seconds(one.seconds),
            f"{share:.1%}",
            duration(one.seconds / one.count),
            seconds(one.descheduled_seconds),
        )
    _print(table, console)
    table = _table("VM exits, each", "count", *QUANTILES, "max")
    for one in shown([one for one in found if one.latency.count], table):
        times = (*(one.latency.quantile(share) for share in QUANTILES.values()), one.latency.longest)
        table.add_row(one.name, f"{one.latency.count:,}", *map(duration, times))
    _print(table, console)


def _write_io(vcpus: Sequence[VcpuReport], span_s: float, console: Console) -> None:
    found = totals.io(vcpus)
    if found:
        table = _table("Emulated I/O", "reads", "writes", "per s")
        for one in shown(found, table, _BUSIEST):
            accesses = one.reads + one.writes
            table.add_row(f"{one.kind} {one.address:#x}", f"{one.reads:,}", f"{one.writes:,}", rate(accesses, span_s))
        _print(table, console)
    roots = totals.cr3_writes(vcpus)
    if roots:
        table = _table("Page tables switched to (cr3)", "count", "per s")
        for root, count in shown(roots.most_common(), table, _BUSIEST):
            table.add_row(f"{root:#x}", f"{count:,}", rate(count, span_s))
        _print(table, console)


def shown(found: Sequence[_T], table: Table, most: int = ROWS_MAX) -> Iterator[_T]:
    """Give those that get a row each, and then say how many are left."""
    yield from found[:most]
    _add_rest(len(found), table, most)


def _add_rest(rows: int, table: Table, most: int = ROWS_MAX) -> None:
    if rows > most:
        table.add_row(Text(f"and {rows - most:,} more (--json)", "dim"))


def _write_latencies(vcpus: Sequence[VcpuReport], prefix: str, console: Console) -> None:
    if not any(vcpu.latencies for vcpu in vcpus):
        return
    table = _table("Latencies", "count", *QUANTILES, "max")
    for name, what in LATENCIES.items():
        for vcpu in (vcpu for vcpu in vcpus if name in vcpu.latencies):
            took = vcpu.latencies[name]
            times = (*(took.quantile(share) for share in QUANTILES.values()), took.longest)
            table.add_row(f"{what} {prefix}{vcpu.vcpu}", f"{took.count:,}", *map(duration, times))
    _print(table, console)


def _write_interrupts(domain: DomainReport, span_s: float, console: Console) -> None:
    vcpus = domain.vcpus
    found = totals.interrupts(vcpus)
    if not found:
        return
    each, columns = _each(domain)
    table = _table("Guest interrupts", "count", "per s", *columns)
    for one in shown(found, table):
        of_vcpus = ([of.count for of in vcpu.interrupts if of.vector == one.vector] for vcpu in vcpus[:each])
        counts = (f"{sum(counts):,}" for counts in of_vcpus)
        table.add_row(f"vector {one.vector}", f"{one.count:,}", rate(one.count, span_s), *counts)
    _print(table, console)
    table = _table("From interrupt to halt", "count", *QUANTILES, "max")
    for one in found[:ROWS_MAX]:
        cases = {
            "woke alone": one.alone,
            "woke": one.wake_to_halt,
            "awake": one.interrupt_to_halt,
        }
        for what, took in cases.items():
            if took.count:
                times = (*(took.quantile(share) for share in QUANTILES.values()), took.longest)
                table.add_row(f"vector {one.vector} {what}", f"{took.count:,}", *map(duration, times))
    if table.row_count:
        _print(table, console)
        note = "It woke the vCPU, alone if no other came until the vCPU halted; or the vCPU was awake."
        console.print(Padding(Text(note, "dim"), _DEEPER, expand=False))


def _write_traps(vcpus: Sequence[VcpuReport], span_s: float, console: Console) -> None:
    found = totals.traps(vcpus)
    if not found:
        return
    table = _table("Traps", "count", "per s")
    for trap in shown(found, table):
        table.add_row(trap.name, f"{trap.count:,}", rate(trap.count, span_s))
    _print(table, console)


def _write_pcpus(report: Report, console: Console) -> None:
    idle = totals.idle(report)
    if not idle:
        return
    table = _table("pCPUs", "busy", "idle")
    for pcpu in busiest(list(idle), lambda pcpu: -idle[pcpu], ROWS_MAX):
        table.add_row(f"{pcpu}", f"{1 - idle[pcpu]:.1%}", f"{idle[pcpu]:.1%}")
    _add_rest(len(idle), table)
    console.print()
    console.print(table)


def _write_irqs(report: Report, console: Console) -> None:
    if not report.irqs:
        return
    table = _table("Interrupts", "count", "per s", "in Xen", "p50", "p99", "max", "pCPUs")
    for one in busiest(report.irqs, lambda irq: irq.count, ROWS_MAX):
        table.add_row(
            f"irq {one.irq}",
            f"{one.count:,}",
            rate(one.count, report.span_s),
            seconds(one.seconds),
            *(duration(one.latency.quantile(QUANTILES[name])) for name in ("p50", "p99")),
            duration(one.latency.longest),
            _numbers(list(one.pcpus)),
        )
    _add_rest(len(report.irqs), table)
    console.print()
    console.print(table)


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


def _write_grants(report: Report, console: Console) -> None:
    if not report.grants:
        return
    table = _table("Grants", "maps", "unmaps", "per s")
    for pair in busiest(report.grants, lambda pair: pair.maps + pair.unmaps, ROWS_MAX):
        pages = f"{who(pair.mapper, report)} maps pages of {who(pair.granter, report)}"
        table.add_row(Text(pages), f"{pair.maps:,}", f"{pair.unmaps:,}", rate(pair.maps, report.span_s))
    _add_rest(len(report.grants), table)
    console.print()
    console.print(table)


def _write_notifications(report: Report, console: Console) -> None:
    if not report.notifications:
        return
    table = _table("Notifications (inferred)", "count", "per s", "confidence")
    for one in busiest(report.notifications, lambda one: one.count, ROWS_MAX):
        pair = f"{who(one.source, report)} → {who(one.target, report)}"
        table.add_row(Text(pair), f"{one.count:,}", rate(one.count, report.span_s), one.confidence)
    _add_rest(len(report.notifications), table)
    console.print()
    console.print(table)
    note = "Xen records no event channels: these are event_channel_op calls right after which the other side woke up."
    console.print(Padding(Text(note, "dim"), _INDENT, expand=False))


def _write_doubts(report: Report, console: Console) -> None:
    if report.exits.in_doubt:
        console.print()
        console.print(f"Whose VM exits these are is in doubt. {exit_doubt(report)}", style="yellow")
    damage = [one for one in report.account.diagnostics if one.severity != "info" and one.code not in DOUBTS]
    if damage:
        console.print()
        table = _table("Damage", "count", "severity", "first at byte")
        for one in damage:
            code = one.code.replace("_", " ")
            table.add_row(code, f"{one.count:,}", one.severity.replace("_", " "), f"{one.first_offset:,}")
        console.print(table)
    if report.account.skipped_bytes:
        share = report.account.skipped_bytes / report.account.bytes
        console.print(
            f"{plural(report.account.skipped_bytes, 'byte')} ({share:.1%}) could not be decoded.", style="red"
        )


def _write_findings(report: Report, console: Console) -> None:
    found = findings(report)
    if found:
        console.print()
        console.print(Text("Findings", "bold cyan"))
        for one in found[:ROWS_MAX]:
            text = f": {printable(one.text)}"
            line = Text.assemble((one.rule.replace("_", " "), "yellow"), text, (_evidence(one), "dim"))
            console.print(Padding(line, _INDENT, expand=False))
        if len(found) > ROWS_MAX:
            console.print(Padding(Text(f"and {len(found) - ROWS_MAX:,} more (--json)", "dim"), _INDENT, expand=False))


def _evidence(one: Finding) -> str:
    # Where to look.
    of = one.evidence
    if "worst_from_s" in of:
        return f" (longest: {of['worst_from_s']:.6f} to {of['worst_to_s']:.6f}, pCPU {of['worst_pcpu']})"
    return f" (first at byte {of['first_offset']:,})" if "first_offset" in of else ""


def _table(title: str, *columns: str | Text) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="none")
    # Where there is no room, names go on in the next line, and numbers stay whole.
    table.add_column(Text(title, "bold cyan"), overflow="fold")
    for column in columns:
        table.add_column(column if isinstance(column, Text) else Text(column, "dim"), justify="right", no_wrap=True)
    return table


def _print(table: Table, console: Console) -> None:
    console.print()
    console.print(Padding(table, _INDENT, expand=False))
