"""What differs between two groups of captures, as text and as the document ``xentool.fleet.diff/1``."""

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from traces.analyses.compare import CHANCE
from traces.analyses.fleet.between import CAPTURES_MIN, Between
from traces.analyses.fleet.digest import CAPTURE, Whose
from traces.analyses.fleet.took import Took
from traces.exporters.cells import DOMAINS_MAX, ROWS_MAX, busiest
from traces.exporters.differences import SCALES, TITLES, table
from traces.exporters.fleet import Failed, failures, source, write_failed
from traces.foreign import printable
from traces.plain import frozen
from traces.plural import plural

SCHEMA = "xentool.fleet.diff/1"
#: What is compared of captures besides.
_TITLES = {**TITLES, "latencies": "p99 of waits, µs", "records": "Records, % of all"}
_SCALES = {**SCALES, "records": 100.0}


@frozen
class Differences:
    """The answer for two groups: ``captures`` of each, and domains that too few of one of them have."""

    captures: tuple[int, int]
    domains: tuple[Between, ...]
    few: tuple[Whose, ...]
    failed: tuple[Failed, ...]
    took: Took


def document(found: Differences) -> dict[str, Any]:
    """Make the document."""
    return {
        "schema": SCHEMA,
        "before": found.captures[0],
        "after": found.captures[1],
        "domains": [
            {
                "name": one.whose.name or None,
                "source": one.whose.source or None,
                "before": one.before,
                "after": one.after,
                "changes": [asdict(change) for change in one.changes],
                "alike": one.alike,
            }
            for one in found.domains
        ],
        "few": list(dict.fromkeys(one.name for one in found.few)),
        "failed": failures(found.failed),
        "interrupted": found.took.interrupted,
        "seconds": {"start": found.took.start_s, "work": found.took.work_s},
    }


def write(found: Differences, console: Console) -> None:
    """Write the text."""
    before, after = (plural(count, "capture") for count in found.captures)
    console.print(Text(f"A: {before}, B: {after}\n"))
    if found.took.interrupted:
        console.print(Text("Interrupted: this is about what was read until then.\n", "yellow"))
    for one in busiest(found.domains, lambda of: len(of.changes), DOMAINS_MAX):
        _write(one, console)
    if len(found.domains) > DOMAINS_MAX:
        console.print(Text(f"and {plural(len(found.domains) - DOMAINS_MAX, 'domain')} more (--json)\n", "dim"))
    if found.few:
        named = ", ".join(_name(one) for one in found.few[:ROWS_MAX] if one != CAPTURE)
        more = f" and {len(found.few) - ROWS_MAX:,} more" if len(found.few) > ROWS_MAX else ""
        console.print(Text(f"In fewer than {CAPTURES_MIN} captures of A or B, and not compared: {named}{more}"))
    write_failed(found.failed, console)
    note = (
        "B - A with its 95 % interval, over captures: each counts once, however long it is; about "
        f"{CHANCE:.0%} of what is told may be chance."
    )
    console.print(Text(note, "dim"))


def _write(one: Between, console: Console) -> None:
    title = f"Domain {_name(one.whose)}" if one.whose != CAPTURE else "Captures"
    console.print(Text(title, "bold").append(f" (in {one.before:,} of A, {one.after:,} of B)", "not bold"))
    if not one.changes:
        alike = f"no difference in {plural(one.alike, 'measure')}" if one.alike else "nothing that compares"
        console.print(Text(f"  {alike}\n"))
        return
    for kind, heading in _TITLES.items():
        changes = [change for change in one.changes if change.kind == kind]
        if changes:
            console.print(table(heading, changes[:ROWS_MAX], _SCALES.get(kind, 1.0)))
            if len(changes) > ROWS_MAX:
                console.print(Text(f"  and {len(changes) - ROWS_MAX:,} more (--json)", "dim"))
    console.print(Text(f"  {one.alike} other measures differ by no more than by chance\n"))


def _name(one: Whose) -> str:
    # Of what Xen traces nobody need be told so.
    return printable(one.name) + ("" if one.source == "xentrace" else f" ({source(one.source)})")
