"""What looks wrong with grants and event channels."""

from collections.abc import Iterable, Mapping

from xentool.tools.channels.grants import GrantTable
from xentool.tools.channels.ports import Port
from xentool.tools.channels.vchans import Vchan, said
from xentool.tools.devices.paired import Device

_DOM0 = 0


def of_ports(ports: Mapping[int, list[Port]]) -> Iterable[tuple[int, str]]:
    """Give what looks wrong with ports, by domid.

    :param ports: of all domains
    """
    known = {(port.domid, port.port): port for each in ports.values() for port in each}
    for each in ports.values():
        for port in each:
            if port.kind != "interdomain" or port.remote_domid is None or port.remote_port is None:
                continue
            there = known.get((port.remote_domid, port.remote_port))
            if port.remote_domid not in ports:
                yield port.domid, f"port {port.port} is bound to domain {port.remote_domid}, which is gone"
            elif there is None or (there.remote_domid, there.remote_port) != (port.domid, port.port):
                there_too = f"d{port.remote_domid} port {port.remote_port}"
                yield port.domid, f"port {port.port} is bound to {there_too}, which is not bound to it"
            if port.pending and port.masked:
                yield port.domid, f"port {port.port} is pending and masked: an event has come, and nobody looks"


def of_grants(
    tables: Mapping[int, GrantTable], devices: list[Device], vchans: Iterable[Vchan] = ()
) -> Iterable[tuple[int, str]]:
    """Give what looks wrong with grants, by the granter's domid."""
    rings = {(vchan.server, vchan.ring) for vchan in vchans}
    backends: dict[int, set[int]] = {}
    for device in devices:
        if device.back:
            backends.setdefault(device.domid, set()).add(device.back.domid)
    for table in tables.values():
        strangers: dict[int, int] = {}
        # The grants of a vchan's data are told in its ring only.
        peers = {grant.mapper for grant in table.grants if (table.domid, grant.gref) in rings}
        for grant in table.grants:
            if grant.mapper != _DOM0 and grant.mapper not in backends.get(table.domid, set()) | peers:
                strangers[grant.mapper] = strangers.get(grant.mapper, 0) + 1
        for mapper, count in strangers.items():
            who = f"domain {mapper}" if mapper in tables else f"domain {mapper}, which is gone"
            grants = "1 grant is" if count == 1 else f"{count} grants are"
            yield table.domid, f"{grants} mapped by {who}, and it serves no device of d{table.domid}"
        if table.frames is not None and table.frames == table.frames_max:
            yield table.domid, f"its grant table has all the {table.frames} frames that it may have (max_grant_frames)"


def of_vchans(leftovers: Mapping[str, list[int]]) -> Iterable[tuple[int, str]]:
    """Give what vchans' servers have left in XenStore, by the server's domid.

    :param leftovers: see `vchans.leftovers`
    """
    for directory, gone in leftovers.items():
        yield int(directory.split("/")[3]), f"{directory} has nodes of {said(gone)}"
