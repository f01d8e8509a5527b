"""A report as one page for a browser: charts and tables in a single file, which needs no network and no script.

Law: what is in a trace or beside it is hostile. All of it goes through a template that escapes, or through
``svg.element``; and the page itself forbids every resource and every script but its own.
"""

from collections.abc import Iterable
from typing import BinaryIO

from traces.analyses.sights import Table
from traces.answers import Report
from traces.exporters.html.choice import choose
from traces.exporters.html.course import read
from traces.exporters.html.page import page
from traces.exporters.templates import filled
from traces.exporters.words import marked


def write(tables: Iterable[Table], report: Report, output: BinaryIO, title: str) -> None:
    """Write the page, from the records in order of time.

    :param report: on the same trace
    :param title: what the trace is called
    """
    with marked(report.clock):
        _write(tables, report, output, title)


def _write(tables: Iterable[Table], report: Report, output: BinaryIO, title: str) -> None:
    choice = choose(report)
    course = read(tables, report, choice)
    output.write(rendered("page.html", page(report, choice, course, title)))


def rendered(template: str, page: object) -> bytes:
    """Make a page of a template.

    :param page: what it consists of, as the template asks for it
    """
    return filled(__name__, template, "page.css", "page.js", page=page)
