"""Devices plugged into and out of a running domain by xl, and waited for until both ends say that it is done.

xl knows nothing of what `xentool block serve` and `xentool net serve` have plugged in: that is plugged out here.
"""

import time
from collections.abc import Sequence

from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus import toolstack
from pvdrivers.bus.toolstack import Spot
from pvdrivers.xenstore.client import Client, XenStoreError
from xentool.errors import XentoolError
from xentool.hosts import Host
from xentool.tools import xl
from xentool.tools.devices import kinds
from xentool.tools.devices.diagnose import problems
from xentool.tools.devices.inspect import read
from xentool.tools.devices.paired import Device, devices, end_name
from xentool.tools.store import connect

#: Kinds of devices as people call them: xl's commands begin with the one, XenStore has the other.
KINDS = {"block": ("block", "vbd"), "net": ("network", "vif")}
_POLL = 0.2


def command(verb: str, domain: xl.Domain, kind: str, words: Sequence[str]) -> list[str]:
    """Give xl's command.

    :param verb: attach or detach
    :param kind: one of `KINDS`
    :param words: the device: for attach as in xl-disk-configuration(5) or xl-network-configuration(5)
    """
    return ["xl", f"{KINDS[kind][0]}-{verb}", str(domain.domid), *words]


def attach(host: Host, domain: xl.Domain, kind: str, words: Sequence[str], seconds: float) -> Device:
    """Plug a device in, and return it when both its ends are connected.

    :raises XentoolError: xl refuses, or an end is not connected after so long; the device stays plugged in
    """
    try:
        with connect(host) as client:
            before = {device.devid for device in plugged(client, domain, kind)}
            refusal = _try(host, command("attach", domain, kind, words))
            deadline = time.monotonic() + seconds
            while True:
                new = [device for device in plugged(client, domain, kind) if device.devid not in before]
                if refusal:
                    raise XentoolError(f"{refusal}{_left(domain, kind, new)}") from refusal
                if new and all(map(_connected, new)):
                    return new[0]
                if time.monotonic() >= deadline:
                    wrong = _wrong(new) or "XenStore has no device"
                    raise XentoolError(f"not connected within {seconds:g} s: {wrong}{_left(domain, kind, new)}")
                time.sleep(_POLL)
    except XenStoreError as error:
        raise XentoolError(f"{host.name}: {error}") from error


def detaching(domain: xl.Domain, kind: str, device: Device) -> list[str]:
    """Give the command that plugs a device out: xl's, or what does so with one of ours."""
    if spot := _ours(device):
        return ["xenstore-write", f"{spot.back}/online", "0", f"{spot.back}/state", str(XenbusState.CLOSING.value)]
    return command("detach", domain, kind, [str(device.devid)])


def _ours(device: Device) -> Spot | None:
    if device.back is None:
        return None
    *_, own, domid, devid = device.back.path.split("/")
    if own not in kinds.OURS or int(domid) != device.domid:
        return None
    return Spot(device.kind, own, device.back.domid, int(domid), int(devid))


def find(host: Host, domain: xl.Domain, kind: str, which: str) -> Device:
    """Find a device of a domain by its name (xvdb), its number, or its MAC address.

    :raises XentoolError: there is none; the message lists those that there are
    """
    try:
        with connect(host) as client:
            there = plugged(client, domain, kind)
    except XenStoreError as error:
        raise XentoolError(f"{host.name}: {error}") from error
    for device in there:
        if which in (device.name, str(device.devid), device.details.get("mac")):
            return device
    existing = ", ".join(device.name for device in there) or "none"
    raise XentoolError(f"{xl.called(domain)} has no {kind} device {which!r}; there are: {existing}")


def detach(host: Host, domain: xl.Domain, kind: str, device: Device, seconds: float) -> None:
    """Plug a device out, and return when both its ends are gone.

    :raises XentoolError: the guest does not let it go, or an end is left after so long
    """
    try:
        with connect(host) as client:
            refusal = None
            if spot := _ours(device):
                # Whoever serves it removes its nodes once both ends have parted.
                toolstack.part(client, spot)
            else:
                refusal = _try(host, detaching(domain, kind, device))
            deadline = time.monotonic() + seconds
            # These two alone: to read all about the domain's devices takes a slow dom0 seconds.
            while any(client.exists(end.path) for end in (device.front, device.back) if end):
                if refusal:
                    raise XentoolError(f"{refusal}; {_now(client, domain, kind, device)}") from refusal
                if time.monotonic() >= deadline:
                    now = _now(client, domain, kind, device)
                    raise XentoolError(f"{device.name} is not gone within {seconds:g} s: {now}")
                time.sleep(_POLL)
    except XenStoreError as error:
        raise XentoolError(f"{host.name}: {error}") from error


def plugged(client: Client, domain: xl.Domain, kind: str) -> list[Device]:
    """Return the devices of a kind that a domain uses."""
    front = KINDS[kind][1]
    found = devices(read(client, domain.domid, kind=front), domain.domid)
    return [device for device in found if (device.domid, device.kind) == (domain.domid, front)]


def _try(host: Host, words: Sequence[str]) -> XentoolError | None:
    # What xl gives up may be half done all the same.
    try:
        xl.change(host, words)
    except XentoolError as error:
        return error
    return None


def _left(domain: xl.Domain, kind: str, found: Sequence[Device]) -> str:
    return "".join(
        f"; {device.name} is left, `xentool device detach {domain.domid} {kind} {device.name}` removes it"
        for device in found
    )


def _connected(device: Device) -> bool:
    return all(end is not None and end.state == XenbusState.CONNECTED for end in (device.front, device.back))


def _wrong(found: Sequence[Device]) -> str:
    return "; ".join(f"{device.name}: {', '.join(problems(device, device.domids))}" for device in found)


def _now(client: Client, domain: xl.Domain, kind: str, device: Device) -> str:
    left = [one for one in plugged(client, domain, kind) if one.devid == device.devid]
    front, back = (left[0].front, left[0].back) if left else (None, None)
    return f"its frontend is {end_name(front)}, its backend {end_name(back)}"
