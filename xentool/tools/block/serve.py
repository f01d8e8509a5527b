"""Disks served in a Xen dom0, or on a loopback of this machine: finds the domains and the way to them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pvdrivers.block.back.backend import Options
from pvdrivers.bus.toolstack import Spot
from pvdrivers.errors import DriverError, MachineError
from pvdrivers.transport.base import Transport
from pvdrivers.xenstore.client import NoStore, XenStoreError
from xentool.errors import Unavailable, XentoolError
from xentool.hosts.local import LocalHost
from xentool.tools import xl
from xentool.tools.block.disks import USER, Wanted
from xentool.tools.block.service import Service
from xentool.tools.devices import vdev
from xentool.tools.transports import loopbacks

#: Seconds until it is said that a guest has not taken its disks.
_PATIENCE = 5.0
#: Outlives the process, not the machine.
_JOURNALS = Path("/run/xentool/block")


@dataclass(frozen=True)
class Serving:
    """What to serve, to whom, and how; see ``xentool block serve``."""

    disks: Sequence[Wanted]
    domain: str | None = None
    loopback: str | None = None
    keep: bool = False
    max_queues: int = 4
    max_order: int = 4
    max_indirect: int = 256
    persistent: bool = True
    grants: Literal["copy", "map"] = "copy"

    @property
    def options(self) -> Options:
        """As the drivers call them."""
        return Options(self.max_order, self.max_queues, self.max_indirect, self.persistent, self.grants)


@contextmanager
def serve(wanted: Serving, log: Callable[[str], object]) -> Iterator[Service]:
    """Serve disks as long as the context lasts.

    :param log: is told what happens, a line each
    :raises Unavailable: this is no Xen domain
    :raises XentoolError: a domain, disk or place for it is not there
    """
    with ExitStack() as stack:
        try:
            if wanted.loopback is None:
                transport = stack.enter_context(_xen())
                groups = _groups(wanted)
            else:
                groups = _groups(wanted)
                transport = stack.enter_context(_loopback(loopbacks.made(wanted.loopback), sorted(groups), log))
            service = stack.enter_context(
                Service(
                    transport,
                    wanted.options,
                    keep=wanted.keep,
                    # A loopback ends with this process.
                    journals=None if wanted.loopback else _JOURNALS,
                    log=log,
                )
            )
            service.check(wanted.disks)
            spots = [spot for domid, disks in groups.items() for spot in service.attach(domid, disks)]
            log(f"serving {', '.join(map(_named, spots))}")
            if wanted.loopback is None:
                # A program comes when it is started.
                for spot in service.wait([spot for spot in spots if spot.kind != USER], _PATIENCE):
                    log(f"{_named(spot)} is not connected yet: `xentool show {spot.domid}` tells why")
            yield service
        except (DriverError, XenStoreError) as error:
            raise XentoolError(str(error)) from error


def _named(spot: Spot) -> str:
    return f"{vdev.name(spot.devid)} of domain {spot.domid}"


def _groups(wanted: Serving) -> dict[int, list[Wanted]]:
    groups: dict[int, list[Wanted]] = {}
    for disk in wanted.disks:
        groups.setdefault(_domid(disk.domain or wanted.domain, loopback=wanted.loopback is not None), []).append(disk)
    return groups


def _domid(name: str | None, *, loopback: bool) -> int:
    if loopback:
        if name is not None and not (name.isascii() and name.isdigit() and 0 < int(name) < 0x7FF0):
            raise XentoolError(f"domains of a loopback are numbers from 1 on, not {name!r}")
        return int(name or loopbacks.GUEST)
    if name is None:
        raise XentoolError("whose disk is it? give --domain NAME, --disk FILE,domain=NAME or --loopback NAME")
    return xl.find_domain(LocalHost(), name).domid


@contextmanager
def _xen() -> Iterator[Transport]:
    # Whoever starts a driver chooses what it stands on; each is imported by those alone who need it.
    from pvdrivers.transport.xen import Xen  # noqa: PLC0415 - see above

    try:
        transport = Xen()
    except (MachineError, NoStore) as error:
        raise Unavailable(str(error)) from error
    with transport:
        yield transport


@contextmanager
def _loopback(directory: Path, domids: Sequence[int], log: Callable[[str], object]) -> Iterator[Transport]:
    from pvdrivers.transport.loopback import Loopback, machine  # noqa: PLC0415 - see `_xen`

    with machine(directory, [0, *domids], log), Loopback(directory, 0) as joined:
        yield joined
