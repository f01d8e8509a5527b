"""``xentool net dump``."""

import sys
from contextlib import ExitStack
from pathlib import Path

import click

from traces.plural import plural
from xentool.cli.common import options
from xentool.cli.common.ending import Ending
from xentool.output import say
from xentool.tools.net.dump import capture, places
from xentool.tools.net.dump.client import watching
from xentool.tools.net.dump.records import Wish
from xentool.tools.outputs import growing


@click.command()
@click.argument("domain", required=False)
@click.option("--loopback", metavar="NAME", help="A loopback of `net serve`; DOMAIN is one of its numbers, or all.")
@click.option("--vif", "handle", type=click.IntRange(0), metavar="N", help="This vif alone.  [default: all]")
@click.option("-o", "--output", "path", required=True, metavar="FILE", help="Where it goes; - for standard output.")
@click.option("-n", "--count", type=click.IntRange(1), metavar="N", help="End after N packets.")
@options.duration
def command(
    domain: str | None, loopback: str | None, handle: int | None, path: str, count: int | None, duration: float | None
) -> None:
    """Write what goes over DOMAIN's vifs as pcapng, from now on until Ctrl-C: those that `xentool net serve` serves.

    What a guest sends is inbound, as on dom0's vif. A comment with each packet has its slots with their grefs and
    statuses, flags, and what is left to be done to it: a blank checksum is no damage. What the rings refuse is there as
    well, without bytes. What goes by faster than it is taken is counted, in the capture too: serving waits for nobody.

    To look at it at once: `xentool net dump web -o - | wireshark -k -i -`, or `| tshark -r -`.
    """
    if domain is None and loopback is None:
        raise click.UsageError("give a DOMAIN, or --loopback")
    if path == "-" and sys.stdout.isatty():
        raise click.UsageError("a capture is binary; redirect it")
    whose = f"domain {domain}" if loopback is None else f"loopback {loopback}"
    wish = Wish(places.domid(domain, loopback), handle)
    with ExitStack() as stack:
        watched = stack.enter_context(watching(places.folder(loopback), wish, whose))
        # An older file stays as it is where there is nothing to watch.
        file = sys.stdout.buffer if path == "-" else stack.enter_context(growing(Path(path)))
        ending = Ending()
        done = capture.write(watched, file, count=count, seconds=duration, enough=lambda: ending.wait(0))
    say(f"{plural(done.packets, 'packet')}, {done.lost:,} lost" + ("; its daemon has ended" if done.gone else ""))
    if ending.interrupted:
        raise KeyboardInterrupt
