"""``xentool export``: a trace file in formats that other tools read."""

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from xentool import output as consoles
from xentool.cli.common import awaited, choosing, doubts, options
from xentool.tools.tracing import reports
from xentool.tools.tracing.exports import FORMATS, default_output, export
from xentool.tools.tracing.reports import STANDARD, Chosen, Reading

if TYPE_CHECKING:
    from traces.xen.formats.exits import Vendor


@click.command(epilog=choosing.CLASSES)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--format",
    "name",
    type=click.Choice(list(FORMATS)),
    required=True,
    help="perfetto: a timeline for ui.perfetto.dev; parquet, csv: a table; jsonl: a JSON object a record; "
    "folded: vCPUs' time as stacks for flame graphs.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="OUT",
    help="Where it goes; - is standard output.  [default: FILE with the format's suffix]",
)
@choosing.choice()
@options.hz
@options.xen_version
@options.vendor
def command(
    file: Path,
    name: str,
    output: Path | None,
    chosen: Chosen,
    hz: float | None,
    xen_version: str | None,
    vendor: "Vendor | None",
) -> None:
    """Convert FILE, the output of xentrace or of `xentool record`; `-` reads stdin.

    Run states and VM exits (perfetto, folded) are drawn where -e leaves `sched` and `exit`; --pcpu leaves of run states
    the running ones, and --from and --to the part in between; --slower-than leaves waits and VM exits that were slow.

    FILE may be compressed by gzip, xz, bzip2 or zstd. Damage in it does not stop the export: what can be decoded is
    written, and the exit code is then 4. It may also be a trace.dat or perf.data of KVM, whose table has the fields of
    its own events.
    """
    kind = FORMATS[name]
    if name == "folded" and chosen.where.slower:
        raise click.UsageError("folded adds up all time, so --slower-than has nothing to leave out")
    target = output or default_output(file, kind)
    if target == STANDARD and not kind.streams:
        raise click.UsageError(f"{name} cannot go to standard output; give a file with -o")
    if target == STANDARD and not kind.text and sys.stdout.isatty():
        raise click.UsageError(f"{name} is binary; redirect it or give a file with -o")
    awaited.told(file)
    # On a terminal that shows the data, progress would get in between.
    with consoles.progress(f"{file} → {target}", hidden=target == STANDARD) as progress:
        report = export(file, kind, target, Reading(chosen, hz, xen_version, vendor), progress=progress)
    # Whoever gave no name is told it; a script knows it, or asks for one.
    if output is None and sys.stderr.isatty():
        consoles.say(f"{target} is written")
    # As ``report`` does: the process ends, and much was loaded.
    gc.freeze()
    doubts.tell(report)
    reports.raise_for_damage(report, str(file))
