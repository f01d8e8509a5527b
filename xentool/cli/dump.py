"""``xentool dump``: a trace, record by record."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from xentool.cli.common import choosing, options, wall_clock
from xentool.tools.tracing.reports import Chosen, Reading

if TYPE_CHECKING:
    from traces.xen.formats.exits import Vendor


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
@click.option("-c", "--count", is_flag=True, help="Count the records by name instead, as strace -c does.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a record.")
def command(
    file: Path,
    chosen: Chosen,
    hz: float | None,
    xen_version: str | None,
    vendor: "Vendor | None",
    symbol_file: Path | None,
    wall: int,
    count: bool,
    as_json: bool,
) -> None:
    """Print the records of FILE in order of time, a line each; `-` reads stdin, and prints while records come.

    FILE may be compressed by gzip, xz, bzip2 or zstd. Times are seconds since the first record. A record belongs to the
    domain and vCPU that ran when it was made. FILE may also be a trace.dat of trace-cmd or a perf.data of perf kvm
    stat: a domain is then a machine of KVM, and neither -e nor symbols are for it.
    """
    wall_clock.check(wall, file)
    if count and (as_json or wall or symbol_file):
        raise click.UsageError("--count shows no single records: leave --json, -t and --symbols out")
    from xentool.cli.screens import dumped  # noqa: PLC0415 - Tab asks for the options alone

    dumped.show(file, Reading(chosen, hz, xen_version, vendor), symbol_file, wall=wall, count=count, as_json=as_json)
