"""``xentool store serve``: a XenStore for programs that expect one, without Xen."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import click

from pvdrivers.complaints import Complaints
from pvdrivers.xenstore.domains import DOM0, DOMID_FIRST_RESERVED
from pvdrivers.xenstore.journal import Journal, JournalError
from pvdrivers.xenstore.lookout import Lookout
from pvdrivers.xenstore.quotas import DISABLED, PROFILE
from pvdrivers.xenstore.server import Server
from pvdrivers.xenstore.store import Store
from xentool.cli.screens.views import counted
from xentool.errors import XentoolError
from xentool.output import say


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


def _limits(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    limits = {}
    for value in values:
        name, _, limit = value.partition("=")
        if name not in PROFILE or not (limit.isascii() and limit.isdigit() and int(limit) < DISABLED):
            raise click.BadParameter(f"{value!r} is no QUOTA=N; there are {', '.join(PROFILE)}")
        limits[name] = int(limit)
    return limits


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
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the nodes in this file. What was answered survives the server's death (kill -9), not a power failure.",
)
@click.option(
    "--quota",
    "limits",
    multiple=True,
    callback=_limits,
    metavar="QUOTA=N",
    help="A domain may take up less than N; 0 for no limit.  "
    f"[default: xenstored's of Xen master: {', '.join(f'{name}={limit}' for name, limit in PROFILE.items())}]",
)
def command(path: Path, domain_sockets: list[tuple[int, Path]], state: Path | None, limits: dict[str, int]) -> None:
    """Serve a XenStore on UNIX sockets until SIGTERM or Ctrl-C; without --state it begins empty.

    It does what C xenstored does. Xen's own programs use it: XENSTORED_PATH=PATH xenstore-ls
    """
    try:
        store = _kept(state) if state else Store()
        store.domains.limits.update(limits)
        ended = asyncio.run(_serve(store, [(DOM0, path), *domain_sockets]))
    except JournalError as error:
        raise XentoolError(str(error)) from error
    if ended == signal.SIGINT:
        raise KeyboardInterrupt


def _kept(state: Path) -> Store:
    journal = Journal(state)
    for line in _told(journal):
        say(f"{state}: {line}")
    return Store(journal.tree, journal.commit)


def _told(journal: Journal) -> Iterator[str]:
    if journal.torn:
        yield f"left out {journal.torn} bytes at its end, the beginning of a change that was never answered"
    if journal.damage:
        first, places = journal.damage[0].at, len(journal.damage)
        size = sum(piece.size for piece in journal.damage)
        where = f"at byte {first}" if places == 1 else f"in {places} places from byte {first} on"
        yield (
            f"damaged: {counted(size, 'byte')} {where} left out, with the changes in them; "
            f"{counted(journal.lost, 'node')} known to be lost; the file as it was is {journal.aside}"
        )


async def _serve(store: Store, sockets: list[tuple[int, Path]]) -> signal.Signals:
    loop = asyncio.get_running_loop()
    ended: asyncio.Queue[signal.Signals | JournalError] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.put_nowait, number)

    complaints = Complaints(say)

    def failed(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        if isinstance(error, JournalError):
            ended.put_nowait(error)
        else:
            # What goes wrong at one client's socket is told in a line, and is no reason to end.
            complaints(loop, context)

    loop.set_exception_handler(failed)
    async with Server(store, Lookout(loop.time, loop.call_soon)) as server:
        for domid, path in sockets:
            try:
                await server.listen(path, domid)
            except OSError as error:
                raise XentoolError(f"cannot listen on {path}: {error.strerror or error}") from error
        listening = ", ".join(f"domain {domid} on {path}" for domid, path in sockets)
        say(f"serving XenStore: {listening}")
        reason = await ended.get()
        if isinstance(reason, JournalError):
            raise reason
        return reason
