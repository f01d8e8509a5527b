"""What a grant or a port is for: joined with the rings and ports that frontends and vchans publish in XenStore.

These nodes are the guest's to write: they name its own grants and ports, and nobody else's.
"""

from collections.abc import Iterable, Iterator, Mapping

from xentool.tools.channels.ports import Port
from xentool.tools.channels.vchans import Vchan
from xentool.tools.devices.paired import Device, Queue

#: Grants that Xen's toolstack makes before a domain runs. Ref: xen/include/public/grant_table.h, GNTTAB_RESERVED_*
_RESERVED = {0: "console ring", 1: "xenstore ring"}

#: A domain, and a port or a gref there.
Key = tuple[int, int]


def names_of_grants(devices: list[Device]) -> dict[Key, str]:
    """Name the grants that are rings: ``xvda ring``, ``vif0 queue 1 tx-ring``, by granter and gref."""
    found: dict[Key, str] = {}
    for device, queue in _queues(devices):
        if device.kind == "console" and device.devid == 0:
            continue  # its ring-ref is a frame number, and its grant a reserved one
        for ring, pages in queue.rings.items():
            for page, gref in enumerate(pages):
                number = f" page {page}" if len(pages) > 1 else ""
                found[device.domid, gref] = f"{_label(device, queue)} {ring.removesuffix('-ref')}{number}"
    return found


def grants_of_vchans(vchans: Iterable[Vchan]) -> dict[Key, str]:
    """Name the grants that are vchans' rings; those of their data are told in the ring, which is not in XenStore."""
    return {(vchan.server, vchan.ring): f"{vchan.name} ring" for vchan in vchans}


def grant_name(names: Mapping[Key, str], domid: int, gref: int) -> str | None:
    """Name a grant; None for a page of data."""
    return names.get((domid, gref)) or _RESERVED.get(gref)


def names_of_ports(
    devices: list[Device], vchans: Iterable[Vchan], nodes: Mapping[str, bytes], ports: Mapping[int, list[Port]]
) -> dict[Key, str]:
    """Name the ports that belong to devices, vchans or XenStore, at both ends, by domain and port.

    :param nodes: XenStore's values by path
    """
    found: dict[Key, str] = {(vchan.server, vchan.port): vchan.name for vchan in vchans}
    for device, queue in _queues(devices):
        for node, port in queue.ports.items():
            role = node.removeprefix("event-channel").removeprefix("port").strip("-")
            found[device.domid, port] = f"{_label(device, queue)} {role}".rstrip()
    for domid in ports:
        number = nodes.get(f"/local/domain/{domid}/store/port", b"")
        if number.isdigit() and len(number) <= 10:
            found[domid, int(number)] = "xenstore"
    for end in (port for each in ports.values() for port in each):
        if end.remote_domid is not None and end.remote_port is not None:
            name = found.get((end.remote_domid, end.remote_port))
            if name is not None:
                found.setdefault((end.domid, end.port), name)
    return found


def _queues(devices: list[Device]) -> Iterator[tuple[Device, Queue]]:
    for device in devices:
        for queue in device.queues:
            yield device, queue


def _label(device: Device, queue: Queue) -> str:
    return device.name if queue.queue is None else f"{device.name} queue {queue.queue}"
