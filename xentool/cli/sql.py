"""``xentool sql``: questions to a trace."""

import re
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from traces.xen.formats.exits import Vendor
from xentool import output as consoles
from xentool.cli.common import awaited, choosing, doubts, options
from xentool.cli.screens import answers
from xentool.tools.tracing import reports
from xentool.tools.tracing.queries import opened
from xentool.tools.tracing.reports import Chosen, Reading
from xentool.tools.tracing.views import KVM_MEANINGS, MEANINGS

#: Xen's traces answer them, and KVM's.
_EXAMPLES = (
    "select name, count(*) from events group by 1 order by 2 desc",
    "select domid, state, sum(duration_ns) / 1e6 as ms from runstates group by all order by 3 desc",
    "select ns, pcpu, domid, name from events where ns between 5000000 and 6000000",
)
_EPILOG = "\b\n" + "\n".join(
    [
        "Tables (--tables lists their columns):",
        *(f"  {name:<10}  {re.split('[;,]', meaning)[0]}" for name, meaning in MEANINGS.items()),
        "",
        "\b",
        f"Of KVM's traces: {', '.join(KVM_MEANINGS)}.",
        "",
        "\b",
        "Examples:",
        *(f'  xentool sql domU.xentrace "{example}"' for example in _EXAMPLES),
    ]
)


@click.command(epilog=_EPILOG)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.argument("query", required=False)
@click.option("--tables", is_flag=True, help="List the tables with their columns and types.")
@choosing.choice(slower=False)
@options.hz
@options.vendor
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a row.")
def command(
    file: Path,
    query: str | None,
    tables: bool,
    chosen: Chosen,
    hz: float | None,
    vendor: Vendor | None,
    as_json: bool,
) -> None:
    """Ask FILE a question in SQL (DuckDB's).

    FILE is an xentrace file, a trace.dat or perf.data of KVM, `-`, what `export --format parquet` wrote, or the folder
    that `fleet convert` wrote: `events` of all captures then have `host`, `day` and `capture`.

    The answer is a table on a terminal, and CSV with a heading in a pipe. Times are nanoseconds since the first record.
    Without QUERY it is read from stdin; where that is a terminal, what can be asked is listed, with examples.
    """
    if query is not None and tables:
        raise click.UsageError("give either a QUERY or --tables")
    if query is None and not tables:
        query = _read(file)
    awaited.told(file)
    with ExitStack() as stack:
        with consoles.progress(f"reading {file}") as progress:
            reading = Reading(chosen, hz=hz, vendor=vendor)
            database = stack.enter_context(opened(file, reading=reading, progress=progress))
        if query is None:
            answers.describe(database, [] if tables else _EXAMPLES, as_json=as_json)
        else:
            answers.write(database.ask(query), as_json=as_json)
        if database.report is not None:
            doubts.tell(database.report)
            reports.raise_for_damage(database.report, str(file))


def _read(file: Path) -> str | None:
    # A query from stdin; None where nobody sends one.
    if file == reports.STANDARD or sys.stdin.isatty():
        return None
    return sys.stdin.read().strip() or None
