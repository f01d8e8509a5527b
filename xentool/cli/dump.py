"""``xentool dump``: a trace, record by record."""

import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import click

from traces.analyses import where as filters
from traces.analyses.report import Report
from traces.analyses.where import Where
from traces.exporters import dump, jsonl
from traces.table import EventTable
from xentool.cli import options
from xentool.tools import reports
from xentool.tools.exports import STANDARD, written

#: The first class that a record has decides.
_COLOURS = {
    "exit": "magenta",
    "grant": "green",
    "evtchn": "green",
    "mm": "yellow",
    "trap": "red",
    "irq": "red",
    "io": "red",
    "hypercall": "cyan",
    "sched": "bright_black",
}


def _kinds(_context: click.Context, _parameter: click.Parameter, value: str | None) -> filters.Kinds | None:
    try:
        return filters.kinds(value) if value else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(epilog=options.CLASSES)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--domain", help="Only while this domain ran: its number, or its name where the capture tells names.")
@click.option("--vcpu", "vcpus", type=click.IntRange(min=0), multiple=True, help="Only this vCPU; may be repeated.")
@click.option("--pcpu", "pcpus", type=click.IntRange(min=0), multiple=True, help="Only this pCPU; may be repeated.")
@click.option(
    "-e",
    "--events",
    "kinds",
    callback=_kinds,
    metavar="NAMES",
    help="Only these: classes, events or hypercalls, as in hypercall,sched_switch. `!` takes away: '!sched'.",
)
@click.option("--from", "begin", type=click.FloatRange(min=0), metavar="SECONDS", help="Only from then on.")
@click.option("--to", "end", type=click.FloatRange(min=0), metavar="SECONDS", help="Only before then.")
@click.option(
    "--hz", type=click.FloatRange(min=1), help="The clock's rate, cycles per second.  [default: found in the trace]"
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a record.")
def command(
    file: Path,
    domain: str | None,
    vcpus: tuple[int, ...],
    pcpus: tuple[int, ...],
    kinds: filters.Kinds | None,
    begin: float | None,
    end: float | None,
    hz: float | None,
    as_json: bool,
) -> None:
    """Print the records of FILE in order of time, a line each; `-` reads stdin to its end first.

    Times are seconds since the first record.
    """
    where = Where(vcpus=frozenset(vcpus), pcpus=frozenset(pcpus), kinds=kinds, begin=begin or 0.0)
    if end is not None:
        where = replace(where, end=end)

    def write(tables: Iterable[EventTable], report: Report, output: BinaryIO) -> None:
        chosen = where if domain is None else replace(where, domid=reports.domid_of(report, domain))
        if as_json:
            jsonl.write(tables, report, output, chosen)
        else:
            dump.write(tables, report, output, where=chosen, paint=_paint if _coloured() else dump.plain)

    report = written(file, write, STANDARD, hz=hz, progress=lambda _done, _total: None)
    reports.raise_for_damage(report, str(file))


def _coloured() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _paint(text: str, classes: frozenset[str]) -> str:
    colour = next((colour for name, colour in _COLOURS.items() if name in classes), None)
    return click.style(text, fg=colour) if colour else text
