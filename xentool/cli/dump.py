"""``xentool dump``: a trace, record by record."""

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import click

from traces.analyses.report import Report
from traces.exporters import dump, jsonl
from traces.table import EventTable
from xentool.cli import choosing, options
from xentool.cli.paint import paint
from xentool.tools import reports
from xentool.tools.exports import written
from xentool.tools.reports import STANDARD, Chosen


@click.command(epilog=choosing.CLASSES)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@choosing.choice()
@options.hz
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a record.")
def command(file: Path, chosen: Chosen, hz: float | None, as_json: bool) -> None:
    """Print the records of FILE in order of time, a line each; `-` reads stdin to its end first.

    Times are seconds since the first record. A record belongs to the domain and vCPU that ran when it was made.
    """

    def write(tables: Iterable[EventTable], report: Report, output: BinaryIO) -> None:
        if as_json:
            jsonl.write(tables, report, output)
        else:
            dump.write(tables, report, output, paint=paint())

    report = written(file, write, STANDARD, hz=hz, chosen=chosen, progress=lambda _done, _total: None)
    reports.raise_for_damage(report, str(file))
