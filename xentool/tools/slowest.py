"""What was slowest in a trace file, and what surrounded it; how long hypercalls took."""

from io import BufferedReader

from traces.analyses import calls, slowest
from traces.analyses.calls import CallTimes
from traces.analyses.report import Report
from traces.analyses.slowest import Slowest
from traces.exporters.slow import Described, describe
from traces.reader import Reader, read


def find(
    source: BufferedReader, start: int, report: Report, most: int, least_s: float
) -> tuple[dict[str, Slowest], dict[str, list[Described]]]:
    """Read a trace file twice more: for the slowest waits and VM exits, and for what is around them.

    :param start: where in the file the trace begins
    :param report: on what is chosen of it
    :param most: how many of each
    :param least_s: none that took less
    """
    source.seek(start)
    found = slowest.find(read(source, Reader()), report, most, least_s)
    source.seek(start)
    slow = [one for of in found.values() for one in of.slow]
    described = iter(describe(read(source, Reader()), report, slow))
    return found, {what: [next(described) for _ in of.slow] for what, of in found.items()}


def times_of_calls(source: BufferedReader, start: int, report: Report) -> tuple[CallTimes, ...]:
    """Read a trace file once more, for how long its hypercalls took.

    :param start: where in the file the trace begins
    :param report: on what is chosen of it
    """
    source.seek(start)
    return calls.read(read(source, Reader()), report)
