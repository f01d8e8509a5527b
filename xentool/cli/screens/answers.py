"""Answers to questions in SQL."""

import csv
import json
import sys
from itertools import islice

import click
from rich import box
from rich.table import Table
from rich.text import Text

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


def describe(database: Database, *, as_json: bool) -> None:
    """Show what tables there are."""
    for name, meaning, columns in database.tables():
        if as_json:
            click.echo(json.dumps({"table": name, "meaning": meaning, "columns": dict(columns)}))
        else:
            consoles.line(f"{name}: {meaning}")
            for column, kind in columns:
                consoles.line(f"  {column:<14} {'text' if kind.startswith('ENUM') else kind.lower()}")
