"""How long hypercalls took, as a table and as a part of a report's document."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from traces.analyses.calls import CallTimes
from traces.answers import Report
from traces.counting.latencies import merged
from traces.exporters.cells import (
    DISTRIBUTION,
    DOMAINS_MAX,
    ROWS_MAX,
    WORDS,
    Cell,
    Column,
    Section,
    busiest,
    count,
    distributed,
)
from traces.exporters.document import latency
from traces.exporters.text import draw
from traces.exporters.words import who
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
        draw(_section(f"Time of hypercalls, {who(domid, report)}", by_domain[domid]), console, tight=True)
    if len(by_domain) > DOMAINS_MAX:
        console.print(Text(f"and {plural(len(by_domain) - DOMAINS_MAX, 'domain')} more (--json)", "dim"))
    if any(one.bound == "upper" for one in found):
        console.print(Padding(Text(_NOTE, "dim"), (0, 0, 0, 2), expand=False))


def _section(title: str, found: Sequence[CallTimes]) -> Section:
    by_name: dict[tuple[str, str], list[CallTimes]] = {}
    for one in found:
        by_name.setdefault((one.name, one.bound), []).append(one)
    summed = [(name, bound, merged(one.latency for one in of), of) for (name, bound), of in by_name.items()]
    summed.sort(key=lambda row: -row[2].seconds)
    rows = []
    for name, bound, took, of in summed[:ROWS_MAX]:
        made, *times = distributed(took)
        sign = Cell("≤" if bound == "upper" else "")
        told = times if took.count else [Cell("-")] * len(times)
        rows.append((Cell(name), made, sign, *told, count(sum(one.unknown for one in of))))
    first, *others = DISTRIBUTION
    columns = (first, Column("", WORDS, rank=0), *others, Column("not\nknown"))
    return Section(title, columns, rows, len(summed) - len(rows))
