"""What a report tells of more readings of a trace file: what was slowest, how long hypercalls took, what was when."""

import math
from collections.abc import Callable, Iterable

from traces.analyses import calls, series, slowest
from traces.analyses.calls import CallTimes
from traces.analyses.series import Series, TooMany
from traces.analyses.sights import Table
from traces.analyses.slowest import Slowest
from traces.answers import Report
from traces.exporters.around import Written
from traces.exporters.slow import Described, describe
from traces.plural import plural
from traces.reader import Reader, read
from xentool.errors import XentoolError
from xentool.tools.tracing.reports import TraceFile

#: Reads a trace once more.
Again = Callable[[], Iterable[Table]]


def of_xen(source: TraceFile, start: int, report: Report) -> Again:
    """Read a trace of Xen's again, from where in the file it begins."""

    def again() -> Iterable[Table]:
        source.seek(start)
        return read(source, Reader(report.shifts))

    return again


def find(
    again: Again, report: Report, most: int, least_s: float, written: Written | None = None
) -> tuple[dict[str, Slowest], dict[str, list[Described]]]:
    """Read a trace twice more: for the slowest waits and VM exits, and for what is around them.

    :param report: on what is chosen of it
    :param most: how many of each
    :param least_s: none that took less
    :param written: gives its records, see ``slow.describe``
    """
    found = slowest.find(again(), report, most, least_s)
    slow = [one for of in found.values() for one in of.slow]
    described = iter(describe(again(), report, slow, written))
    return found, {what: [next(described) for _ in of.slow] for what, of in found.items()}


def times_of_calls(again: Again, report: Report) -> tuple[CallTimes, ...]:
    """Read a trace of Xen's once more, for how long its hypercalls took.

    :param report: on what is chosen of it
    """
    return calls.read(again(), report)


def in_intervals(again: Again, report: Report, seconds: float) -> Series:
    """Read a trace once more, for what happened in each interval of it.

    :param report: on what is chosen of it
    :param seconds: how long an interval is
    :raises XentoolError: there would be too many; the message says how long they must be
    """
    try:
        columns = series.edges(report, seconds)
    except TooMany as error:
        raise XentoolError(
            f"that would be {error.count:,} intervals of {plural(error.domains, 'domain')}: give --interval "
            f"{_rounded_up(error.seconds)} or more, or less of the trace by --from, --to and --domain"
        ) from error
    return series.read(again(), report, columns, seconds)


def _rounded_up(seconds: float) -> str:
    # To two digits, in a unit that --interval takes.
    size, unit = next((one for one in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")) if seconds >= one[0]), (1e-9, "ns"))
    digits = max(2 - len(str(int(seconds / size))), 0)
    return f"{math.ceil(seconds / size * 10**digits) / 10**digits:g}{unit}"
