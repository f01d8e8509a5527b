"""The PV devices of a host with both their ends, and what looks wrong: read from XenStore, judged by `diagnose`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pvdrivers.xenstore.client import Client, NotFound, XenStoreError
from xentool.errors import XentoolError
from xentool.hosts import Host
from xentool.tools import xl
from xentool.tools.devices import diagnose, kinds, links
from xentool.tools.devices.links import Link
from xentool.tools.devices.paired import Device, devices
from xentool.tools.store import connect
from xentool.tools.store.nodes import Unlisted, children
from xentool.tools.store.together import together

# What of a domain's home tells about devices; the rest is the guest's own, and may be much.
_DEVICES = ("device", "xenserver/device")
_FRONTS = (*_DEVICES, "console", "vuart")
_BACKENDS = ("backend", "xenserver/backend")


@dataclass(frozen=True)
class Inspected:
    """A device, and what looks wrong with it."""

    device: Device
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Inspection:
    """All devices, or those of one domain.

    :param stale: uppermost nodes of domains that are gone; only of whole hosts
    :param unlisted: what of the store could not be read
    """

    devices: tuple[Inspected, ...]
    stale: tuple[str, ...]
    unlisted: tuple[Unlisted, ...] = ()


def inspect(host: Host, domid: int | None = None) -> Inspection:
    """Look at the devices of a host, or those of which a domain has an end.

    :raises Unavailable: there is no XenStore to be had
    :raises XentoolError: it failed
    """
    # Who comes or goes meanwhile counts as there: nodes and domain do not come and go at once.
    alive = {row.domid for row in xl.rows(host)}
    unlisted: list[Unlisted] = []
    try:
        with connect(host) as client:
            nodes = read(client, domid, alive=alive, unlisted=unlisted)
    except XenStoreError as error:
        raise XentoolError(f"{host.name}: {error}") from error
    alive |= {row.domid for row in xl.rows(host)}
    there = devices(nodes, domid)
    netdevs = _netdevs(host, there)
    found = (Inspected(device, tuple(diagnose.problems(device, alive, netdevs))) for device in there)
    stale = () if domid is not None else tuple(diagnose.stale(nodes, alive))
    return Inspection(tuple(found), stale, tuple(unlisted))


def _netdevs(host: Host, found: Iterable[Device]) -> dict[str, Link]:
    # Where some are in dom0's kernel.
    if not any(map(links.netdev, found)):
        return {}
    return links.parse(host.run(links.COMMAND, check=False).stdout.decode(errors="replace"))


def read(
    client: Client,
    domid: int | None = None,
    *,
    kind: str | None = None,
    alive: Iterable[int] = (),
    unlisted: list[Unlisted] | None = None,
) -> dict[str, bytes]:
    """Read what of a store tells about devices, of one domain when it is given.

    :param kind: a kind of frontends: of others, and of what only serves others, nothing is read
    :param alive: domids that there are: their nodes are found also where the store cannot list all domains'
    :param unlisted: takes what the store cannot list
    """
    nodes: dict[str, bytes] = {}
    living = sorted({*alive, *(() if domid is None else (domid,))})
    reader = _Reader(client, living, [] if unlisted is None else unlisted, kind)
    homes = reader.by_domain("/local/domain")
    tops = [top for each in together(lambda home: list(reader.tops(home, domid)), homes) for top in each]
    for part in together(reader.subtree, dict.fromkeys(tops)):
        nodes |= part
    if domid is None:
        nodes |= dict.fromkeys(homes, b"")
        for top in ("/libxl", "/vm"):
            nodes |= dict.fromkeys(reader.children(top), b"")
        for part in together(reader.vchans, homes):
            nodes |= part
    return nodes


class _Reader:
    def __init__(self, client: Client, alive: Sequence[int], unlisted: list[Unlisted], kind: str | None) -> None:
        self._client = client
        self._alive = alive
        self._unlisted = unlisted
        self._kind = kind
        self._fronts = _FRONTS if kind is None else tuple(f"{top}/{kind}" for top in _DEVICES)

    def children(self, path: str) -> list[str]:
        try:
            return children(self._client, path, self._unlisted)
        except NotFound:
            return []

    def by_domain(self, path: str) -> list[str]:
        """List the children of a node that are called by domids."""
        found = self.children(path)
        if any(each.path == path for each in self._unlisted):
            # Where there are too many to be listed, most are of domains that are gone.
            found = [f"{path}/{domid}" for domid in self._alive]
        return found

    def tops(self, home: str, domid: int | None) -> Iterator[str]:
        """Give the nodes to be read with all under them, of one domain's home.

        :param domid: of the domain that is looked at; None for all
        """
        if domid is not None and home != f"/local/domain/{domid}":
            yield f"{home}/error"
            yield from (f"{kind}/{domid}" for kind in self._kinds(home))
            return
        yield from (f"{home}/{part}" for part in (*self._fronts, "error", "vm"))
        for served in (each for kind in self._kinds(home) for each in self.by_domain(kind)):
            yield served
            if domid is not None:
                # The frontends of its backends.
                yield from (f"/local/domain/{served.rpartition('/')[2]}/{part}" for part in self._fronts)

    def _kinds(self, home: str) -> list[str]:
        found = [kind for above in _BACKENDS for kind in self.children(f"{home}/{above}")]
        return [kind for kind in found if self._kind is None or self._may_serve(kind.rpartition("/")[2])]

    def _may_serve(self, backend: str) -> bool:
        return kinds.SERVES.get(backend, backend) == self._kind or backend not in kinds.KNOWN

    def subtree(self, top: str) -> dict[str, bytes]:
        """Read a node and all under it; what goes away meanwhile is left out."""
        found: dict[str, bytes] = {}
        stack = [top]
        while stack:
            path = stack.pop()
            try:
                found[path] = self._client.read(path)
            except NotFound:
                continue
            stack += self.children(path)
        return found

    def vchans(self, home: str) -> dict[str, bytes]:
        """Give what tells whether channels of domains that are gone have left something."""
        found: dict[str, bytes] = {}
        alive = {str(domid) for domid in self._alive}
        for path in self.children(f"{home}/data/vchan"):
            if path.rpartition("/")[2] not in alive:
                found |= dict.fromkeys([path, *self.children(path)], b"")
        return found
