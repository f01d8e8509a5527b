"""What a running trace shows in place: time, rates, losses and the domain's busiest hypercalls."""

import sys
from collections import Counter
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Group, RenderableType
from rich.live import Live as RichLive
from rich.table import Table
from rich.text import Text

from xentool import output
from xentool.tools.trace import Sample

#: Seconds between two pictures: rates over less than that jump about.
_INTERVAL = 0.5
_BUSIEST = 8


class Live:
    """Shows samples on stderr while stdout is a terminal, else nothing."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._live: RichLive | None = None
        self._last = Sample(0.0, 0, 0, 0, Counter())

    def __enter__(self) -> Self:
        """Begin to show."""
        if sys.stdout.isatty() and sys.stderr.isatty():
            waiting = Text(f"Tracing {self._domain}: waiting for records. Ctrl-C ends it.", "dim")
            self._live = RichLive(waiting, console=output.stderr(), auto_refresh=False, transient=True)
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the picture away."""
        if self._live:
            self._live.stop()

    def show(self, sample: Sample) -> None:
        """Show how the trace goes, at most twice a second."""
        if self._live and sample.seconds - self._last.seconds >= _INTERVAL:
            self._live.update(picture(self._domain, sample, self._last), refresh=True)
            self._last = sample


def picture(domain: str, now: Sample, before: Sample) -> RenderableType:
    """Draw one moment; rates are those since ``before``."""
    span = now.seconds - before.seconds
    line = Text(f"Tracing {domain} for {now.seconds:.0f} s: {now.records:,} records", "bold")
    line.append(f", {(now.records - before.records) / span:,.0f}/s", "not bold")
    line.append(f", {(now.bytes - before.bytes) / span / 1e6:.1f} MB/s", "not bold")
    if now.lost_records:
        line.append(f", {now.lost_records:,} lost", "red")
    else:
        line.append(", none lost", "not bold dim")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("Hypercall")
    table.add_column("count", justify="right")
    table.add_column("per s", justify="right")
    for name, count in now.hypercalls.most_common(_BUSIEST):
        table.add_row(name, f"{count:,}", f"{(count - before.hypercalls[name]) / span:,.0f}")
    return Group(line, table, Text("Ctrl-C ends the trace and reports.", "dim"))
