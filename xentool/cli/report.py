"""``xentool report``: what a trace file shows."""

from pathlib import Path

import click

from traces.analyses.report import Report
from traces.analyses.where import EVERYTHING
from traces.exporters import document
from xentool import output
from xentool.cli import choosing, options
from xentool.tools import reports, sidecar
from xentool.tools.reports import Chosen

#: Shown by --slower-than alone.
_SLOWEST = 10


@click.command(epilog=choosing.CLASSES)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@choosing.options()
@options.hz
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="OUT",
    help="Write a page with charts instead, in one file that needs no network; - is standard output.",
)
@click.option(
    "--slowest",
    "most",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Show the N slowest wake-ups and VM exits too: who ran there meanwhile, and the records around.",
)
@click.option(
    "--slower-than",
    "least",
    callback=options.seconds,
    metavar="DURATION",
    help="Of these only those that took at least so long, as in 250us or 1.5ms.",
)
@click.option(
    "--histograms", is_flag=True, help="Show how long run states, waits and VM exits took; --json always does."
)
@options.as_json
def command(
    file: Path,
    chosen: Chosen,
    hz: float | None,
    page: Path | None,
    most: int | None,
    least: float | None,
    histograms: bool,
    as_json: bool,
) -> None:
    """Report on FILE, the output of xentrace or of `xentool record`; `-` reads stdin.

    What is chosen is what `xentool dump` prints. Run states are shown where -e leaves `sched`, VM exits where it leaves
    `exit`; both are computed from all records. --from and --to cut run states; an exit belongs to where and when it
    began, a wait to where and when it ended. With --pcpu, of run states only running is shown; with --vcpu, neither
    grants nor notifications, which are known by domain only. The line about the capture is about all of it.

    Damage in the file does not stop the report: it is counted, and the exit code is then 4.
    """
    if page is not None:
        if most is not None or least is not None:
            raise click.UsageError("--html has no list of the slowest; leave out --slowest and --slower-than")
        if as_json:
            raise click.UsageError("--html and --json are two forms of one report; give one of them")
        if chosen.where != EVERYTHING:
            raise click.UsageError("--html shows one domain or all, and all of it: leave out the other filters")
        reports.raise_for_damage(_write_page(file, page, chosen.domain, hz), str(file))
        return
    # A stretch of time is found in a second reading, and the slowest in two more.
    if chosen.where.timed or most is not None or least is not None:
        from traces.exporters import slow  # noqa: PLC0415 - what a plain report does not need would delay it
        from xentool.tools import exports, slowest  # noqa: PLC0415

        with exports.rereadable(file) as source:
            start = source.tell()
            report = reports.report(source, str(file), hz=hz, capture=sidecar.read(file), chosen=chosen)
            if most is None and least is None:
                found = None
            else:
                found = slowest.find(source, start, report, most or _SLOWEST, least or 0.0)
    else:
        found = None
        with reports.opened(file) as source:
            report = reports.report(source, str(file), hz=hz, capture=sidecar.read(file), chosen=chosen)
    if as_json:
        more = {"slowest": slow.document(*found, report)} if found else {}
        output.write_json(document.document(report) | more)
    else:
        from traces.exporters import histograms as bars  # noqa: PLC0415
        from traces.exporters import text  # noqa: PLC0415

        text.write(report, output.stdout())
        if histograms:
            bars.write(report, output.stdout())
        if found:
            slow.write(*found, report, output.stdout())
    reports.raise_for_damage(report, str(file))


def _write_page(file: Path, page: Path, domain: str | None, hz: float | None) -> Report:
    from rich.markup import escape  # noqa: PLC0415 - what a plain report does not need would delay it
    from rich.progress import Progress  # noqa: PLC0415

    from xentool.tools import pages  # noqa: PLC0415

    console = output.stderr()
    with Progress(console=console, transient=True, disable=not console.is_terminal or str(page) == "-") as shown:
        task = shown.add_task(escape(f"{file} → {page}"))
        return pages.write(
            file,
            page,
            domain=domain,
            hz=hz,
            progress=lambda done, total: shown.update(task, completed=done, total=total),
        )
