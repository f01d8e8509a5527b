"""What of a trace is in doubt, said by commands that print no report."""

from typing import TYPE_CHECKING

from xentool import output
from xentool.tools.tracing import reports

if TYPE_CHECKING:
    from traces.answers import Report


def tell(report: "Report") -> None:
    """Say it on stderr, a line each."""
    for line in reports.doubts(report):
        output.say(line)
