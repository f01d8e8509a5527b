"""``xentool report``: what a trace file shows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from traces.analyses.calls import CallTimes
from traces.analyses.report import Report
from traces.analyses.slowest import Slowest
from traces.analyses.where import EVERYTHING
from traces.exporters import calls, document, slow, text
from traces.exporters import histograms as bars
from xentool import output
from xentool.cli import INTERRUPTED, choosing, options
from xentool.tools import pipes, reports, sidecar
from xentool.tools.exports import rereadable
from xentool.tools.reports import Chosen
from xentool.tools.slowest import find, times_of_calls

#: Shown by --slower-than alone.
_SLOWEST = 10


@click.command(epilog=choosing.CLASSES)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@choosing.choice(slower=False)
@options.hz
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
@options.as_json
def command(
    file: Path,
    chosen: Chosen,
    hz: float | None,
    page: Path | None,
    most: int | None,
    least: float | None,
    histograms: bool,
    times: bool,
    as_json: bool,
) -> None:
    """Report on FILE, the output of xentrace or of `xentool record`; `-` reads stdin, to its end or until Ctrl-C.

    What is chosen is what `xentool dump` prints. Run states are shown where -e leaves `sched`, VM exits where it leaves
    `exit`; both are computed from all records. --from and --to cut run states; an exit belongs to where and when it
    began, a wait to where and when it ended. With --pcpu, of run states only running is shown; with --vcpu, neither
    grants nor notifications, which are known by domain only. The line about the capture is about all of it.

    Damage in the file does not stop the report: it is counted, and the exit code is then 4.
    """
    if page is not None:
        if most is not None or least is not None or times:
            raise click.UsageError("--html has no such tables; leave out --slowest, --slower-than and --times")
        if as_json:
            raise click.UsageError("--html and --json are two forms of one report; give one of them")
        if chosen.where != EVERYTHING:
            raise click.UsageError("--html shows one domain or all, and all of it: leave out the other filters")
        reports.raise_for_damage(_write_page(file, page, chosen.domain, hz), str(file))
        return
    # A stretch of time is found in a second reading, hypercalls' times in one more, and the slowest in two.
    again = chosen.where.timed or most is not None or least is not None or times
    interrupted = False
    with rereadable(file) if again else reports.opened(file) as source:
        start = source.tell() if again else 0
        if source.seekable():
            report = reports.report(source, str(file), hz=hz, capture=sidecar.read(file), chosen=chosen)
        else:
            with pipes.interruptible(source) as piped:
                report = reports.report(piped, str(file), hz=hz, chosen=chosen)
            interrupted = piped.interrupted
        took = times_of_calls(source, start, report) if times else None
        slowest = None
        if most is not None or least is not None:
            slowest = find(source, start, report, most or _SLOWEST, least or 0.0)
    if as_json:
        more: dict[str, Any] = {} if took is None else {"hypercall_times": calls.document(took)}
        more |= {"slowest": slow.document(*slowest, report)} if slowest else {}
        output.write_json(document.document(report) | more)
    else:
        _write_text(report, took, slowest, histograms=histograms)
    if interrupted:
        click.get_current_context().exit(INTERRUPTED)
    reports.raise_for_damage(report, str(file))


def _write_text(
    report: Report,
    took: Sequence[CallTimes] | None,
    slowest: tuple[dict[str, Slowest], dict[str, list[slow.Described]]] | None,
    *,
    histograms: bool,
) -> None:
    console = output.stdout()
    text.write(report, console)
    if histograms:
        bars.write(report, console)
    if took is not None:
        calls.write(took, report, console)
    if slowest:
        slow.write(*slowest, report, console)


def _write_page(file: Path, page: Path, domain: str | None, hz: float | None) -> Report:
    from rich.markup import escape  # noqa: PLC0415 - what a plain report does not need would delay it
    from rich.progress import Progress  # noqa: PLC0415

    from xentool.tools import pages  # noqa: PLC0415

    console = output.stderr()
    with Progress(console=console, transient=True, disable=not console.is_terminal or str(page) == "-") as shown:
        task = shown.add_task(escape(f"{file} → {page}"))
        return pages.write(
            file,
            page,
            domain=domain,
            hz=hz,
            progress=lambda done, total: shown.update(task, completed=done, total=total),
        )
