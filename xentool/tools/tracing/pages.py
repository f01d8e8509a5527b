"""Reports on trace files as pages for a browser."""

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from traces.analyses.select import of_domain
from traces.answers import Report
from traces.table import EventTable
from xentool.tools.tracing import reports
from xentool.tools.tracing.exports import Progress, load, written
from xentool.tools.tracing.reports import AS_IT_IS, STANDARD, Chosen, Reading


def write(
    capture: Path,
    output: Path,
    reading: Reading = AS_IT_IS,
    *,
    progress: Progress,
) -> Report:
    """Write a page about a capture; ``exports.export`` says what becomes of input and output.

    :param reading: chooses a domain, by its number or name, and says what domains are called; no other choice
    :raises XentoolError: also when there is no such domain
    """
    chosen = reading.chosen
    exporter = load("traces.exporters.html")

    def write_page(tables: Iterable[EventTable], report: Report, target: BinaryIO) -> None:
        selected = report
        if chosen.domain is not None:
            selected = of_domain(report, reports.domid_of(report, chosen.domain))
        exporter.write(tables, selected, target, "stdin" if capture == STANDARD else capture.name)

    every = reading._replace(chosen=Chosen(names=chosen.names))
    return written(capture, write_page, output, every, progress=progress)
