"""``xentool trace``: what a domain really does."""

from contextlib import closing
from pathlib import Path

import click

from traces.exporters import document, text
from xentool import hosts, output
from xentool.cli import INTERRUPTED, choosing, options
from xentool.cli.live import Live
from xentool.tools import reports
from xentool.tools.reports import Chosen
from xentool.tools.trace import trace


@click.command(epilog=choosing.CLASSES)
@click.argument("domain")
@choosing.options(domain=False)
@options.duration
@click.option(
    "-o",
    "--output",
    "keep",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the raw xentrace in a file, and what the host knows beside it.",
)
@options.where
@options.as_json
def command(
    domain: str, chosen: Chosen, duration: float | None, keep: Path | None, where: str | None, as_json: bool
) -> None:
    """Trace DOMAIN (a name or a number) and report what it did.

    The trace ends after its time, at Ctrl-C (exit code 130), or with the domain. Xen has one set of trace buffers and
    no filter by domain: while this runs nobody else can trace the host, and a file kept by -o holds all domains, and of
    events at least those that -e wants. The filters mean what they mean for `xentool report`; --from and --to count
    seconds from the first records on.
    """
    with closing(hosts.resolve(where)) as host:
        with Live(domain) as live:
            traced = trace(host, domain, chosen.where, seconds=duration, output=keep, progress=live.show)
        if as_json:
            output.write_json(document.document(traced.report))
        else:
            text.write(traced.report, output.stdout())
        if traced.domain_ended:
            click.echo(f"xentool: {domain} has ended", err=True)
        if traced.interrupted:
            click.get_current_context().exit(INTERRUPTED)
        reports.raise_for_damage(traced.report, f"the trace of {host.name}")
