"""Devices served in a Xen dom0, or on a loopback of this machine: finds the domains and the way to them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from pvdrivers.errors import DriverError, MachineError
from pvdrivers.transport.base import Transport
from pvdrivers.xenstore.client import NoStore, XenStoreError
from xentool.errors import Unavailable, XentoolError
from xentool.hosts.local import LocalHost
from xentool.tools import xl
from xentool.tools.serving.classes import DeviceClass, Served, Wanted
from xentool.tools.serving.service import Service
from xentool.tools.transports import loopbacks

#: Seconds until it is said that a guest has not taken its devices.
_PATIENCE = 5.0

_Wanted = TypeVar("_Wanted", bound=Wanted)
_Served = TypeVar("_Served", bound=Served)


@dataclass(frozen=True)
class Serving(Generic[_Wanted]):
    """What to serve, and where.

    :param domain: whose devices are that name no domain of their own
    :param loopback: serves programs of this machine there, not a Xen host's domains
    :param keep: as `Service`
    """

    devices: Sequence[_Wanted]
    domain: str | None = None
    loopback: str | None = None
    keep: bool = False


@contextmanager
def serve(
    wanted: Serving[_Wanted], devices: DeviceClass[_Wanted, _Served], log: Callable[[str], object]
) -> Iterator[Service[_Wanted, _Served]]:
    """Serve devices as long as the context lasts.

    :param log: is told what happens, a line each
    :raises Unavailable: this is no Xen domain
    :raises XentoolError: a domain, a place for a device, or what is to be served is not there
    """
    with ExitStack() as stack:
        try:
            if wanted.loopback is None:
                transport = stack.enter_context(_xen())
                groups = _groups(wanted, devices.whose)
            else:
                groups = _groups(wanted, devices.whose)
                transport = stack.enter_context(_loopback(wanted.loopback, sorted(groups), log))
            service = stack.enter_context(Service(transport, devices, keep=wanted.keep, log=log))
            service.check(groups)
            spots = [spot for domid, each in groups.items() for spot in service.attach(domid, each)]
            log(f"serving {', '.join(map(service.named, spots))}")
            if wanted.loopback is None:
                # A program comes when it is started.
                for spot in service.wait([spot for spot in spots if spot.kind == devices.kernels.front], _PATIENCE):
                    log(f"{service.named(spot)} is not connected yet: `xentool show {spot.domid}` tells why")
            yield service
        except (DriverError, XenStoreError) as error:
            raise XentoolError(str(error)) from error


def _groups(wanted: Serving[_Wanted], whose: str) -> dict[int, list[_Wanted]]:
    groups: dict[int, list[_Wanted]] = {}
    for device in wanted.devices:
        name = device.domain or wanted.domain
        domid = _on_loopback(name) if wanted.loopback is not None else _on_xen(name, whose)
        groups.setdefault(domid, []).append(device)
    return groups


def _on_loopback(name: str | None) -> int:
    if name is not None and not (name.isascii() and name.isdigit() and 0 < int(name) < 0x7FF0):
        raise XentoolError(f"domains of a loopback are numbers from 1 on, not {name!r}")
    return int(name or loopbacks.GUEST)


def _on_xen(name: str | None, whose: str) -> int:
    if name is None:
        raise XentoolError(whose)
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
def _loopback(name: str, domids: Sequence[int], log: Callable[[str], object]) -> Iterator[Transport]:
    from pvdrivers.transport.loopback import Loopback, machine  # noqa: PLC0415 - see `_xen`

    with loopbacks.hosted(name) as place, machine(place, [0, *domids], log), Loopback(place, 0) as joined:
        yield joined
