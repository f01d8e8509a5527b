"""``xentool top``."""

import sys
from contextlib import closing

import click

from xentool.cli.common import options
from xentool.cli.common.numbers import Number
from xentool.cli.screens import top_running
from xentool.cli.screens.top import ORDERS
from xentool.tools.store.nodes import complain


@click.command("top")
@click.option(
    "-d",
    "--delay",
    type=Number(0.1),
    default=3,
    show_default=True,
    metavar="SECONDS",
    help="Time between two pictures.",
)
@click.option("-n", "--number", type=click.IntRange(1), metavar="N", help="End after so many.  [default: q or Ctrl-C]")
@click.option("--sort", type=click.Choice(list(ORDERS)), default="cpu", show_default=True, help="The order.")
@click.option(
    "-x",
    "--hypercalls",
    "traced",
    is_flag=True,
    help="Trace the host meanwhile, and tell each domain's hypercalls a second.",
)
@options.where
@options.connect
@options.as_json
def command(
    delay: float, number: int | None, sort: str, traced: bool, where: str | None, uri: str | None, as_json: bool
) -> None:
    """Show what each domain uses, again and again: CPU, memory, disks and networks.

    100 % is one physical CPU. What a guest receives is "in". Where stdout is no terminal, one table follows the other;
    --json prints an object a line.

    On a terminal V, N and B show the vCPUs, networks and disks of each domain, / only domains that have a text in their
    lines, and ? what all keys do.

    --hypercalls costs dom0 time, and a host can be traced by one only. A multicall counts as one hypercall.
    """
    traced = traced or sort == "hypercalls"
    with closing(options.toolstack(where, uri, traced=traced)) as toolstack:
        if sys.stdout.isatty() and sys.stdin.isatty() and not as_json:
            top_running.live(toolstack, delay, number, sort)
        else:
            top_running.printed(toolstack, delay, number, sort, as_json=as_json)
    complain(toolstack.unlisted)
