"""``xentool dump``: a trace, record by record."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import click

from traces.analyses.report import Report
from traces.exporters import dump, jsonl
from traces.table import EventTable
from xentool.cli import INTERRUPTED, choosing, options
from xentool.cli.follow import Follow
from xentool.cli.paint import paint
from xentool.tools import pipes, reports
from xentool.tools.exports import written
from xentool.tools.reports import STANDARD, Chosen


@click.command(epilog=choosing.CLASSES)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@choosing.choice()
@options.hz
@options.xen_version
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a record.")
def command(file: Path, chosen: Chosen, hz: float | None, xen_version: str | None, as_json: bool) -> None:
    """Print the records of FILE in order of time, a line each; `-` reads stdin, and prints while records come.

    Times are seconds since the first record. A record belongs to the domain and vCPU that ran when it was made.
    """
    if file == STANDARD and not sys.stdin.seekable():
        with pipes.interruptible(sys.stdin.buffer) as piped:  # type: ignore[arg-type] # a BufferedReader, always
            report = pipes.follow(piped, chosen, Follow(paint(), as_json=as_json).show, hz=hz, xen_version=xen_version)
        if piped.interrupted:
            click.get_current_context().exit(INTERRUPTED)
        reports.raise_for_damage(report, "standard input")
        return

    def write(tables: Iterable[EventTable], report: Report, output: BinaryIO) -> None:
        if as_json:
            jsonl.write(tables, report, output)
        else:
            dump.write(tables, report, output, paint=paint())

    report = written(
        file,
        write,
        STANDARD,
        hz=hz,
        xen_version=xen_version,
        chosen=chosen,
        brief=True,
        progress=lambda _done, _total: None,
    )
    reports.raise_for_damage(report, str(file))
