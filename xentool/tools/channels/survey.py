"""All grants and event channels of a host at one moment, with their names."""

from contextlib import suppress
from dataclasses import dataclass

from pvdrivers.xenstore.client import XenStoreError
from xentool.errors import PeerError, XentoolError
from xentool.hosts import Host
from xentool.tools import store, xl
from xentool.tools.channels import dump, findings, grants, ports, serves
from xentool.tools.channels.grants import GrantTable
from xentool.tools.channels.ports import Port
from xentool.tools.channels.serves import Key
from xentool.tools.devices import devices
from xentool.tools.store.nodes import tree

#: How often Xen is asked at most, as long as lines of its own tear what it prints: it says some once after a boot.
_TRIES = 3


@dataclass(frozen=True)
class Survey:
    """What was found.

    :param names: of domains, by domid; None for one that XenStore does not name
    :param grant_names: of rings; see `serves.grant_name`
    :param findings: what looks wrong, by domid
    :param unread: lines of Xen's that could not be read
    """

    names: dict[int, str | None]
    tables: dict[int, GrantTable]
    ports: dict[int, list[Port]]
    grant_names: dict[Key, str]
    port_names: dict[Key, str]
    findings: list[tuple[int, str]]
    unread: list[str]


def survey(host: Host) -> Survey:
    """Ask Xen and XenStore.

    :raises XentoolError: one of them cannot tell
    """
    on_ports, on_grants = dumped(host)
    names = {domain.domid: domain.name for domain in xl.list_domains(host)}
    try:
        with store.connect(host) as client:
            found = tree(client, "/local/domain")
    except XenStoreError as error:
        raise XentoolError(f"{host.name}: {error}") from error
    nodes = {node.path: node.value for node in found if node.value is not None}
    # XenStore says it of other domains; of its own dom0's kernel does.
    own = host.run(["cat", "/proc/xen/xsd_port"], check=False, timeout=xl.TIMEOUT)
    nodes.setdefault("/local/domain/0/store/port", own.stdout.strip())
    return made(names, on_ports, on_grants, nodes)


def dumped(host: Host) -> tuple[list[str], list[str]]:
    """Let Xen print what it knows, and again while some of that cannot be read; the last time counts.

    Lines that come again just so were not torn: they are of a kind that is not known here.

    :returns: the lines on event channels, and those on grants
    :raises XentoolError: see `dump.read`
    """
    before: list[str] = []
    for _ in range(_TRIES - 1):
        # What was torn may be a line by which the dumps are found.
        with suppress(PeerError):
            lines = dump.read(host)
            unread = [*ports.parse(lines[0])[1], *grants.parse(lines[1])[1]]
            if unread in ([], before):
                return lines
            before = unread
    return dump.read(host)


def made(names: dict[int, str | None], on_ports: list[str], on_grants: list[str], nodes: dict[str, bytes]) -> Survey:
    """Put together what was read."""
    by_domid, unread_ports = ports.parse(on_ports)
    tables, unread_grants = grants.parse(on_grants)
    found = devices(nodes)
    return Survey(
        names=names,
        tables=tables,
        ports=by_domid,
        grant_names=serves.names_of_grants(found),
        port_names=serves.names_of_ports(found, nodes, by_domid),
        findings=[*findings.of_ports(by_domid), *findings.of_grants(tables, found)],
        unread=[*unread_ports, *unread_grants],
    )
