"""``xentool dump``: a trace, record by record."""

import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import click

from traces.answers import Report
from traces.errors import SymbolError
from traces.exporters import dump, jsonl
from traces.exporters.words import duration
from traces.symbols import Symbols
from traces.table import EventTable
from traces.xen.formats.exits import Vendor
from xentool import output
from xentool.cli.commands import INTERRUPTED
from xentool.cli.common import choosing, doubts, options
from xentool.cli.common.paint import paint
from xentool.cli.screens.follow import Follow
from xentool.errors import PeerError, XentoolError
from xentool.tools.tracing import beside, pipes, reports
from xentool.tools.tracing.exports import written
from xentool.tools.tracing.reports import STANDARD, Chosen, Reading

_WALL_MAX = 3
#: Linux's with all its modules are a tenth of that.
_SYMBOLS_BYTES_MAX = 64 << 20


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
@click.option(
    "-t",
    "wall",
    count=True,
    help="Print the wall clock of the host that recorded, as strace does: -t the time of day, -tt with microseconds, "
    "-ttt seconds since the epoch; with --json any of them adds unix_ns.",
)
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
    domain and vCPU that ran when it was made.
    """
    if wall > _WALL_MAX:
        raise click.UsageError("-t is given up to three times")
    if wall and file == STANDARD:
        raise click.UsageError(f"-{'t' * wall} needs a file: what stdin gives does not tell when it was recorded")
    reading = Reading(chosen, hz, xen_version, vendor)
    symbols = None if symbol_file is None else _symbols(symbol_file)
    if file == STANDARD and not sys.stdin.seekable():
        with pipes.interruptible(sys.stdin.buffer) as piped:  # type: ignore[arg-type] # a BufferedReader, always
            follow = Follow(paint(), as_json=as_json, symbols=symbols)
            report = pipes.follow(piped, reading, follow.show)
        if piped.interrupted:
            click.get_current_context().exit(INTERRUPTED)
        doubts.tell(report)
        reports.raise_for_damage(report, "standard input")
        return

    def write(tables: Iterable[EventTable], report: Report, output: BinaryIO) -> None:
        stamp = _stamp(report, file, wall) if wall else None
        if as_json:
            jsonl.write(tables, report, output, symbols=symbols, wall=bool(wall))
        else:
            dump.write(tables, report, output, paint=paint(), symbols=symbols, stamp=stamp)

    report = written(file, write, STANDARD, reading, whole=True, progress=lambda _done, _total: None)
    doubts.tell(report)
    reports.raise_for_damage(report, str(file))


def _stamp(report: Report, file: Path, detail: int) -> dump.Stamp:
    recorded = report.recorded
    if recorded is None:
        raise XentoolError(
            f"nobody noted when {file} was recorded, as `xentool record` does beside it: leave out -{'t' * detail}"
        )
    error = duration(recorded.error_ns / 1e9, 2)
    output.say(f"the first record is of {recorded.text(spec='microseconds')} by dom0's clock, give or take {error}")
    return dump.wall_stamps(recorded, detail)


def _symbols(path: Path) -> Symbols:
    try:
        # A shell makes a pipe of <(zcat System.map.gz).
        data = beside.contents(path, _SYMBOLS_BYTES_MAX, pipes=True)
    except FileNotFoundError as error:
        raise XentoolError(f"cannot read {path}: {error.strerror}") from error
    try:
        # Line by line, since each takes more memory than it has bytes.
        symbols = Symbols(io.TextIOWrapper(io.BytesIO(data), "ascii", "replace"))
    except SymbolError as error:
        raise PeerError(f"{path} names no functions: {error}") from error
    if symbols.unread:
        output.say(f"lines of {path} that are no symbols: {symbols.unread}")
    return symbols
