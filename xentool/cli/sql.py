"""``xentool sql``: questions to a trace."""

import csv
import json
import re
import sys
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import click
from rich import box
from rich.table import Table
from rich.text import Text

from traces.foreign import printable
from traces.xen.formats.exits import Vendor
from xentool import output as consoles
from xentool.cli.common import doubts, options
from xentool.tools.tracing import reports
from xentool.tools.tracing.queries import MEANINGS, Answer, Database, opened
from xentool.tools.tracing.reports import Chosen, Reading

#: More rows than this are for a program, not for a screen.
_SCREEN_ROWS = 1000
_EXAMPLE = "select hypercall, count(*) from hypercalls group by 1 order by 2 desc"
_EPILOG = "\b\n" + "\n".join(
    [
        "Tables (--tables lists their columns):",
        *(f"  {name:<10}  {re.split('[;,]', meaning)[0]}" for name, meaning in MEANINGS.items()),
        "",
        "\b",
        "Example:",
        f'  xentool sql domU.xentrace "{_EXAMPLE}"',
    ]
)


@click.command(epilog=_EPILOG)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.argument("query", required=False)
@click.option("--tables", is_flag=True, help="List the tables with their columns and types.")
@options.names
@options.hz
@options.vendor
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a row.")
def command(
    file: Path,
    query: str | None,
    tables: bool,
    names: tuple[tuple[int, str], ...],
    hz: float | None,
    vendor: Vendor | None,
    as_json: bool,
) -> None:
    """Ask FILE a question in SQL (DuckDB's): FILE is an xentrace file, `-`, or what `export --format parquet` wrote.

    The answer is a table on a terminal, and CSV with a heading in a pipe. Times are nanoseconds since the first record.
    """
    if (query is None) != tables:
        raise click.UsageError("give either a QUERY or --tables")
    with ExitStack() as stack:
        with consoles.progress(f"reading {file}") as progress:
            reading = Reading(Chosen(names=names), hz=hz, vendor=vendor)
            database = stack.enter_context(opened(file, reading=reading, progress=progress))
        if query is None:
            _describe(database, as_json=as_json)
        else:
            _write(database.ask(query), as_json=as_json)
        if database.report is not None:
            doubts.tell(database.report)
            reports.raise_for_damage(database.report, str(file))


def _write(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        for row in answer.rows:
            click.echo(json.dumps(dict(zip(answer.columns, row, strict=True)), default=str))
    elif sys.stdout.isatty():
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for column in answer.columns:
            table.add_column(_cell(column))
        for row in islice(answer.rows, _SCREEN_ROWS):
            table.add_row(*map(_cell, row))
        consoles.stdout().print(table)
        if next(answer.rows, None) is not None:
            consoles.say(f"more than {_SCREEN_ROWS} rows; a pipe or --json gets them all")
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(answer.columns)
        writer.writerows(answer.rows)


def _cell(value: object) -> Text:
    return Text("" if value is None else printable(str(value)))


def _describe(database: Database, *, as_json: bool) -> None:
    for name, meaning, columns in database.tables():
        if as_json:
            click.echo(json.dumps({"table": name, "meaning": meaning, "columns": dict(columns)}))
        else:
            consoles.line(f"{name}: {meaning}")
            for column, kind in columns:
                consoles.line(f"  {column:<14} {'text' if kind.startswith('ENUM') else kind.lower()}")
