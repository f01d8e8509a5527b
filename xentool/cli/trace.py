"""``xentool trace``: what a domain really does."""

from contextlib import closing
from pathlib import Path

import click

from xentool.cli.common import choosing, completing, options
from xentool.cli.common.wanted import Tracing
from xentool.tools.tracing import reports


@click.command(epilog=choosing.CLASSES)
@click.argument("domain", shell_complete=completing.domains)
@choosing.choice(domain=False)
@options.duration
@click.option(
    "-o",
    "--output",
    "keep",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the raw xentrace, or the trace.dat, in a file, and what the host knows beside it.",
)
@click.option("--live", is_flag=True, help="Show rates while it runs, instead of a report: a page that keys sort.")
@click.option("--dump", is_flag=True, help="Print the records as they are made, as `xentool dump` does.")
@options.where
@options.connect
@options.as_json
def command(
    domain: str,
    chosen: reports.Chosen,
    duration: float | None,
    keep: Path | None,
    live: bool,
    dump: bool,
    where: str | None,
    uri: str | None,
    as_json: bool,
) -> None:
    """Trace DOMAIN (a name or a number) and report what it did: on a Xen dom0, or on a KVM host, whichever HOST is.

    --live shows it while it does: a page of hypercalls, VM exits, notifications or vCPUs on a terminal, and elsewhere
    lines every two seconds, or objects with --json.

    The trace ends after its time, at Ctrl-C (exit code 130), or with the domain. Xen has one set of trace buffers and
    no filter by domain: while this runs nobody else can trace the host, and a file kept by -o holds all domains, and of
    events at least those that -e wants. The filters mean what they mean for `xentool report`; --from and --to count
    seconds from the first records on. With --live, --slower-than counts to an eighth exactly.

    A machine of KVM is DOMAIN by its process's number, or as libvirt and QEMU call it. Nothing is recorded there
    but what its threads do, in buffers of their own; -o keeps a trace.dat, which `xentool report` and trace-cmd read.
    -e is Xen's alone.
    """
    if live and dump:
        raise click.UsageError("--live and --dump are two ways to look on; give one of them")
    if chosen.where.slower and not live and not dump:
        raise click.UsageError("--slower-than is for --live and --dump; for a report keep the trace with -o")
    if keep == reports.STANDARD:
        raise click.UsageError("-o keeps a FILE; to standard output a dom0's records go by `xentool record -o -`")
    from xentool.cli.screens import traced  # noqa: PLC0415 - Tab asks for the options alone

    with closing(options.tracing(where, uri)) as host:
        domain = options.called(uri, domain)
        traced.show(host, domain, Tracing(chosen.where, duration, keep, live, dump, as_json))
