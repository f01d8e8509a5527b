"""``xentool block bench``."""

from typing import Any

import click

from xentool.cli.block.sizes import size
from xentool.cli.common import options, repeated
from xentool.cli.common.numbers import Number
from xentool.output import write_json
from xentool.tools.block.measure import OPERATIONS, Workload, measure


@click.command()
@click.option(
    "--loopback",
    is_flag=False,
    flag_value="",
    metavar="[NAME]",
    help="A loopback of `block serve`; without NAME, and by default, one of its own.",
)
@click.option(
    "--front", metavar="DISK", help="A disk that `block serve` has given this Xen domain with front=user, such as xvdb."
)
@click.option(
    "--blkback", metavar="FILE", help="What the kernel of this dom0 is to serve: our frontend on its backend."
)
@click.option("--op", type=click.Choice(OPERATIONS), default="randread", show_default=True, help="What to do.")
@click.option("--bs", default="4096", callback=size, show_default=True, metavar="SIZE", help="Size of each operation.")
@click.option(
    "--depth", type=click.IntRange(1, 1024), default=32, show_default=True, help="Operations at once, a queue."
)
@click.option("--seconds", type=Number(0.1, 86_400), default=5, show_default=True, help="How long.")
@click.option(
    "--disk", default="mem", show_default=True, metavar="DISK", help="Its own backend's: null, mem or a file."
)
@click.option("--device", default="xvda", show_default=True, metavar="XVD", help="Which of NAME's disks.")
@click.option("--queues", type=click.IntRange(1, 64), default=1, show_default=True, help="Queues, at most.")
@click.option("--order", type=click.IntRange(0, 4), default=4, show_default=True, help="Ring pages: 2^ORDER, at most.")
@click.option("--indirect", type=click.IntRange(0, 4096), default=256, show_default=True, help="Segments, at most.")
@click.option(
    "--persistent/--no-persistent", default=True, show_default=True, help="Let the backend keep pages mapped."
)
@click.option(
    "--grants",
    type=click.Choice(["copy", "map"]),
    default="copy",
    show_default=True,
    help="Its own backend's way to pages.",
)
@repeated.repeat
@options.as_json
def command(loopback: str | None, times: int, as_json: bool, **words: Any) -> None:  # noqa: ANN401 - click has checked them
    """Measure a disk as fio does, through our frontend: on a loopback, or on Xen with any backend.

    Without a NAME, a backend process of its own serves --disk. The writing operations overwrite what is there.
    Notifications and system calls are those of both ends, as far as the backend counts them: calls for data, for
    notifications and for waiting, not those by which threads wait for one another.
    """
    if sum(way is not None for way in (words["front"], words["blkback"], loopback)) > 1:
        raise click.UsageError("a disk is in one place: give --loopback, --front or --blkback")
    load = Workload(loopback=loopback or None, **words)
    results = repeated.measured(lambda: measure(load), load.seconds, times)
    result = repeated.document(results, "iops")
    if as_json:
        write_json(result)
        return
    latency = result["latency_us"]
    rate = f"{result['iops']:,}{repeated.sure([each['iops'] for each in results])}"
    middle = f"{latency['p50']}{repeated.sure([each['latency_us']['p50'] for each in results])} µs"
    click.echo(
        f"{result['op']}, {result['bs']} B, {result['depth']} at once: {rate}/s, {result['mbps']} MB/s, {middle}\n"
        f"{repeated.latencies(result)}\n"
        f"a request: {result['notifications_per_request']} notifications, "
        f"{result['syscalls_per_request']} system calls"
    )
