"""A report on a trace file, read and written: what ``xentool report`` does once it knows what is asked.

Law: nothing here is about how a command is called, since some calls need no parser for that (``quick``).
"""

import gc
from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from traces.plain import frozen
from xentool import output
from xentool.cli.common import awaited
from xentool.errors import XentoolError
from xentool.tools.tracing import kvm, packed, reports, sidecar
from xentool.tools.tracing.reports import AS_IT_IS, Reading, TraceFile

if TYPE_CHECKING:
    # What a plain report does not need would delay it: numpy, above all. What it needs when the file is read is
    # loaded meanwhile.
    from traces.analyses.calls import CallTimes
    from traces.analyses.series import Series
    from traces.analyses.slowest import Slowest
    from traces.answers import Report
    from traces.exporters.slow import Described
    from xentool.tools.tracing.kvm import Known

    _Slow: TypeAlias = tuple[dict[str, Slowest], dict[str, list[Described]]]

#: Shown by --slower-than alone.
_SLOWEST = 10


@frozen
class Besides:
    """What is shown besides a report.

    :param most: of the slowest waits and exits
    :param least: seconds that these took
    :param histograms: of run states, waits and exits; JSON always has them
    :param times: of hypercalls
    :param interval: seconds of which each is told
    """

    most: int | None = None
    least: float | None = None
    histograms: bool = False
    times: bool = False
    interval: float | None = None

    @property
    def slowest(self) -> bool:
        """Whether the slowest are shown."""
        return self.most is not None or self.least is not None

    @property
    def tables(self) -> bool:
        """Whether it takes another reading."""
        return self.slowest or self.times or self.interval is not None


_NOTHING = Besides()


def show(
    file: Path,
    reading: Reading = AS_IT_IS,
    besides: Besides = _NOTHING,
    *,
    as_json: bool = False,
) -> bool:
    """Report on a file; say whether Ctrl-C ended the reading of a pipe.

    :raises XentoolError: it can't be read, has no such domain, or, when all was written, is damaged
    """

    def load() -> None:
        import_module("traces.exporters.document" if as_json else "traces.exporters.text")

    interrupted = False
    took: Sequence[CallTimes] | None = None
    slowest: _Slow | None = None
    series: Series | None = None
    # A stretch of time is found in a second reading, hypercalls' times, and intervals, in one more, the slowest in two.
    twice = reading.chosen.where.timed or besides.tables
    known: Known | None = None
    awaited.told(file)
    with _again(file) if twice else reports.opened(file) as source:
        start = source.tell() if twice else 0
        if kvm.is_trace(source):
            if besides.times:
                raise XentoolError(
                    f"{file} is a trace of KVM, where a hypercall is a VM exit, whose times are told: leave out --times"
                )
            known = kvm.read(cast(BufferedReader, source), str(file), reading)
            report = known.report
        elif source.seekable():
            report = reports.report(source, str(file), reading, capture=sidecar.read(file), meanwhile=load)
        else:
            from xentool.tools.tracing import pipes  # noqa: PLC0415 - see TYPE_CHECKING above

            with pipes.interruptible(cast(BufferedReader, source)) as piped:
                comes = packed.pipe(piped, str(file))
                if kvm.comes(comes):
                    with kvm.settled(comes, str(file)) as settled:
                        report = kvm.report(cast(BufferedReader, settled), str(file), reading)
                else:
                    report = reports.report(comes, str(file), reading)
            interrupted = piped.interrupted
        if besides.tables:
            from traces.exporters.words import marked  # noqa: PLC0415 - see TYPE_CHECKING above
            from xentool.tools.tracing.slowest import find, in_intervals, of_xen, times_of_calls  # noqa: PLC0415 - see TYPE_CHECKING above

            of_kvm = None if known is None else kvm.again(cast(BufferedReader, source), known)
            again, forms = of_kvm or (of_xen(source, start, report), None)
            series = in_intervals(again, report, besides.interval) if besides.interval is not None else None
            took = times_of_calls(again, report) if besides.times else None
            if besides.slowest:
                with marked(report.clock):
                    slowest = find(again, report, besides.most or _SLOWEST, besides.least or 0.0, forms)
    if as_json:
        from traces.exporters import document  # noqa: PLC0415 - see TYPE_CHECKING above

        output.write_json(document.parts(report) | _more(report, took, slowest, series))
    else:
        from traces.exporters.words import marked  # noqa: PLC0415 - see TYPE_CHECKING above

        with marked(report.clock):
            _write_text(report, took, slowest, series, histograms=besides.histograms)
    for line in reports.beyond(report):
        output.say(line)
    # The process ends: looking once more through all that was loaded would take a tenth of a small trace's report.
    gc.freeze()
    if not interrupted:
        reports.raise_for_damage(report, str(file))
    return interrupted


def _again(file: Path) -> AbstractContextManager[TraceFile]:
    from xentool.tools.tracing.exports import rereadable  # noqa: PLC0415 - see TYPE_CHECKING above

    return rereadable(file)


def _more(
    report: "Report", took: "Sequence[CallTimes] | None", slowest: "_Slow | None", series: "Series | None"
) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if took is not None:
        from traces.exporters import calls  # noqa: PLC0415 - see TYPE_CHECKING above

        more["hypercall_times"] = calls.document(took)
    if slowest:
        from traces.exporters import slow  # noqa: PLC0415 - see TYPE_CHECKING above

        more["slowest"] = slow.document(*slowest, report)
    if series is not None:
        from traces.exporters import series as intervals  # noqa: PLC0415 - see TYPE_CHECKING above

        more["intervals"] = intervals.document(series, report)
    return more


def _write_text(
    report: "Report",
    took: "Sequence[CallTimes] | None",
    slowest: "_Slow | None",
    series: "Series | None",
    *,
    histograms: bool,
) -> None:
    from traces.exporters import text  # noqa: PLC0415 - JSON needs no tables

    text.write(report, output.tables())
    if not (histograms or took is not None or slowest or series is not None):
        return
    console = output.stdout()
    if histograms:
        from traces.exporters import histograms as bars  # noqa: PLC0415 - see TYPE_CHECKING above

        bars.write(report, console)
    if took is not None:
        from traces.exporters import calls  # noqa: PLC0415 - see TYPE_CHECKING above

        calls.write(took, report, console)
    if slowest:
        from traces.exporters import slow  # noqa: PLC0415 - see TYPE_CHECKING above

        slow.write(*slowest, report, console)
    if series is not None:
        from traces.exporters import series as intervals  # noqa: PLC0415 - see TYPE_CHECKING above

        intervals.write(series, report, console)
