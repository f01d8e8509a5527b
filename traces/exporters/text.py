"""A report as text for people: names, rates and percentages, as wide as the terminal."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from traces.analyses.findings import findings
from traces.analyses.report import RUNSTATE_NAMES, DomainReport, Hypercall, Report, VcpuReport
from traces.table import IDLE_DOMID, UNKNOWN_DOMID

#: With more vCPUs than this, hypercalls are shown as totals only.
_VCPU_COLUMNS = 4
_INDENT = (0, 0, 0, 2)
_STATE_STYLES = {"running": "green", "runnable": "yellow", "blocked": "blue", "offline": "dim", "lost": "red"}


def write(report: Report, console: Console) -> None:
    """Write the report: the capture, each domain, what passed between domains, what is doubtful, findings."""
    console.print(_heading(report))
    for domain in report.domains:
        if domain.domid not in (IDLE_DOMID, UNKNOWN_DOMID):
            _write_domain(domain, report, console)
    _write_pcpus(report, console)
    _write_grants(report, console)
    _write_notifications(report, console)
    _write_doubts(report, console)
    _write_findings(report, console)


def _heading(report: Report) -> Text:
    account, clock = report.account, report.clock
    source = {
        "trace": f"±{clock.error or 0:.3%}, found in the trace",
        "option": "as given",
        "host": "as the host says",
        "default": "assumed: the trace does not tell",
    }[clock.source]
    parts = (
        f"{report.span_s:.2f} s",
        f"{account.records:,} records",
        f"{account.bytes / 1e6:.1f} MB",
        f"{len(account.pcpus)} pCPU" + ("s" if len(account.pcpus) != 1 else ""),
        f"clock {clock.hz / 1e9:.4f} GHz ({source})",
    )
    text = Text(", ".join(parts))
    if account.lost_records:
        text.append(f"; {account.lost_records:,} records lost", "bold red")
    else:
        text.append("; none lost")
    return text


def _write_domain(domain: DomainReport, report: Report, console: Console) -> None:
    console.print()
    title = Text(domain.name or f"Domain {domain.domid}", "bold")
    title.append(f"  (domid {domain.domid}, {domain.mode}, {_plural(len(domain.vcpus), 'vCPU')})", "not bold dim")
    console.print(title)
    _write_runstates(domain.vcpus, console)
    _write_hypercalls(domain.vcpus, report.span_s, console)
    _write_subcalls(domain.vcpus, report.span_s, console)
    _write_page_tables(domain.vcpus, report.span_s, console)
    _write_exits(domain.vcpus, report.span_s, console)
    _write_traps(domain.vcpus, report.span_s, console)


def _write_runstates(vcpus: Sequence[VcpuReport], console: Console) -> None:
    shown = [name for name in RUNSTATE_NAMES if any(v.runstates and v.runstates[name].seconds > 0 for v in vcpus)]
    if not shown:
        return
    table = _table("Run states", *(Text(name, _STATE_STYLES[name]) for name in shown))
    for vcpu in vcpus:
        span = sum(state.seconds for state in vcpu.runstates.values())
        if span:
            cells = (vcpu.runstates[name].seconds for name in shown)
            table.add_row(f"v{vcpu.vcpu}", *(f"{seconds:.3f} s {seconds / span:5.1%}" for seconds in cells))
    _print(table, console)


def _write_hypercalls(vcpus: Sequence[VcpuReport], span_s: float, console: Console) -> None:
    _write_calls("Hypercalls", vcpus, [vcpu.hypercalls for vcpu in vcpus], span_s, console)


def _write_subcalls(vcpus: Sequence[VcpuReport], span_s: float, console: Console) -> None:
    calls, items = _batches(vcpus, "multicall")
    title = f"In {_plural(calls, 'multicall')}, {items / calls:.1f} calls each on average" if calls else "In multicalls"
    _write_calls(title, vcpus, [vcpu.multicall_subcalls for vcpu in vcpus], span_s, console)


def _write_calls(
    title: str, vcpus: Sequence[VcpuReport], calls: Sequence[Sequence[Hypercall]], span_s: float, console: Console
) -> None:
    totals: Counter[str] = Counter()
    subops: dict[str, Counter[str]] = {}
    for call in (call for of_vcpu in calls for call in of_vcpu):
        totals[call.name] += call.count
        subops.setdefault(call.name, Counter()).update(call.subops)
    if not totals:
        return
    each = len(vcpus) if 1 < len(vcpus) <= _VCPU_COLUMNS else 0
    detailed = any(subops.values())
    table = _table(title, "count", "per s", *(f"v{vcpu.vcpu}" for vcpu in vcpus[:each]))
    if detailed:
        table.add_column(Text("of these", "dim"), overflow="fold")
    for name, total in totals.most_common():
        cells = [name, f"{total:,}", _rate(total, span_s)]
        cells += [f"{sum(call.count for call in of_vcpu if call.name == name):,}" for of_vcpu in calls[:each]]
        if detailed:
            cells.append(", ".join(f"{subop} {count:,}" for subop, count in subops[name].most_common()))
        table.add_row(*cells)
    _print(table, console)


def _write_page_tables(vcpus: Sequence[VcpuReport], span_s: float, console: Console) -> None:
    rows = []
    for name, what in (("mmu_update", "updates"), ("mmuext_op", "operations")):
        calls, items = _batches(vcpus, name)
        if calls:
            rows.append((f"{name} {what}", items, f"{items / calls:.1f} a call"))
    made = _hypercall_count(vcpus, "update_va_mapping")
    if made:
        rows.append(("update_va_mapping", made, ""))
    for event, what in (
        ("pv_ptwr_emulation", "page table writes emulated"),
        ("pv_ptwr_emulation_pae", "page table writes emulated (PAE)"),
        ("pv_page_fault", "page faults through Xen"),
        ("hvm_npf", "nested page faults"),
    ):
        count = sum(vcpu.events.get(event, 0) for vcpu in vcpus)
        if count:
            rows.append((what, count, ""))
    if not rows:
        return
    table = _table("Page tables", "count", "per s", "")
    for what, count, remark in rows:
        table.add_row(what, f"{count:,}", _rate(count, span_s), remark)
    _print(table, console)


def _write_exits(vcpus: Sequence[VcpuReport], span_s: float, console: Console) -> None:
    totals: dict[str, list[float]] = {}
    for exit_ in (exit_ for vcpu in vcpus for exit_ in vcpu.exits):
        total = totals.setdefault(exit_.name, [0, 0.0, 0.0])
        for index, value in enumerate((exit_.count, exit_.seconds, exit_.descheduled_seconds)):
            total[index] += value
    if not totals:
        return
    table = _table("VM exits", "count", "per s", "in Xen", "of all", "mean", "descheduled")
    for name, (count, seconds, away) in sorted(totals.items(), key=lambda item: -item[1][1]):
        share = seconds / span_s / len(vcpus) if span_s else 0.0
        mean = f"{seconds / count * 1e6:,.1f} µs" if count else ""
        table.add_row(
            name,
            f"{int(count):,}",
            _rate(int(count), span_s),
            f"{seconds:.3f} s",
            f"{share:.1%}",
            mean,
            f"{away:.3f} s",
        )
    _print(table, console)


def _write_traps(vcpus: Sequence[VcpuReport], span_s: float, console: Console) -> None:
    totals: Counter[str] = Counter()
    for vcpu in vcpus:
        totals.update({trap.name: trap.count for trap in vcpu.traps})
    if not totals:
        return
    table = _table("Traps", "count", "per s")
    for name, count in totals.most_common():
        table.add_row(name, f"{count:,}", _rate(count, span_s))
    _print(table, console)


def _write_pcpus(report: Report, console: Console) -> None:
    # The idle domain has one vCPU for each pCPU, of the same number.
    idle = next((domain for domain in report.domains if domain.domid == IDLE_DOMID), None)
    if idle is None or not any(vcpu.runstates for vcpu in idle.vcpus):
        return
    table = _table("pCPUs", "busy", "idle")
    for vcpu in idle.vcpus:
        if vcpu.runstates and report.span_s:
            share = vcpu.runstates["running"].seconds / report.span_s
            table.add_row(f"{vcpu.vcpu}", f"{1 - share:.1%}", f"{share:.1%}")
    console.print()
    console.print(table)


def _write_grants(report: Report, console: Console) -> None:
    if not report.grants:
        return
    table = _table("Grants", "maps", "unmaps", "per s")
    for pair in report.grants:
        rate = _rate(pair.maps, report.span_s)
        who = f"{_who(pair.mapper, report)} maps pages of {_who(pair.granter, report)}"
        table.add_row(who, f"{pair.maps:,}", f"{pair.unmaps:,}", rate)
    console.print()
    console.print(table)


def _write_notifications(report: Report, console: Console) -> None:
    if not report.notifications:
        return
    table = _table("Notifications (inferred)", "count", "per s")
    for one in report.notifications:
        who = f"{_who(one.source, report)} → {_who(one.target, report)}"
        table.add_row(who, f"{one.count:,}", _rate(one.count, report.span_s))
    console.print()
    console.print(table)
    note = "Xen records no event channels: these are event_channel_op calls right after which the other side woke up."
    console.print(Padding(Text(note, "dim"), _INDENT, expand=False))


def _write_doubts(report: Report, console: Console) -> None:
    doubts = [one for one in report.account.diagnostics if one.severity != "info"]
    if doubts:
        console.print()
        table = _table("Damage", "count", "severity", "first at byte")
        for one in doubts:
            code = one.code.replace("_", " ")
            table.add_row(code, f"{one.count:,}", one.severity.replace("_", " "), f"{one.first_offset:,}")
        console.print(table)
    if report.account.skipped_bytes:
        share = report.account.skipped_bytes / report.account.bytes
        console.print(f"{report.account.skipped_bytes:,} bytes ({share:.1%}) could not be decoded.", style="red")


def _write_findings(report: Report, console: Console) -> None:
    found = findings(report)
    if found:
        console.print()
        console.print(Text("Findings", "bold cyan"))
        for one in found:
            line = Text.assemble((one.rule.replace("_", " "), "yellow"), ": ", one.text)
            console.print(Padding(line, _INDENT, expand=False))


def _table(title: str, *columns: str | Text) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="none")
    table.add_column(Text(title, "bold cyan"), no_wrap=True)
    for column in columns:
        table.add_column(column if isinstance(column, Text) else Text(column, "dim"), justify="right", no_wrap=True)
    return table


def _print(table: Table, console: Console) -> None:
    console.print()
    console.print(Padding(table, _INDENT, expand=False))


def _batches(vcpus: Iterable[VcpuReport], name: str) -> tuple[int, int]:
    found = [vcpu.batches[name] for vcpu in vcpus if name in vcpu.batches]
    return sum(one.calls for one in found), sum(one.items for one in found)


def _hypercall_count(vcpus: Iterable[VcpuReport], name: str) -> int:
    calls = (call for vcpu in vcpus for call in (*vcpu.hypercalls, *vcpu.multicall_subcalls))
    return sum(call.count for call in calls if call.name == name)


def _who(domid: int, report: Report) -> str:
    return report.names.get(domid) or f"d{domid}"


def _rate(count: int, span_s: float) -> str:
    return f"{count / span_s:,.0f}" if span_s else "-"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
