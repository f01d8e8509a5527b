"""How long hypercalls took, as a table and as a part of a report's document."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from traces.analyses.calls import CallTimes
from traces.answers import Report
from traces.counting.latencies import QUANTILES, merged
from traces.exporters.document import latency
from traces.exporters.text import DOMAINS_MAX, busiest, shown
from traces.exporters.words import duration, who
from traces.plural import plural

_NOTE = (
    "≤: until the vCPU next entered Xen from the guest, an upper bound, since Xen records no end of a PV hypercall; "
    "of those during which the vCPU was descheduled, or that Xen preempted, nothing is known."
)


def document(found: Sequence[CallTimes]) -> list[dict[str, Any]]:
    """Give the document: seconds in ``latency`` are exact or an upper bound, as ``bound`` says."""
    return [
        {
            "domid": one.domid,
            "vcpu": one.vcpu,
            "nr": one.nr,
            "name": one.name,
            "bound": one.bound,
            "unknown": one.unknown,
            "latency": latency(one.latency) if one.latency.count else None,
        }
        for one in found
    ]


def write(found: Sequence[CallTimes], report: Report, console: Console) -> None:
    """Write a table a domain, vCPUs together, what took longest in all first."""
    by_domain: dict[int, list[CallTimes]] = {}
    for one in found:
        by_domain.setdefault(one.domid, []).append(one)
    counts = {domid: sum(one.latency.count + one.unknown for one in of) for domid, of in by_domain.items()}
    for domid in busiest(sorted(by_domain), counts.__getitem__, DOMAINS_MAX):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="none", padding=(0, 1, 0, 0))
        # Where there is no room, names go on in the next line, and numbers stay whole.
        table.add_column(Text(f"Time of hypercalls, {who(domid, report)}", "bold cyan"), overflow="fold")
        for column in ("count", "", *QUANTILES, "max", "not\nknown"):
            table.add_column(Text(column, "dim"), justify="right", no_wrap=True)
        by_name: dict[tuple[str, str], list[CallTimes]] = {}
        for one in by_domain[domid]:
            by_name.setdefault((one.name, one.bound), []).append(one)
        rows = [(name, merged(one.latency for one in of), of) for name, of in by_name.items()]
        for (name, bound), took, of in shown(sorted(rows, key=lambda row: -row[1].seconds), table):
            sign = "≤" if bound == "upper" else ""
            times = (*(took.quantile(share) for share in QUANTILES.values()), took.longest)
            cells = (duration(seconds) if took.count else "-" for seconds in times)
            table.add_row(name, f"{took.count:,}", sign, *cells, f"{sum(one.unknown for one in of):,}")
        console.print()
        console.print(table)
    if len(by_domain) > DOMAINS_MAX:
        console.print(Text(f"and {plural(len(by_domain) - DOMAINS_MAX, 'domain')} more (--json)", "dim"))
    if any(one.bound == "upper" for one in found):
        console.print(Padding(Text(_NOTE, "dim"), (0, 0, 0, 2), expand=False))
