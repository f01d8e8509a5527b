"""How often each event and hypercall was recorded of what is chosen, as ``strace -c`` counts system calls."""

from collections import Counter
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from traces.answers import Report
from traces.exporters.details import naming
from traces.exporters.fitted import Fitted
from traces.exporters.rows import Chooser, groups, is_declared, of_events, strangers
from traces.table import EventTable

#: A trace of Xen has some 200; a hostile one a new one with each record.
_ROWS = 300


def tally(tables: Iterable[EventTable], report: Report) -> Counter[str]:
    """Count chosen records by what they are called: hypercalls by their own names, all else by the event's.

    :param report: on the same trace, and what of it is wanted
    """
    names = naming(report)
    chooser = Chooser(report.where, report.clock.hz, account=report.account)
    found: Counter[str] = Counter()
    for part, _ in chooser.parts(tables):
        for group in groups(part, names, of_events(part, is_declared), ()):
            found[str(group.constants.get("hypercall", group.name))] += len(group.rows)
        found.update(strangers(part)[1])
    return found


def write(found: Counter[str], console: Console) -> None:
    """Write a table, the most frequent first."""
    whole = found.total()
    table = Fitted(lined=True)
    table.add_column(Text("Records", "bold cyan"), folds=True)
    for name in ("count", "%"):
        table.add_column(Text(name, "dim"), right=True)
    ordered = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    for name, count in ordered[:_ROWS]:
        table.add_row(name, f"{count:,}", f"{count / whole:.1%}")
    if len(ordered) > _ROWS:
        rest = sum(count for _, count in ordered[_ROWS:])
        table.add_row(f"{len(ordered) - _ROWS:,} other names", f"{rest:,}", f"{rest / whole:.1%}")
    table.add_row("in all", f"{whole:,}")
    console.print(table)
