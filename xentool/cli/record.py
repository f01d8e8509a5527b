"""`xentool record`: keep what a host records."""

import json
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import click
from rich.text import Text

from traces.choice.where import Kinds
from traces.foreign import printable
from traces.plural import plural
from xentool import output as consoles
from xentool.cli.common import choosing, completing, kvm, options
from xentool.cli.common.wanted import Recording
from xentool.tools.tracing import sidecar
from xentool.tools.tracing.bundled import record_bundle
from xentool.tools.tracing.record import record
from xentool.tools.tracing.tracefs.survey import survey


@click.command(epilog=choosing.CLASSES)
@click.argument("domain", required=False, shell_complete=completing.domains)
@click.option("--all", "everything", is_flag=True, help="Record for no domain in particular.")
@click.option("-o", "--output", "path", metavar="FILE", help="Where records go; - for standard output.  [required]")
@click.option(
    "--bundle",
    "bundled",
    is_flag=True,
    help="FILE is one to mail: a ZIP archive with names, xl info, Xen's console and versions beside the records.",
)
@choosing.events
@options.duration
@options.buffer_pages
@options.where
@options.connect
@options.as_json
def command(
    *,
    domain: str | None,
    everything: bool,
    path: str | None,
    bundled: bool,
    duration: float | None,
    kinds: Kinds,
    buffer_pages: int,
    where: str | None,
    uri: str | None,
    as_json: bool,
) -> None:
    """Keep Xen's raw trace records in a file, or a trace.dat of a machine of KVM, for `xentool report` and others.

    Xen cannot filter by domain: the file holds the records of all of them. Linux can: a trace.dat holds what the
    machine's threads did. Ctrl-C ends the recording in order; one of KVM that is killed leaves FILE.part, which
    `xentool report` and others read.
    """
    if path is None:
        file = domain or "FILE"
        raise click.UsageError(
            f"say where records go, and whose you want: `xentool record DOMAIN -o {file}`, or `--all -o {file}`"
        )
    if (domain is None) != everything:
        raise click.UsageError("give either a DOMAIN or --all")
    if path == "-" and (as_json or sys.stdout.isatty()):
        raise click.UsageError("the standard output is taken" if as_json else "records are binary; redirect them")
    if bundled and path == "-":
        raise click.UsageError("a bundle cannot be written to a pipe: give a FILE")
    messages = consoles.stderr()
    # Lazily: a host or domain that does not exist leaves an older file of that name as it is.
    output = click.open_file(path, "wb", lazy=True)
    with closing(options.tracing(where, uri)) as host, output:
        told, domain = survey(host), domain and options.called(uri, domain)
        if told.kind != "xen":
            kvm.record(host, told, domain, Recording(path, kinds, duration, buffer_pages, bundled, as_json))
            return
        with consoles.status(messages, "connecting …") as status:

            def progress(elapsed: float, size: int) -> None:
                status.update(f"{elapsed:.1f} s  {size / 1e6:.1f} MB  {size / 1e6 / max(elapsed, 0.001):.1f} MB/s")

            if bundled:
                done = record_bundle(
                    host,
                    Path(path),
                    kinds,
                    domain=domain,
                    seconds=duration,
                    buffer_pages=buffer_pages,
                    progress=progress,
                )
            else:
                done = record(
                    host,
                    output,
                    kinds,
                    domain=domain,
                    seconds=duration,
                    buffer_pages=buffer_pages,
                    progress=progress,
                    known=lambda about: None if path == "-" else sidecar.write(Path(path), about),
                )
    if as_json:
        click.echo(json.dumps({"schema": "xentool.record/1", "file": path, **asdict(done)}))
    else:
        source = printable(f"{done.host} (Xen {done.xen_version})")
        messages.print(Text(f"{plural(done.bytes, 'byte')} in {done.seconds:.1f} s from {source}"))
        if done.tracer_share is not None:
            messages.print(f"the tracer took {done.tracer_share:.1%} of one of dom0's CPUs")
    if done.interrupted:
        raise KeyboardInterrupt
