"""``xentool report``: what a trace file shows."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from traces.choice.where import EVERYTHING
from xentool import output
from xentool.cli.commands import INTERRUPTED
from xentool.cli.common import besides as others
from xentool.cli.common import choosing, options, reported
from xentool.cli.common.reported import Besides
from xentool.tools.tracing import reports
from xentool.tools.tracing.reports import Chosen, Reading

if TYPE_CHECKING:
    # What a plain report does not need would delay it: numpy, above all.
    from traces.answers import Report
    from traces.xen.formats.exits import Vendor


@click.command(epilog=choosing.CLASSES)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@choosing.choice(slower=False)
@options.hz
@options.vendor
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="OUT",
    help="Write a page with charts instead, in one file that needs no network; - is standard output.",
)
@others.besides
@options.as_json
def command(
    file: Path,
    chosen: Chosen,
    hz: float | None,
    vendor: "Vendor | None",
    page: Path | None,
    besides: Besides,
    as_json: bool,
) -> None:
    """Report on FILE, the output of xentrace or of `xentool record`; `-` reads stdin, to its end or until Ctrl-C.

    What is chosen is what `xentool dump` prints. Run states are shown where -e leaves `sched`, VM exits where it leaves
    `exit`; both are computed from all records. --from and --to cut run states; an exit or a guest's interrupt belongs
    to where and when it began, a wait to where and when it ended. With --pcpu, of run states only running is shown;
    with --vcpu, neither grants nor notifications, which are known by domain only. The line about the capture is about
    all of it.

    FILE may also be a trace.dat of trace-cmd (record -e kvm -e sched) or a perf.data of perf kvm stat: a domain is then
    a machine of KVM. All but -e, --pcpu and --times is told of it, too; of an exit that goes on beyond --to, the time
    is not. Devices have the names of PCs, or those in FILE.devices: what `info mtree` in QEMU's monitor prints, or the
    guest's /proc/iomem and /proc/ioports.

    FILE may be compressed by gzip, xz, bzip2 or zstd. Damage in it does not stop the report: it is counted, and the
    exit code is then 4.
    """
    reading = Reading(chosen, hz=hz, vendor=vendor)
    if page is not None:
        if besides.tables:
            raise click.UsageError(
                "--html has no such tables; leave out --slowest, --slower-than, --times and --interval"
            )
        if as_json:
            raise click.UsageError("--html and --json are two forms of one report; give one of them")
        if chosen.where != EVERYTHING:
            raise click.UsageError("--html shows one domain or all, and all of it: leave out the other filters")
        reports.raise_for_damage(_write_page(file, page, reading), str(file))
        return
    interrupted = reported.show(file, reading, besides, as_json=as_json)
    if interrupted:
        click.get_current_context().exit(INTERRUPTED)


def _write_page(file: Path, page: Path, reading: Reading) -> "Report":
    from xentool.tools.tracing import pages  # noqa: PLC0415 - what a plain report does not need would delay it

    with output.progress(f"{file} → {page}", hidden=str(page) == "-") as progress:
        return pages.write(file, page, reading, progress=progress)
