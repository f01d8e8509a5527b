"""``xentool diff``: what differs between two traces."""

from pathlib import Path

import click

from traces.exporters import differences as texts
from traces.xen.formats.exits import Vendor
from xentool import output
from xentool.cli.common import completing, options
from xentool.cli.common.numbers import HZ_MAX, Number
from xentool.tools.tracing import differences, reports
from xentool.tools.tracing.reports import Chosen, Reading


@click.command()
@click.argument("before", metavar="A", type=click.Path(path_type=Path))
@click.argument("after", metavar="B", type=click.Path(path_type=Path))
@click.option(
    "--domain",
    shell_complete=completing.traced,
    help="Only this domain, by number or name; ONE:OTHER if it is called otherwise in B.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="DOMID=NAME",
    help="What a domain is called, as in 1=web, or 1:3=web if it is 3 in B, where the traces do not tell; "
    "may be repeated.",
)
@click.option(
    "--hz", type=Number(1, HZ_MAX), help="The clock's rate, cycles per second.  [default: found in each trace]"
)
@options.vendor
@options.as_json
def command(
    before: Path,
    after: Path,
    domain: str | None,
    names: tuple[str, ...],
    hz: float | None,
    vendor: Vendor | None,
    as_json: bool,
) -> None:
    """Tell what domains do otherwise in trace B than in A: hypercalls, VM exits, grants, run states.

    Only differences that the ups and downs within each trace do not explain are told.
    """
    each = [options.named(side) for side in zip(*map(_sides, names), strict=True)] or [(), ()]
    one, other = (
        differences.trace(path, Reading(Chosen(names=of), hz=hz, vendor=vendor))
        for path, of in zip((before, after), each, strict=True)
    )
    found = differences.differences(one, other, domain)
    if as_json:
        output.write_json(texts.document(found))
    else:
        texts.write(found, output.stdout())
    for trace in (one, other):
        reports.raise_for_damage(trace.report, str(trace.path))


def _sides(value: str) -> tuple[str, str]:
    domids, equals, name = value.partition("=")
    one, _, other = domids.partition(":")
    return f"{one}{equals}{name}", f"{other or one}{equals}{name}"
