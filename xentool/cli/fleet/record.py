"""``xentool fleet record``: many hosts at the same time."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from traces.choice.where import Kinds
from traces.counting.wallclock import date
from traces.plural import plural
from xentool import output
from xentool.cli.commands import INTERRUPTED
from xentool.cli.common import choosing, completing, options
from xentool.cli.common.numbers import Number
from xentool.cli.screens import recording, views
from xentool.errors import XentoolError
from xentool.hosts import named, waiting
from xentool.hosts.forms import is_place
from xentool.hosts.resolve import resolve
from xentool.tools.fleet.recording.names import stems
from xentool.tools.fleet.recording.one import Wanted
from xentool.tools.fleet.recording.together import Gathered, Target, record
from xentool.tools.tracing.moments import offset_document

_LIMIT_S = 60.0
_NS, _MS = 1e9, 1e6


@click.command(epilog=choosing.CLASSES)
@click.option(
    "-H",
    "--host",
    "places",
    metavar="HOST",
    multiple=True,
    required=True,
    shell_complete=completing.hosts,
    help="A host: local, ssh://[user@]host[:port], lab:NAME, or a name of `xentool host list`; repeated for each.",
)
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where captures go, a file a host: HOST-DATE.xentrace, or .dat of a KVM host.",
)
@choosing.events
@options.duration
@click.option("--machine", metavar="NAME", help="Which machine of KVM hosts.  [default: the only one]")
@click.option(
    "--bundle", "bundled", is_flag=True, help="A ZIP archive of each dom0, as `xentool record --bundle` has it."
)
@options.buffer_pages
@click.option(
    "--timeout",
    "limit_s",
    type=Number(0, least_open=True),
    default=_LIMIT_S,
    envvar="XENTOOL_TIMEOUT",
    metavar="SECONDS",
    help=f"How long a host may take until it is ready to record.  [default: $XENTOOL_TIMEOUT, {_LIMIT_S:g}]",
)
@options.as_json
def command(
    places: tuple[str, ...],
    folder: Path,
    kinds: Kinds,
    duration: float | None,
    machine: str | None,
    bundled: bool,
    buffer_pages: int,
    limit_s: float,
    as_json: bool,
) -> None:
    """Record many hosts from the same second on, for `xentool fleet report` and `diff`.

    All hosts are made ready first, and begin together. A host that is not ready in time, that somebody else traces, or
    that has neither Xen nor KVM is left out, and listed with the reason; the exit code is then 1. Ctrl-C ends the
    recording on all hosts in order, and leaves none tracing.

    Each host's clock is compared with this machine's before: the offset is told, and kept beside the capture in
    FILE.meta.json. Nobody is asked for a password: ssh takes keys, an agent, or a connection that stands.
    """
    if len(set(places)) < len(places):
        raise click.UsageError(f"{max(places, key=places.count)} is given more than once")
    known = named.read()
    for place in places:
        if not is_place(place):
            named.find(place, known)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = stems(places, datetime.now(UTC), [path.name for path in folder.iterdir()])
    except OSError as error:
        raise XentoolError(f"cannot write into {folder}: {error.strerror}") from error
    targets = [
        Target(place, partial(resolve, place, kvm=True), folder / file)
        for place, file in zip(places, files, strict=True)
    ]
    wanted = Wanted(kinds, duration, buffer_pages, machine, bundled)
    with waiting.chosen(limit_s), recording.shown(places) as show:
        done = record(targets, wanted, limit_s=limit_s, show=show)
    if as_json:
        output.write_json(_document(done))
    else:
        _write(done)
    if done.interrupted:
        click.get_current_context().exit(INTERRUPTED)
    if done.missed:
        raise XentoolError(
            f"{len(done.missed)} of {plural(len(places), 'host')} not recorded, or not whole: listed above"
        )


def _document(done: Gathered) -> dict[str, Any]:
    return {
        "schema": "xentool.fleet.record/1",
        "recorded": [
            {
                "host": one.host,
                "file": str(one.file),
                "kind": one.kind,
                "version": one.version,
                "bytes": one.bytes,
                "seconds": one.seconds,
                "began": None if one.began_ns is None else date(one.began_ns, 0),
                "clock": offset_document(one.clock),
            }
            for one in done.recorded
        ],
        "failed": [
            {"host": one.host, "error": one.error, "file": None if one.file is None else str(one.file)}
            for one in done.missed
        ],
        "spread_s": None if (spread := done.spread_ns) is None else spread / _NS,
        "interrupted": done.interrupted,
    }


def _write(done: Gathered) -> None:
    table = views.table("!~Host", "!~File", ">Bytes", ">Seconds", ">Clock ahead", ">± ms")
    for one in done.recorded:
        table.add_row(
            views.words(one.host),
            views.words(one.file),
            views.words(f"{one.bytes:,}"),
            views.words(f"{one.seconds:.1f}"),
            views.words(f"{one.clock.ns / _NS:+.3f} s"),
            views.words(f"{one.clock.error_ns / _MS:.1f}"),
        )
    if done.recorded:
        output.stdout().print(table)
    for lost in done.missed:
        who = "" if lost.host in lost.error else f"{lost.host}: "
        kept = "" if lost.file is None else f"; what came is in {lost.file}"
        output.line(f"{who}{lost.error}{kept}")
    if (spread := done.spread_ns) is not None:
        output.line(f"all began within {spread / _NS:.2f} s")
