"""What ``xentool dump`` prints, of a file or as it comes."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

import click

from traces.answers import Report
from traces.exporters import dump, jsonl, tally
from traces.kvm.table import RecordTable
from traces.table import EventTable
from xentool import output as consoles
from xentool.cli.commands import INTERRUPTED
from xentool.cli.common import awaited, doubts, wall_clock
from xentool.cli.common.paint import paint
from xentool.cli.screens.follow import Follow
from xentool.errors import XentoolError
from xentool.tools import outputs
from xentool.tools.tracing import kvm, packed, pipes, reports, symbols
from xentool.tools.tracing.exports import written
from xentool.tools.tracing.kvm import Known
from xentool.tools.tracing.reports import STANDARD, Reading


def show(file: Path, reading: Reading, symbol_file: Path | None, *, wall: int, count: bool, as_json: bool) -> None:
    """Print a trace's records, or how many of each kind there are.

    :param symbol_file: of the guest's kernel
    :param wall: how often -t was given
    :raises XentoolError: it cannot be read, or is not of Xen where that matters
    """
    awaited.told(file)
    functions = None if symbol_file is None else symbols.read(symbol_file)
    if functions and functions.unread:
        consoles.say(f"lines of {symbol_file} that are no symbols: {functions.unread}")

    def of_kvm(tables: Iterator[RecordTable], known: Known, output: BinaryIO) -> None:
        if count:
            raise XentoolError(
                "KVM's records are counted by `xentool sql FILE`: select name, count(*) from events group by 1"
            )
        if functions or wall:
            raise XentoolError("KVM's traces are listed without --symbols and -t: leave them out")
        from traces.exporters.kvm import lines  # noqa: PLC0415 - few traces are of KVM

        (lines.write if as_json else lines.write_text)(tables, known.named, output)

    if file == STANDARD and not sys.stdin.seekable():
        if count:
            raise click.UsageError("--count reads a trace twice: give a file")
        with ExitStack() as stack, pipes.interruptible(sys.stdin.buffer) as piped:  # type: ignore[arg-type] # a BufferedReader, always
            comes = packed.pipe(piped, "standard input")
            if kvm.comes(comes):
                settled = cast(BufferedReader, stack.enter_context(kvm.settled(comes, "standard input")))
                stack.enter_context(outputs.orderly_end())
                known = kvm.read(settled, "standard input", reading, whole=True)
                of_kvm(kvm.tables(settled, known), known, sys.stdout.buffer)
                report = known.report
            else:
                follow = Follow(paint(), as_json=as_json, symbols=functions)
                report = pipes.follow(comes, piped.end, reading, follow.show)
        if piped.interrupted:
            click.get_current_context().exit(INTERRUPTED)
        doubts.tell(report)
        reports.raise_for_damage(report, "standard input")
        return

    def write(tables: Iterable[EventTable], report: Report, output: BinaryIO) -> None:
        if count:
            tally.write(tally.tally(tables, report), consoles.stdout())
            return
        stamp = wall_clock.stamp(report, file, wall) if wall else None
        if as_json:
            jsonl.write(tables, report, output, symbols=functions, wall=bool(wall))
        else:
            dump.write(tables, report, output, paint=paint(), symbols=functions, stamp=stamp)

    report = written(file, write, STANDARD, reading, whole=True, progress=lambda _done, _total: None, of_kvm=of_kvm)
    doubts.tell(report)
    reports.raise_for_damage(report, str(file))
