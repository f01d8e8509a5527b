"""How long vCPUs stayed in each run state, waited and were in VM exits, as bars of text: an octave a line."""

from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.text import Text

from traces.answers import Report, VcpuReport
from traces.exporters.cells import busiest
from traces.exporters.fitted import Fitted
from traces.exporters.words import LATENCIES, duration, run_state, unit, who
from traces.plural import plural

#: Columns of the longest bar, and of a terminal besides it.
_BAR, _BESIDES = 40, 32
#: Hundreds of lines each would say no more.
VCPUS_MAX = 64


def write(report: Report, console: Console) -> None:
    """Write the histograms of each vCPU, of the busiest ones if there are many."""
    found = [(domain.domid, vcpu) for domain in report.told for vcpu in domain.vcpus]
    for domid, vcpu in busiest(found, lambda one: sum(one[1].events.values()), VCPUS_MAX):
        for what, counts in _of(vcpu, report):
            console.print()
            console.print(Text(f"{who(domid, report)} {unit(domid)}{vcpu.vcpu}: {what}", "bold cyan"))
            console.print(_table(counts, max(min(_BAR, console.width - _BESIDES), 1)))
    if len(found) > VCPUS_MAX:
        console.print(Text(f"\nand {plural(len(found) - VCPUS_MAX, 'vCPU')} more (--json, --domain)", "dim"))


def _of(vcpu: VcpuReport, report: Report) -> Iterator[tuple[str, Mapping[tuple[float, float], int]]]:
    for state, of in vcpu.runstates.items():
        if of.histogram:
            yield f"times {run_state(state, report)}", of.histogram
    for name, latency in vcpu.latencies.items():
        yield LATENCIES[name], latency.octaves()


def _table(counts: Mapping[tuple[float, float], int], longest: int) -> Fitted:
    table = Fitted(headed=False)
    for _ in range(3):
        table.add_column(Text(), right=True)
    table.add_column(Text())
    most = max(counts.values())
    for (begin, end), count in sorted(counts.items()):
        table.add_row(
            duration(begin), f"- {duration(end)}", f"{count:,}", Text("█" * -(-longest * count // most), "blue")
        )
    return table
