"""``xentool block serve``."""

from typing import Literal

import click

from xentool.cli.common import options
from xentool.cli.common.numbers import Number
from xentool.cli.common.serving import until_told
from xentool.cli.screens import rings
from xentool.output import say
from xentool.tools.block.disks import Wanted, parse
from xentool.tools.block.serve import Serving, serve


def _disks(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> list[Wanted]:
    return [parse(value) for value in values]


@click.command()
@click.option("--domain", metavar="NAME", help="The guest that gets the disks, by name or number.")
@click.option(
    "--disk",
    "disks",
    multiple=True,
    callback=_disks,
    metavar="FILE[,KEY=VALUE]...",
    help="A file, a block device, an image (*.qcow2), mem:SIZE or null:SIZE. Keys: vdev=xvdb, mode=r|w, domain=NAME, "
    "sector-size=4096, front=user (for a program in the guest, such as `block bench --front`). May be given again. "
    "What others write to is refused; mode=w! (as in Xen) serves it all the same, mode=r always shares.",
)
@click.option("--loopback", metavar="NAME", help="Serve programs of this machine, without Xen.")
@click.option("--keep", is_flag=True, help="Leave disks attached at the end: the next to serve them goes on.")
@click.option("--grants", type=click.Choice(["copy", "map"]), default="copy", show_default=True, help="Way to pages.")
@click.option("--persistent/--no-persistent", default=True, show_default=True, help="Offer to keep pages mapped.")
@click.option("--queues", type=click.IntRange(1, 64), default=4, show_default=True, help="Queues to offer.")
@click.option("--order", type=click.IntRange(0, 4), default=4, show_default=True, help="Ring pages to offer: 2^ORDER.")
@click.option("--indirect", type=click.IntRange(0, 4096), default=256, show_default=True, help="Segments to offer.")
@click.option(
    "--watch",
    is_flag=True,
    help="Show the rings while they are served: their indices, requests under way, pages mapped. In a pipe, or with "
    "--json, an object a ring and a line.",
)
@click.option("--interval", type=Number(0.1), metavar="SECONDS", help="With --json or --watch, tell so often.")
@options.as_json
def command(
    domain: str | None,
    disks: list[Wanted],
    loopback: str | None,
    keep: bool,
    grants: Literal["copy", "map"],
    persistent: bool,
    queues: int,
    order: int,
    indirect: int,
    watch: bool,
    interval: float | None,
    as_json: bool,
) -> None:
    """Serve disks until SIGTERM or Ctrl-C; what was taken by then is done first, and the disks are plugged out.

    In a Xen dom0 it does for them what the kernel's blkback does. With --json, what each disk has done is told at the
    end, an object a line; it is in XenStore all the time.
    """
    if not disks:
        raise click.UsageError("give a --disk to serve")
    wanted = Serving(
        disks, domain, loopback, keep=keep, max_queues=queues, max_order=order, max_indirect=indirect,
        persistent=persistent, grants=grants,
    )  # fmt: skip
    if watch:
        with rings.watched(rings.DISKS, as_json=as_json) as seen:
            until_told(serve(wanted, say), interval or rings.PICTURE_S, as_json=as_json, seen=seen)
        return
    until_told(serve(wanted, say), interval, as_json=as_json)
