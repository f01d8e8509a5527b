"""``xentool block bench``."""

import click

from xentool.cli import options
from xentool.cli.block.sizes import size
from xentool.output import write_json
from xentool.tools.block.measure import Load, measure


@click.command()
@click.option(
    "--loopback", is_flag=False, flag_value="", metavar="[NAME]", help="Of `block serve`; without it, its own."
)
@click.option("--front", metavar="DISK", help="A frontend of this Xen domain without a driver: xvdb, or its directory.")
@click.option(
    "--op", type=click.Choice(["randread", "randwrite", "read", "write"]), default="randread", show_default=True
)
@click.option("--bs", default="4096", callback=size, show_default=True, metavar="SIZE", help="Of each operation.")
@click.option(
    "--depth", type=click.IntRange(1, 1024), default=32, show_default=True, help="Operations at once, a queue."
)
@click.option("--seconds", type=click.FloatRange(0.1), default=5, show_default=True)
@click.option(
    "--disk", default="mem", show_default=True, metavar="DISK", help="Of its own backend: null, mem or a file."
)
@click.option("--device", default="xvda", show_default=True, metavar="XVD", help="Which of NAME's disks.")
@click.option("--queues", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option("--order", type=click.IntRange(0, 4), default=4, show_default=True, help="Ring pages: 2^ORDER, at most.")
@click.option("--indirect", type=click.IntRange(0, 4096), default=256, show_default=True, help="Segments, at most.")
@click.option(
    "--persistent/--no-persistent", default=True, show_default=True, help="Let the backend keep pages mapped."
)
@click.option(
    "--grants", type=click.Choice(["copy", "map"]), default="copy", help="Of its own backend, unless persistent."
)
@options.as_json
def command(
    loopback: str | None,
    front: str | None,
    op: str,
    bs: int,
    depth: int,
    seconds: float,
    disk: str,
    device: str,
    queues: int,
    order: int,
    indirect: int,
    persistent: bool,
    grants: str,
    as_json: bool,
) -> None:
    """Measure a disk as fio does, through our frontend: on a loopback, or on Xen with any backend.

    Without a NAME, a backend process of its own serves --disk; what is there may be overwritten by the writing ones.
    Notifications and system calls are those of both ends, as far as the backend counts them.
    """
    if front and loopback is not None:
        raise click.UsageError("a disk is on Xen or on a loopback: give --front or --loopback")
    result = measure(
        Load(
            op, bs, depth, seconds, disk, device, loopback or None, front, queues, order, indirect, persistent,
            ("--grants", grants),
        )
    )  # fmt: skip
    if as_json:
        write_json(result)
        return
    latency = result["latency_us"]
    click.echo(
        f"{op}: {result['iops']} operations/s, {result['mbps']} MB/s; latency {latency['p50']} us (median), "
        f"{latency['p99']} us (99 %), {latency['p999']} us (99.9 %); "
        f"{result['notifications_per_request']} notifications and {result['syscalls_per_request']} system calls "
        "a request"
    )
