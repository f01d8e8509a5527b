"""The backends of disks and network interfaces as XenStore has them, wherever they are, and what ours have counted.

sysfs in dom0 knows those in dom0 only; a driver domain's, and a disk that a program serves, are told here.

Ref: docs/misc/xenstore-paths.pandoc; pvdrivers/block/back/stats.py, pvdrivers/net/stats.py
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.xenstore.client import Client, NotFound, Refused
from xentool.tools.devices import kinds, vdev
from xentool.tools.domains.stats import Block, Net, Sample
from xentool.tools.store.nodes import Unlisted, children
from xentool.tools.store.together import together

#: The kind of a device is taken from its frontend's path, if that is in the domain that the backend's own path names.
_FRONT = re.compile(r"/local/domain/(\d{1,5})/device/([\w-]+)/\d{1,10}", re.ASCII)
_NUMBER = re.compile(rb"\d{1,18}")
#: Of a vif's backend: what is sent to it from the guest is tx.
_OF_A_NET = ("rx-bytes", "rx-packets", "rx-errors", "tx-bytes", "tx-packets", "tx-errors", "dropped")
#: Which counters are in XenStore, by the backend's own kind.
_COUNTERS = {
    "udisk": ("reads", "sectors-read", "writes", "sectors-written", "flushes"),
    "uvif": _OF_A_NET,
    "unet": _OF_A_NET,
}
_SECTOR = 512


@dataclass(frozen=True)
class Backend:
    """A backend.

    :param kind: of its frontend: vbd, vif
    :param own: its own kind: qdisk, vbd3
    :param domid: whom it serves
    """

    path: str
    kind: str
    own: str
    domid: int
    devid: int


def listed(client: Client, domids: Iterable[int], unlisted: list[Unlisted]) -> list[Backend]:
    """Find the backends of disks and interfaces of some domains, in these domains.

    :param domids: of all that there are
    :param unlisted: takes what the store cannot list
    """
    alive = sorted(domids)

    def below(path: str) -> list[str]:
        with suppress(NotFound):
            return children(client, path, unlisted)
        return []

    def of(home: int) -> Iterator[Backend]:
        for top in below(f"/local/domain/{home}/backend"):
            own = top.rpartition("/")[2]
            # A driver domain that runs for long has a directory for each domain that was ever there.
            served = set(below(top))
            every = not served and any(each.path == top for each in unlisted)
            for domid in alive:
                if every or f"{top}/{domid}" in served:
                    for path in below(f"{top}/{domid}"):
                        devid = path.rpartition("/")[2]
                        kind = _kind(client, path, own, domid)
                        if kind in kinds.BLOCK | kinds.NETS and devid.isascii() and devid.isdigit():
                            yield Backend(path, kind, own, domid, int(devid))

    return [each for found in together(lambda home: list(of(home)), alive) for each in found]


def _kind(client: Client, path: str, own: str, domid: int) -> str:
    if own in kinds.KNOWN:
        return kinds.SERVES.get(own, own)
    with suppress(NotFound, Refused):
        front = _FRONT.fullmatch(client.read(f"{path}/frontend").decode("ascii", "replace"))
        if front and int(front[1]) == domid:
            return front[2]
    return own


def counted(client: Client, backends: Iterable[Backend]) -> dict[str, dict[str, int]]:
    """Read the counters of those that keep them in XenStore, by path."""
    return {each.path: _counters(client, each.path, _COUNTERS[each.own]) for each in backends if each.own in _COUNTERS}


def _counters(client: Client, path: str, names: Iterable[str]) -> dict[str, int]:
    found = {}
    for name in names:
        with suppress(NotFound):
            if _NUMBER.fullmatch(value := client.read(f"{path}/statistics/{name}")):
                found[name] = int(value)
    # What has not been counted is not written; and before it is connected, nobody counts.
    with suppress(NotFound):
        if found or client.read(f"{path}/state") == b"%d" % XenbusState.CONNECTED:
            return {name: found.get(name, 0) for name in names}
    return {}


def merged(sample: Sample, backends: Iterable[Backend], counters: Mapping[str, Mapping[str, int]]) -> Sample:
    """Put into a sample the devices that it lacks, and the counters of those that have none."""
    blocks = {each.domid or 0: {block.device: block for block in each.blocks} for each in sample.domains}
    nets = {each.domid or 0: {net.device: net for net in each.nets} for each in sample.domains}
    for each in backends:
        if each.kind in kinds.NETS and each.domid in nets:
            net = nets[each.domid].setdefault(name := f"{each.kind}{each.devid}", Net(name))
            if net.received_bytes is None and (numbers := counters.get(each.path)):
                nets[each.domid][name] = _net(name, numbers)
        elif each.domid in blocks:
            name = vdev.name(each.devid) if each.kind in kinds.DISKS else f"{each.kind}{each.devid}"
            known = blocks[each.domid].setdefault(name, Block(name))
            if known.reads is None and (numbers := counters.get(each.path)):
                blocks[each.domid][name] = _block(name, numbers)
    domains = tuple(
        replace(
            domain,
            blocks=tuple(blocks[domain.domid or 0].values()),
            nets=tuple(nets[domain.domid or 0].values()),
        )
        for domain in sample.domains
    )
    return replace(sample, domains=domains)


def _net(name: str, numbers: Mapping[str, int]) -> Net:
    return Net(
        device=name,
        received_bytes=numbers["rx-bytes"],
        received_packets=numbers["rx-packets"],
        received_errors=numbers["rx-errors"],
        sent_bytes=numbers["tx-bytes"],
        sent_packets=numbers["tx-packets"],
        sent_errors=numbers["tx-errors"],
        sent_dropped=numbers["dropped"],
    )


def _block(name: str, numbers: Mapping[str, int]) -> Block:
    return Block(
        device=name,
        reads=numbers["reads"],
        read_bytes=numbers["sectors-read"] * _SECTOR,
        writes=numbers["writes"],
        written_bytes=numbers["sectors-written"] * _SECTOR,
        flushes=numbers["flushes"],
    )
