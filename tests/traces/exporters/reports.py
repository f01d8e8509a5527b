"""What exports need to know of a trace."""

from dataclasses import replace

from traces.analyses.report import report as report_of
from traces.answers import Report
from traces.choice import where as wheres
from traces.choice.where import Where
from traces.scan import Scan


def report(data: bytes, where: Where = wheres.EVERYTHING) -> Report:
    scan = Scan()
    scan.feed(data)
    scan.finish()
    return replace(report_of(scan), where=where)
