"""The PV devices of a host with both their ends, and what looks wrong: read from XenStore, judged by `diagnose`."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pvdrivers.xenstore.client import Client, NotFound, XenStoreError
from xentool.errors import XentoolError
from xentool.hosts import Host
from xentool.tools import diagnose, xl
from xentool.tools.devices import Device, devices
from xentool.tools.store import connect

# What of a domain's home tells about devices; the rest is the guest's own, and may be much.
_PARTS = ("device", "console", "backend", "error", "vm")
# A request waits for the store and for the way there, so that many at once take hardly longer than one.
_AT_ONCE = 16


@dataclass(frozen=True)
class Inspected:
    """A device, and what looks wrong with it."""

    device: Device
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Inspection:
    """All devices, or those of one domain.

    :param stale: uppermost nodes of domains that are gone; only of whole hosts
    """

    devices: tuple[Inspected, ...]
    stale: tuple[str, ...]


def inspect(host: Host, domid: int | None = None) -> Inspection:
    """Look at the devices of a host, or those of which a domain has an end.

    :raises Unavailable: there is no XenStore to be had
    :raises XentoolError: it failed
    """
    # Who comes or goes meanwhile counts as there: nodes and domain do not come and go at once.
    alive = {row.domid for row in xl.rows(host)}
    try:
        with connect(host) as client:
            nodes = read(client, domid)
    except XenStoreError as error:
        raise XentoolError(f"{host.name}: {error}") from error
    alive |= {row.domid for row in xl.rows(host)}
    found = (Inspected(device, tuple(diagnose.problems(device, alive))) for device in devices(nodes, domid))
    return Inspection(tuple(found), () if domid is not None else tuple(diagnose.stale(nodes, alive)))


def read(client: Client, domid: int | None = None) -> dict[str, bytes]:
    """Read what of a store tells about devices, of one domain when it is given."""
    nodes: dict[str, bytes] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for part in pool.map(lambda top: _subtree(client, top), list(_tops(client, domid))):
            nodes |= part
    if domid is None:
        for top in ("/local/domain", "/libxl", "/vm"):
            nodes |= {f"{top}/{name}": b"" for name in _names(client, top)}
    return nodes


def _tops(client: Client, domid: int | None) -> Iterator[str]:
    homes = [f"/local/domain/{name}" for name in _names(client, "/local/domain")]
    own = f"/local/domain/{domid}"
    for home in homes:
        if domid is None or home == own:
            yield from (f"{home}/{part}" for part in _PARTS)
        else:
            yield f"{home}/error"
            yield from (f"{home}/backend/{kind}/{domid}" for kind in _names(client, f"{home}/backend"))
    if domid is not None:
        yield from _served(client, own)


def _served(client: Client, home: str) -> Iterator[str]:
    """Give the frontends of a domain's backends."""
    for kind in _names(client, f"{home}/backend"):
        for front in _names(client, f"{home}/backend/{kind}"):
            yield from (f"/local/domain/{front}/{part}" for part in ("device", "console"))


def _names(client: Client, path: str) -> Iterable[str]:
    try:
        return client.directory(path)
    except NotFound:
        return ()


def _subtree(client: Client, top: str) -> dict[str, bytes]:
    try:
        return client.snapshot(top)
    except NotFound:
        return {}
