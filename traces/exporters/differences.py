"""What differs between two traces, as text and as the document ``xentool.diff/1``.

``{"schema", "before", "after", "domains": [{"before": domid, "after": domid, "name", "alike": int, "changes":
[{"kind", "name", "before", "after", "low", "high", "p"}]}], "unmatched": {"before": [domid], "after": [domid]},
"not_compared": [kind]}``:
means over time in 1/s, for run states as a share, for latencies in seconds; ``low`` to ``high`` is the 95 % interval
of ``after - before``.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from traces.analyses.compare import CHANCE, Change, DomainChanges
from traces.exporters.cells import DOMAINS_MAX, ROWS_MAX, busiest
from traces.exporters.fitted import Fitted
from traces.exporters.words import ASSUMED
from traces.foreign import printable
from traces.plural import plural

SCHEMA = "xentool.diff/1"
#: What each kind of changes is called, in the order in which they are told.
TITLES = {
    "exits": "VM exits per s",
    "grants": "Grants per s",
    "hypercalls": "Hypercalls per s",
    "runstates": "Run states, % of time",
    "latencies": "Mean times, µs",
}


#: By which values are shown.
SCALES = {"runstates": 100.0, "latencies": 1e6}


@dataclass(frozen=True)
class Differences:
    """The answer for two traces, by their names; domids that have no counterpart are ``unmatched``."""

    before: str
    after: str
    domains: Sequence[DomainChanges]
    unmatched: tuple[Sequence[int], Sequence[int]]
    #: Whether nobody says how fast their clocks tick.
    assumed: tuple[bool, bool] = (False, False)
    #: Kinds of measures that are left out, since Xen's and KVM's are not the same things.
    not_compared: Sequence[str] = ()


def document(found: Differences) -> dict[str, Any]:
    """Make the document."""
    return {
        "schema": SCHEMA,
        "before": found.before,
        "after": found.after,
        "domains": [asdict(domain) for domain in found.domains],
        "unmatched": {"before": list(found.unmatched[0]), "after": list(found.unmatched[1])},
        "not_compared": list(found.not_compared),
    }


def write(found: Differences, console: Console) -> None:
    """Write the text."""
    console.print(Text(f"A is {printable(found.before)}, B is {printable(found.after)}\n"))
    for domain in busiest(found.domains, lambda one: len(one.changes), DOMAINS_MAX):
        title = f" {printable(domain.name)}" if domain.name else ""
        ids = f"domid {domain.before}" if domain.before == domain.after else f"domid {domain.before} → {domain.after}"
        console.print(Text(f"Domain{title}", "bold").append(f" ({ids})", "not bold"))
        if not domain.changes:
            console.print(f"  no difference in {domain.alike} measures\n")
            continue
        for kind, heading in TITLES.items():
            changes = [change for change in domain.changes if change.kind == kind]
            if changes:
                # Shares are right whatever the clock's rate.
                marks = ("", "") if kind == "runstates" else _marks(found.assumed)
                console.print(table(heading, changes[:ROWS_MAX], SCALES.get(kind, 1.0), marks))
                if len(changes) > ROWS_MAX:
                    console.print(f"  and {len(changes) - ROWS_MAX:,} more (--json)", style="dim")
        console.print(f"  {domain.alike} other measures differ by no more than by chance\n")
    if len(found.domains) > DOMAINS_MAX:
        console.print(
            f"and {plural(len(found.domains) - DOMAINS_MAX, 'domain')} more (--json, --domain)\n", style="dim"
        )
    for side, domids in zip("AB", found.unmatched, strict=True):
        if domids:
            more = f" and {len(domids) - ROWS_MAX:,} more" if len(domids) > ROWS_MAX else ""
            console.print(f"Only in {side}: {', '.join(f'domid {domid}' for domid in domids[:ROWS_MAX])}{more}")
    if all(found.unmatched):
        one, other = (domids[0] for domids in found.unmatched)
        console.print(Text(f"--domain {one}:{other} compares these two.", "dim"))
    if found.not_compared:
        console.print(
            "One is of Xen and one of KVM: run states and waits for a processor are compared; VM exits and hypercalls, "
            "which each has of its own, and grants are not."
        )
    note = f"B - A with its 95 % interval, over slices of time; about {CHANCE:.0%} of what is told may be chance."
    console.print(Text(note, "dim"))
    if any(found.assumed) and any(domain.changes for domain in found.domains):
        sides = " and ".join(side for side, assumed in zip("AB", found.assumed, strict=True) if assumed)
        console.print(Text(f"{ASSUMED}: the rate of the clock is assumed, of {sides}; --hz sets it.", "dim"))


def _marks(assumed: tuple[bool, bool]) -> tuple[str, str]:
    one, other = (ASSUMED if of else "" for of in assumed)
    return one, other


def table(heading: str, changes: Sequence[Change], scale: float, marks: tuple[str, str] = ("", "")) -> Fitted:
    """Give the table of one kind of changes.

    :param scale: of the values that are shown
    :param marks: before those of A and of B
    """
    made = Fitted(lined=True)
    made.add_column(Text(heading), folds=True)
    for rank, column in enumerate(("A", "B", "B - A", "95 % interval", "B / A")):
        made.add_column(Text(column), right=True, rank=rank)
    for one in changes:
        values = [f"{mark}{_number(of * scale)}" for mark, of in zip(marks, (one.before, one.after), strict=True)]
        signed = [f"{max(marks)}{_number(of * scale, sign='+')}" for of in (one.difference, one.low, one.high)]
        made.add_row(printable(one.name), *values, signed[0], f"{signed[1]} to {signed[2]}", _ratio(one, max(marks)))
    return made


def _number(value: float, sign: str = "") -> str:
    return f"{value:{sign},.0f}" if abs(value) >= 100 else f"{value:{sign},.1f}"


def _ratio(change: Change, mark: str) -> str:
    if not change.before:
        return "new"
    if not change.after:
        return "gone"
    return f"{mark}{change.after / change.before:.2f} times"
