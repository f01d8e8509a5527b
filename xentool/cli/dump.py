"""``xentool dump``: a trace, record by record."""

import sys
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

import click

from traces.answers import Report
from traces.choice.where import EVERYTHING
from traces.exporters import dump, jsonl
from traces.table import EventTable
from traces.xen.formats.exits import Vendor
from xentool import output
from xentool.cli.commands import INTERRUPTED
from xentool.cli.common import choosing, doubts, options, wall_clock
from xentool.cli.common.paint import paint
from xentool.cli.screens.follow import Follow
from xentool.errors import XentoolError
from xentool.tools import outputs
from xentool.tools.tracing import kvm, pipes, reports, symbols
from xentool.tools.tracing.exports import written
from xentool.tools.tracing.reports import STANDARD, Chosen, Reading


@click.command(epilog=choosing.CLASSES)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@choosing.choice()
@options.hz
@options.xen_version
@options.vendor
@click.option(
    "--symbols",
    "symbol_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Name the functions that a guest was in, by its kernel's System.map or /proc/kallsyms.",
)
@wall_clock.option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a record.")
def command(
    file: Path,
    chosen: Chosen,
    hz: float | None,
    xen_version: str | None,
    vendor: Vendor | None,
    symbol_file: Path | None,
    wall: int,
    as_json: bool,
) -> None:
    """Print the records of FILE in order of time, a line each; `-` reads stdin, and prints while records come.

    FILE may be compressed by gzip, xz, bzip2 or zstd. Times are seconds since the first record. A record belongs to the
    domain and vCPU that ran when it was made. Of a trace.dat of trace-cmd, which is about KVM, a domain can be chosen.
    """
    wall_clock.check(wall, file)
    reading = Reading(chosen, hz, xen_version, vendor)
    functions = None if symbol_file is None else symbols.read(symbol_file)
    if functions and functions.unread:
        output.say(f"lines of {symbol_file} that are no symbols: {functions.unread}")
    if file != STANDARD and kvm.is_file(file):
        with reports.opened(file, linux=True) as source:
            _of_kvm(cast(BufferedReader, source), file, chosen, as_json=as_json)
        return
    if file == STANDARD and not sys.stdin.seekable():
        with pipes.interruptible(sys.stdin.buffer) as piped:  # type: ignore[arg-type] # a BufferedReader, always
            follow = Follow(paint(), as_json=as_json, symbols=functions)
            report = pipes.follow(piped, reading, follow.show)
        if piped.interrupted:
            click.get_current_context().exit(INTERRUPTED)
        doubts.tell(report)
        reports.raise_for_damage(report, "standard input")
        return

    def write(tables: Iterable[EventTable], report: Report, output: BinaryIO) -> None:
        stamp = wall_clock.stamp(report, file, wall) if wall else None
        if as_json:
            jsonl.write(tables, report, output, symbols=functions, wall=bool(wall))
        else:
            dump.write(tables, report, output, paint=paint(), symbols=functions, stamp=stamp)

    report = written(file, write, STANDARD, reading, whole=True, progress=lambda _done, _total: None)
    doubts.tell(report)
    reports.raise_for_damage(report, str(file))


def _of_kvm(source: BufferedReader, file: Path, chosen: Chosen, *, as_json: bool) -> None:
    if chosen.where != EVERYTHING or chosen.names:
        raise XentoolError(
            f"{file} is a trace of KVM, of which only a domain can be chosen: leave out the other options"
        )
    with outputs.orderly_end():
        stdout = sys.stdout.buffer
        report = kvm.dump(
            source, str(file), lambda line: stdout.write(line.encode()), as_json=as_json, domain=chosen.domain
        )
    reports.raise_for_damage(report, str(file))
