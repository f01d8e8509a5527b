"""One moment of a running trace, and the line that says how it goes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.text import Text

from traces.analyses.report import DomainInfo
from traces.analyses.sofar import SoFar
from traces.choice.where import EVERYTHING, Where
from traces.foreign import printable
from traces.plural import plural
from xentool.tools.tracing.watched import Watched

_LEAST_S = 1e-3


@dataclass(frozen=True)
class Moment:
    """A moment: seconds since records began, what came so far, and what it shows."""

    seconds: float = 0.0
    bytes: int = 0
    records: int = 0
    lost_records: int = 0
    shown: SoFar = field(default_factory=SoFar)
    where: Where = EVERYTHING
    infos: Mapping[int, DomainInfo] = field(default_factory=dict)
    source: str = "xentrace"

    def count(self, kind: str, name: str) -> int:
        """How often something was done so far.

        :param kind: "hypercalls" or "exits"
        """
        found = getattr(self.shown, kind).get(name)
        return found.count if found else 0

    def who(self, domid: int) -> str:
        """Name a domain as a report does."""
        info = self.infos.get(domid)
        return printable((info and info.name) or f"d{domid}")

    def mode(self) -> str | None:
        """Give the mode of the domain that is traced, as far as the host knows it."""
        info = None if self.where.domid is None else self.infos.get(self.where.domid)
        return info.mode if info else None


def sample(running: Watched) -> Moment:
    """Take a sample."""
    return Moment(
        running.seconds, *running.counts(), running.so_far(), running.where, running.infos, source=running.source
    )


def between(before: Moment, now: Moment) -> float:
    """Give the seconds between two moments, of which rates are told: never none."""
    return max(now.seconds - before.seconds, _LEAST_S)


def heading(domain: str, now: Moment, before: Moment) -> Text:
    """Say how the trace goes; rates are those since ``before``."""
    span = between(before, now)
    domid = now.where.domid
    named = printable(domain) if domid is None or domid not in now.infos else now.who(domid)
    line = Text(f"Tracing {named} for {now.seconds:.0f} s: {plural(now.records, 'record')}", "bold")
    line.append(f", {(now.records - before.records) / span:,.0f}/s", "not bold")
    line.append(f", {(now.bytes - before.bytes) / span / 1e6:.1f} MB/s", "not bold")
    if now.lost_records:
        lost = now.lost_records - before.lost_records
        line.append(f", {now.lost_records:,} lost ({lost / span:,.0f}/s)", "red")
    else:
        line.append(", none lost", "not bold dim")
    return line
