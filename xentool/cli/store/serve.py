"""``xentool store serve``: a XenStore for programs that expect one, without Xen."""

import signal
from pathlib import Path

import click

from pvdrivers.xenstore.domains import DOM0, DOMID_FIRST_RESERVED
from pvdrivers.xenstore.quotas import DISABLED, PROFILE
from xentool.output import say
from xentool.tools.store.service import serve


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
    if serve([(DOM0, path), *domain_sockets], state, limits, say) == signal.SIGINT:
        raise KeyboardInterrupt
