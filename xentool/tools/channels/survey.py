"""All grants and event channels of a host at one moment, with their names."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from pvdrivers.xenstore.client import Client, NotFound, XenStoreError
from xentool.errors import PeerError, XentoolError
from xentool.hosts import Host
from xentool.tools import store, xl
from xentool.tools.channels import dump, findings, grants, ports, serves, vchans
from xentool.tools.channels.grants import GrantTable
from xentool.tools.channels.ports import Port
from xentool.tools.channels.serves import Key
from xentool.tools.devices.paired import devices
from xentool.tools.store.nodes import Node, Unlisted, tree

#: How often Xen is asked at most, as long as lines of its own tear what it prints: it says some once after a boot.
_TRIES = 3


class Printed(NamedTuple):
    """What Xen printed, read: ports and tables by domain, and the lines that could not be read.

    :param lost_ports: those of the lines that tell of ports, so that some are missing
    :param lost_grants: likewise of grants
    """

    ports: dict[int, list[Port]]
    tables: dict[int, GrantTable]
    unread: list[str]
    lost_ports: list[str]
    lost_grants: list[str]


@dataclass(frozen=True)
class Survey:
    """What was found.

    :param names: of domains, by domid; None for one that XenStore does not name
    :param grant_names: of rings; see `serves.grant_name`
    :param findings: what looks wrong, by domid
    :param unread: lines of Xen's that could not be read
    :param lost_ports: what says that some ports are missing
    :param lost_grants: likewise of grants
    :param unlisted: why some of XenStore could not be read
    """

    names: dict[int, str | None]
    tables: dict[int, GrantTable]
    ports: dict[int, list[Port]]
    grant_names: dict[Key, str]
    port_names: dict[Key, str]
    findings: list[tuple[int, str]]
    unread: list[str]
    lost_ports: list[str]
    lost_grants: list[str]
    unlisted: list[Unlisted]


def survey(host: Host) -> Survey:
    """Ask Xen and XenStore.

    :raises XentoolError: one of them cannot tell
    """
    said = printed(host)
    names = {row.domid: row.name for row in xl.rows(host)}
    unlisted: list[Unlisted] = []
    try:
        with store.connect(host) as client:
            found = _nodes(client, names, unlisted)
    except XenStoreError as error:
        raise XentoolError(f"{host.name}: {error}") from error
    nodes = {node.path: node.value for node in found if node.value is not None}
    # XenStore says it of other domains; of its own dom0's kernel does.
    own = host.run(["cat", "/proc/xen/xsd_port"], check=False)
    nodes.setdefault("/local/domain/0/store/port", own.stdout.strip())
    return made(names, said, nodes, unlisted)


def _nodes(client: Client, domids: Iterable[int], unlisted: list[Unlisted]) -> list[Node]:
    found = tree(client, "/local/domain", unlisted=unlisted)
    if any(each.path == "/local/domain" for each in unlisted):
        for domid in domids:
            with suppress(NotFound):
                found += tree(client, f"/local/domain/{domid}", unlisted=unlisted)
    return found


def printed(host: Host) -> Printed:
    """Let Xen print what it knows, and again while some of that cannot be read; the last time counts.

    Lines that come again just so were not torn: they are of a kind that is not known here.

    :raises XentoolError: see `dump.read`
    """
    before: list[str] = []
    for _ in range(_TRIES - 1):
        # What was torn may be a line by which the dumps are found.
        with suppress(PeerError):
            said = parsed(*dump.read(host))
            if said.unread in ([], before):
                return said
            before = said.unread
    return parsed(*dump.read(host))


def parsed(on_ports: list[str], on_grants: list[str]) -> Printed:
    """Read the lines on event channels, and those on grants."""
    by_domid, unread_ports = ports.parse(on_ports)
    tables, unread_grants = grants.parse(on_grants)
    # Of domain 0 at least there is something.
    lost_ports = ports.missing(unread_ports) if by_domid else ["nothing of any domain"]
    lost_grants = grants.missing(unread_grants) if tables else ["nothing of any domain"]
    return Printed(by_domid, tables, [*unread_ports, *unread_grants], lost_ports, lost_grants)


def made(
    names: dict[int, str | None], said: Printed, nodes: dict[str, bytes], unlisted: Iterable[Unlisted] = ()
) -> Survey:
    """Put together what was read."""
    found = devices(nodes)
    of_vchans = vchans.vchans(nodes)
    alive = names.keys() | said.ports.keys() | said.tables.keys()
    return Survey(
        names=names,
        tables=said.tables,
        ports=said.ports,
        # A vchan that ended badly leaves its nodes, and its grant to a device.
        grant_names=serves.grants_of_vchans(of_vchans) | serves.names_of_grants(found),
        port_names=serves.names_of_ports(found, of_vchans, nodes, said.ports),
        findings=[
            *findings.of_ports(said.ports),
            *findings.of_grants(said.tables, found, of_vchans),
            *findings.of_vchans(vchans.leftovers(nodes, alive)),
        ],
        unread=said.unread,
        lost_ports=said.lost_ports,
        lost_grants=said.lost_grants,
        unlisted=list(unlisted),
    )
