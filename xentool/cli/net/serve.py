"""``xentool net serve``."""

import click

from xentool.cli.common import options
from xentool.cli.common.numbers import Number
from xentool.cli.common.serving import until_told
from xentool.cli.screens import rings
from xentool.output import say
from xentool.tools.net.serve import serve
from xentool.tools.net.vifs import Wanted, parse
from xentool.tools.serving.serve import Serving


def _vifs(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> list[Wanted]:
    return [parse(value) for value in values]


@click.command()
@click.option(
    "--vif",
    "vifs",
    multiple=True,
    callback=_vifs,
    metavar="KEY=VALUE[,KEY=VALUE]...",
    help="An interface; may be given again. Keys: domain=NAME, whose it is; port=, where its frames go to and come "
    "from: tap[:NAME] (vifDOMID.HANDLE unless given), packet:INTERFACE, switch[:NAME] (of all that name "
    "it), pcap:FILE (gone on with if it is there), null; bridge=br0 and netns=NAME, for a TAP; from=FILE, a capture "
    "that the guest is sent; mac=00:16:3e:01:02:03; mtu=1500; queues=8; rate=10Mb/s, what the guest may send; "
    "handle=0, its number in the guest; front=user (for a program in the guest).",
)
@click.option("--loopback", metavar="NAME", help="Serve programs of this machine, without Xen.")
@click.option("--keep", is_flag=True, help="Leave interfaces attached at the end: the next to serve them goes on.")
@click.option(
    "--watch",
    is_flag=True,
    help="Show both rings of each queue while they are served: their indices, what is under way, pages posted for "
    "frames. In a pipe, or with --json, an object a ring and a line.",
)
@click.option("--interval", type=Number(0.1), metavar="SECONDS", help="With --json or --watch, tell so often.")
@options.as_json
def command(
    vifs: list[Wanted], loopback: str | None, keep: bool, watch: bool, interval: float | None, as_json: bool
) -> None:
    """Serve network interfaces until SIGTERM or Ctrl-C; what was taken by then is sent on, and they are plugged out.

    In a Xen dom0 it does for them what the kernel's netback does, and what Xen's vif-bridge script does besides: a TAP
    of its own is up, on its bridge, with the MTU that was asked for, and is gone with its frontend. With --json, what
    each interface has done is told at the end, an object a line; it is in XenStore all the time.
    """
    if not vifs:
        raise click.UsageError("give a --vif to serve")
    serving = serve(Serving(vifs, loopback=loopback, keep=keep), say)
    if watch:
        with rings.watched(rings.VIFS, as_json=as_json) as seen:
            until_told(serving, interval or rings.PICTURE_S, as_json=as_json, seen=seen)
        return
    until_told(serving, interval, as_json=as_json)
