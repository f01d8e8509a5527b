"""A report as one page for a browser: charts and tables in a single file, which needs no network and no script.

Law: what is in a trace or beside it is hostile. All of it goes through a template that escapes, or through
``svg.element``; and the page itself forbids every resource and every script but the one whose hash it names.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterable
from importlib.resources import files
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
    style, script = _file("page.css"), _file("page.js")
    return filled(
        "traces.exporters.html",
        template,
        page=page,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _file(name: str) -> str:
    return files("traces.exporters.html").joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
