"""``xentool net bench``."""

from typing import Any

import click

from xentool.cli.block.sizes import size
from xentool.cli.common import options, repeated
from xentool.cli.common.numbers import Number
from xentool.output import write_json
from xentool.tools.net.measure import DIRECTIONS, Load, measure


@click.command()
@click.option(
    "--loopback",
    is_flag=False,
    flag_value="",
    metavar="[NAME]",
    help="A loopback of `net serve`; without NAME, and by default, one of its own.",
)
@click.option(
    "--front", metavar="N", help="A vif that `net serve` has given this Xen domain with front=user, such as 0."
)
@click.option("--netback", is_flag=True, help="The kernel's backend in this dom0, and an interface of its own there.")
@click.option("--size", default="64", callback=size, show_default=True, metavar="SIZE", help="Bytes of each frame.")
@click.option("--gso", is_flag=True, help="Frames of TCP that are to be cut into segments, as for a network card.")
@click.option(
    "--depth",
    type=click.IntRange(1, 256),
    default=256,
    show_default=True,
    help="Frames under way at most, as far as the rings have room; as many more are made meanwhile, unless it is both.",
)
@click.option("--seconds", type=Number(0.1, 86_400), default=5, show_default=True, help="How long.")
@click.option(
    "--direction",
    type=click.Choice(DIRECTIONS),
    default="tx",
    show_default=True,
    help="From our frontend, to it, or there and back.",
)
@click.option("--device", type=click.IntRange(0), default=0, show_default=True, help="Which of NAME's vifs.")
@repeated.repeat
@options.as_json
def command(loopback: str | None, times: int, as_json: bool, **words: Any) -> None:  # noqa: ANN401 - click has checked them
    """Measure a network interface, through our frontend: on a loopback, or on Xen with our backend or the kernel's.

    Without a NAME, a process of its own is the far end. Counted is what reached the far port: the backend's, or with
    rx the frontend's. Latencies are those of one way, or with both from there and back; with depth 1 that is the round
    trip of one frame. Where the far end is not its own, latencies are not known, and what comes in by rx is what
    somebody else sends. Notifications and system calls are those of both ends, as far as the backend counts them.
    """
    if sum((words["front"] is not None, words["netback"], loopback is not None)) > 1:
        raise click.UsageError("a vif is in one place: give --loopback, --front or --netback")
    load = Load(loopback=loopback or None, **words)
    results = repeated.measured(lambda: measure(load), load.seconds, times)
    result = repeated.document(results, "pps")
    if as_json:
        write_json(result)
        return
    rate = f"{result['pps']:,}{repeated.sure([each['pps'] for each in results])}"
    click.echo(
        f"{result['direction']}, {result['size']} B: {rate} frames/s, {result['gbps']} Gbit/s\n"
        f"{repeated.latencies(result)}\n"
        f"a packet: {result['notifications_per_packet']} notifications, {result['syscalls_per_packet']} system calls, "
        f"{result['slots_per_packet']} slots"
    )
