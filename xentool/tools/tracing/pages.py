"""Reports on trace files as pages for a browser."""

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from traces.analyses.select import of_domain
from traces.answers import Report
from traces.table import EventTable
from traces.xen.formats.exits import Vendor
from xentool.tools.tracing import reports
from xentool.tools.tracing.exports import Progress, load, written
from xentool.tools.tracing.reports import EVERYTHING, STANDARD, Chosen, Reading


def write(
    capture: Path,
    output: Path,
    *,
    chosen: Chosen = EVERYTHING,
    hz: float | None = None,
    vendor: Vendor | None = None,
    progress: Progress,
) -> Report:
    """Write a page about a capture; ``exports.export`` says what becomes of input and output.

    :param chosen: a domain, by its number or name, and what domains are called; no other choice
    :raises XentoolError: also when there is no such domain
    """
    exporter = load("traces.exporters.html", "html")

    def write_page(tables: Iterable[EventTable], report: Report, target: BinaryIO) -> None:
        selected = report
        if chosen.domain is not None:
            selected = of_domain(report, reports.domid_of(report, chosen.domain))
        exporter.write(tables, selected, target, "stdin" if capture == STANDARD else capture.name)

    named = Reading(Chosen(names=chosen.names), hz=hz, vendor=vendor)
    return written(capture, write_page, output, named, progress=progress)
