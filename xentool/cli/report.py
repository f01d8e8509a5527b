"""``xentool report``: what a trace file shows."""

import sys
from contextlib import nullcontext
from io import BufferedReader
from pathlib import Path
from typing import cast

import click

from traces.analyses.report import Report
from traces.analyses.select import of_classes, of_domain
from traces.exporters import document, text
from traces.filters import CLASSES, Selection
from xentool import output
from xentool.cli import options
from xentool.tools import reports, sidecar


@click.command(epilog=options.CLASSES)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--domain", help="Only this domain: its number, or its name where the capture's sidecar tells names.")
@click.option(
    "--hz", type=click.FloatRange(min=1), help="The clock's rate, cycles per second.  [default: found in the trace]"
)
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="OUT",
    help="Write a page with charts instead, in one file that needs no network; - is standard output.",
)
@options.events
@options.as_json
def command(
    file: Path,
    domain: str | None,
    hz: float | None,
    page: Path | None,
    events: Selection,
    as_json: bool,
) -> None:
    """Report on FILE, the output of xentrace or of `xentool record`; `-` reads stdin.

    Damage in the file does not stop the report: it is counted, and the exit code is then 4.
    """
    if page is not None:
        if as_json:
            raise click.UsageError("--html and --json are two forms of one report; give one of them")
        if events.classes != frozenset(CLASSES):
            raise click.UsageError("--html shows all classes of events; leave out -e")
        reports.raise_for_damage(_write_page(file, page, domain, hz), str(file))
        return
    opened = nullcontext(cast(BufferedReader, sys.stdin.buffer)) if str(file) == "-" else reports.opened(file)
    with opened as source:
        report = reports.report(source, str(file), hz=hz, capture=sidecar.read(file))
    if domain is not None:
        report = of_domain(report, reports.domid_of(report, domain))
    report = of_classes(report, events.classes)
    if as_json:
        output.write_json(document.document(report))
    else:
        text.write(report, output.stdout())
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
