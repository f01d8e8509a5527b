"""One moment of a running trace, and the line that says how it goes."""

from dataclasses import dataclass, field

from rich.text import Text

from traces.analyses.sofar import SoFar, so_far
from xentool.tools.trace import Running


@dataclass(frozen=True)
class Sample:
    """A moment: seconds since records began, what came so far, and what it shows."""

    seconds: float = 0.0
    bytes: int = 0
    records: int = 0
    lost_records: int = 0
    shown: SoFar = field(default_factory=SoFar)

    def count(self, kind: str, name: str) -> int:
        """How often something was done so far.

        :param kind: "hypercalls", "exits" or "notifications"
        """
        found = getattr(self.shown, kind).get(name)
        return found.count if found else 0


def sample(running: Running) -> Sample:
    """Take a sample."""
    account = running.scan.account
    shown = so_far(running.scan, running.where, running.hz, running.exits)
    return Sample(running.seconds, account.bytes, account.records, account.lost_records, shown)


def heading(domain: str, now: Sample, before: Sample) -> Text:
    """Say how the trace goes; rates are those since ``before``."""
    span = max(now.seconds - before.seconds, 1e-3)
    line = Text(f"Tracing {domain} for {now.seconds:.0f} s: {now.records:,} records", "bold")
    line.append(f", {(now.records - before.records) / span:,.0f}/s", "not bold")
    line.append(f", {(now.bytes - before.bytes) / span / 1e6:.1f} MB/s", "not bold")
    if now.lost_records:
        lost = now.lost_records - before.lost_records
        line.append(f", {now.lost_records:,} lost ({lost / span:,.0f}/s)", "red")
    else:
        line.append(", none lost", "not bold dim")
    return line
