"""``xentool report``: what a trace file shows."""

import gc
from collections.abc import Sequence
from contextlib import AbstractContextManager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import click

from traces.choice.where import EVERYTHING
from xentool import output
from xentool.cli import INTERRUPTED
from xentool.cli.common import choosing, options
from xentool.cli.common.lazy import ahead
from xentool.tools.tracing import packed, reports, sidecar
from xentool.tools.tracing.reports import Chosen, TraceFile

if TYPE_CHECKING:
    # What a plain report does not need would delay it: numpy, above all. What it needs when the file is read is
    # loaded meanwhile.
    from traces.analyses.calls import CallTimes
    from traces.analyses.series import Series
    from traces.analyses.slowest import Slowest
    from traces.answers import Report
    from traces.exporters.slow import Described
    from traces.xen.formats.exits import Vendor

    _Slow: TypeAlias = tuple[dict[str, Slowest], dict[str, list[Described]]]

#: What the answer is made and written with.
_LATER = ("traces.analyses.report", "traces.analyses.select", "traces.exporters.document")

#: Shown by --slower-than alone.
_SLOWEST = 10


@click.command(epilog=choosing.CLASSES)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@choosing.choice(slower=False)
@options.hz
@options.vendor
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="OUT",
    help="Write a page with charts instead, in one file that needs no network; - is standard output.",
)
@click.option(
    "--slowest",
    "most",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Show the N slowest wake-ups and VM exits too: who ran there meanwhile, and the records around.",
)
@click.option(
    "--slower-than",
    "least",
    callback=options.seconds,
    metavar="DURATION",
    help="Of these only those that took at least so long, as in 250us or 1.5ms.",
)
@click.option(
    "--histograms", is_flag=True, help="Show how long run states, waits and VM exits took; --json always does."
)
@click.option(
    "--times",
    is_flag=True,
    help="Show how long hypercalls took: of PVH and HVM guests exactly, of PV guests at most.",
)
@click.option(
    "--interval",
    callback=options.seconds,
    metavar="DURATION",
    help="Show what each domain did in each interval so long, as in 10ms.",
)
@options.as_json
def command(
    file: Path,
    chosen: Chosen,
    hz: float | None,
    vendor: "Vendor | None",
    page: Path | None,
    most: int | None,
    least: float | None,
    histograms: bool,
    times: bool,
    interval: float | None,
    as_json: bool,
) -> None:
    """Report on FILE, the output of xentrace or of `xentool record`; `-` reads stdin, to its end or until Ctrl-C.

    What is chosen is what `xentool dump` prints. Run states are shown where -e leaves `sched`, VM exits where it leaves
    `exit`; both are computed from all records. --from and --to cut run states; an exit or a guest's interrupt belongs
    to where and when it began, a wait to where and when it ended. With --pcpu, of run states only running is shown;
    with --vcpu, neither grants nor notifications, which are known by domain only. The line about the capture is about
    all of it.

    FILE may be compressed by gzip, xz, bzip2 or zstd. Damage in it does not stop the report: it is counted, and the
    exit code is then 4.
    """
    if page is not None:
        if most is not None or least is not None or times or interval is not None:
            raise click.UsageError(
                "--html has no such tables; leave out --slowest, --slower-than, --times and --interval"
            )
        if as_json:
            raise click.UsageError("--html and --json are two forms of one report; give one of them")
        if chosen.where != EVERYTHING:
            raise click.UsageError("--html shows one domain or all, and all of it: leave out the other filters")
        reports.raise_for_damage(_write_page(file, page, chosen, hz, vendor), str(file))
        return
    if interval == 0:
        raise click.UsageError("--interval must be longer than 0")
    closer = most is not None or least is not None or times or interval is not None
    ahead(*_LATER, *(() if as_json else ("traces.exporters.text",)))
    interrupted = False
    took: Sequence[CallTimes] | None = None
    slowest: _Slow | None = None
    series: Series | None = None
    # A stretch of time is found in a second reading, hypercalls' times, and intervals, in one more, the slowest in two.
    again = chosen.where.timed or closer
    with _again(file) if again else reports.opened(file) as source:
        start = source.tell() if again else 0
        if source.seekable():
            report = reports.report(source, str(file), hz=hz, vendor=vendor, capture=sidecar.read(file), chosen=chosen)
        else:
            from xentool.tools.tracing import pipes  # noqa: PLC0415 - see TYPE_CHECKING above

            with pipes.interruptible(cast(BufferedReader, source)) as piped:
                report = reports.report(packed.pipe(piped, str(file)), str(file), hz=hz, vendor=vendor, chosen=chosen)
            interrupted = piped.interrupted
        if closer:
            from traces.exporters.words import marked  # noqa: PLC0415 - see TYPE_CHECKING above
            from xentool.tools.tracing.slowest import find, in_intervals, times_of_calls  # noqa: PLC0415 - see TYPE_CHECKING above

            series = in_intervals(source, start, report, interval) if interval is not None else None
            took = times_of_calls(source, start, report) if times else None
            if most is not None or least is not None:
                with marked(report.clock):
                    slowest = find(source, start, report, most or _SLOWEST, least or 0.0)
    if as_json:
        from traces.exporters import document  # noqa: PLC0415 - see `_LATER`

        output.write_json(document.parts(report) | _more(report, took, slowest, series))
    else:
        from traces.exporters.words import marked  # noqa: PLC0415 - see `_LATER`

        with marked(report.clock):
            _write_text(report, took, slowest, series, histograms=histograms)
    # The process ends: looking once more through all that was loaded would take a tenth of a small trace's report.
    gc.freeze()
    if interrupted:
        click.get_current_context().exit(INTERRUPTED)
    reports.raise_for_damage(report, str(file))


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

    console = output.stdout()
    text.write(report, console)
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


def _write_page(file: Path, page: Path, chosen: Chosen, hz: float | None, vendor: "Vendor | None") -> "Report":
    from xentool.tools.tracing import pages  # noqa: PLC0415 - what a plain report does not need would delay it

    with output.progress(f"{file} → {page}", hidden=str(page) == "-") as progress:
        return pages.write(file, page, chosen=chosen, hz=hz, vendor=vendor, progress=progress)
