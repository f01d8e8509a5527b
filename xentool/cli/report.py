"""``xentool report``: what a trace file shows."""

import sys
from contextlib import nullcontext
from io import BufferedReader
from pathlib import Path
from typing import cast

import click

from traces.analyses.select import of_domain
from traces.exporters import document, text
from xentool import output
from xentool.cli import options
from xentool.tools import reports, sidecar


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--domain", help="Only this domain: its number, or its name where the capture's sidecar tells names.")
@click.option(
    "--hz", type=click.FloatRange(min=1), help="The clock's rate, cycles per second.  [default: found in the trace]"
)
@options.as_json
def command(file: Path, domain: str | None, hz: float | None, as_json: bool) -> None:
    """Report on FILE, the output of xentrace or of `xentool record`; `-` reads stdin.

    Damage in the file does not stop the report: it is counted, and the exit code is then 4.
    """
    opened = nullcontext(cast(BufferedReader, sys.stdin.buffer)) if str(file) == "-" else reports.opened(file)
    with opened as source:
        report = reports.report(source, str(file), hz=hz, capture=sidecar.read(file))
    if domain is not None:
        report = of_domain(report, reports.domid_of(report, domain))
    if as_json:
        output.write_json(document.document(report))
    else:
        text.write(report, output.stdout())
    reports.raise_for_damage(report, str(file))
