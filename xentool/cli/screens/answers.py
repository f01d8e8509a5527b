"""Answers to questions in SQL."""

import csv
import json
import sys
from collections.abc import Sequence
from itertools import islice
from numbers import Number

import click
from rich.text import Text

from traces.exporters.fitted import Fitted
from traces.foreign import printable
from xentool import output as consoles
from xentool.tools.tracing.queries import Database, QueryResult

#: More rows than this are for a program, not for a screen.
_SCREEN_ROWS = 1000


def write(answer: QueryResult, *, as_json: bool) -> None:
    """Show rows: JSON lines, a table on a terminal, CSV elsewhere."""
    if as_json:
        for row in answer.rows:
            click.echo(json.dumps(dict(zip(answer.columns, row, strict=True)), default=str))
    elif sys.stdout.isatty():
        consoles.stdout().print(table(answer.columns, list(islice(answer.rows, _SCREEN_ROWS))))
        if next(answer.rows, None) is not None:
            consoles.say(f"more than {_SCREEN_ROWS} rows; a pipe or --json gets them all")
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(answer.columns)
        writer.writerows(answer.rows)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Fitted:
    """Make a table of rows: numbers on the right, and NULL told from text that is empty."""
    made = Fitted()
    for place, name in enumerate(columns):
        number = any(isinstance(row[place], Number) and not isinstance(row[place], bool) for row in rows)
        made.add_column(Text(printable(name)), right=number, folds=not number)
    for row in rows:
        made.add_row(*map(_cell, row))
    return made


def _cell(value: object) -> Text:
    return Text("NULL", "dim italic") if value is None else Text(printable(str(value)))


def describe(database: Database, examples: Sequence[str], *, as_json: bool) -> None:
    """Show what tables there are; to people, also what may be asked for example."""
    for name, meaning, columns in database.tables():
        if as_json:
            click.echo(json.dumps({"table": name, "meaning": meaning, "columns": dict(columns)}))
        else:
            consoles.line(f"{name}: {meaning}")
            for column, kind in columns:
                consoles.line(f"  {column:<14} {'text' if kind.startswith('ENUM') else kind.lower()}")
    if examples and not as_json:
        consoles.line("examples:")
        for example in examples:
            consoles.line(f"  {example}")
