"""``xentool store serve``: a XenStore for programs that expect one, without Xen."""

import asyncio
import signal
from pathlib import Path

import click

from pvdrivers.xenstore.domains import DOM0, DOMID_FIRST_RESERVED
from pvdrivers.xenstore.server import Server
from xentool.errors import XentoolError


def _domain_sockets(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> list[tuple[int, Path]]:
    sockets = []
    for value in values:
        domid, _, path = value.partition("=")
        if not (domid.isascii() and domid.isdigit() and int(domid) < DOMID_FIRST_RESERVED and path):
            raise click.BadParameter(f"{value!r} is no DOMID=PATH with a domid below {DOMID_FIRST_RESERVED}")
        sockets.append((int(domid), Path(path)))
    return sockets


@click.command()
@click.option(
    "--socket",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="Where domain 0's tools connect; they find it by $XENSTORED_PATH.",
)
@click.option(
    "--domain-socket",
    "domain_sockets",
    multiple=True,
    callback=_domain_sockets,
    metavar="DOMID=PATH",
    help="Where clients connect that are this domain, with its permissions and quotas. May be given again.",
)
def command(path: Path, domain_sockets: list[tuple[int, Path]]) -> None:
    """Serve a XenStore on UNIX sockets until SIGTERM or Ctrl-C; it begins empty.

    It does what C xenstored does. Xen's own programs use it: XENSTORED_PATH=PATH xenstore-ls
    """
    if asyncio.run(_serve([(DOM0, path), *domain_sockets])) == signal.SIGINT:
        raise KeyboardInterrupt


async def _serve(sockets: list[tuple[int, Path]]) -> signal.Signals:
    loop = asyncio.get_running_loop()
    ended: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.put_nowait, number)
    # What goes wrong at one client's socket is told in a line, and is no reason to end.
    loop.set_exception_handler(
        lambda _, context: click.echo(f"xentool: {context.get('exception') or context['message']}", err=True)
    )
    async with Server() as server:
        for domid, path in sockets:
            try:
                await server.listen(path, domid)
            except OSError as error:
                raise XentoolError(f"cannot listen on {path}: {error.strerror or error}") from error
        listening = ", ".join(f"domain {domid} on {path}" for domid, path in sockets)
        click.echo(f"xentool: serving XenStore: {listening}", err=True)
        return await ended.get()
