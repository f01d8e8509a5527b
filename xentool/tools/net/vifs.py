"""What a user says of a vif to be served: ``domain=web,port=tap:vif-web,bridge=br0``."""

import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pvdrivers.bus.device import Nodes
from pvdrivers.net.vif import Rate
from xentool.errors import XentoolError
from xentool.tools.net import rates

#: Directory of frontends that are programs: those under "vif" a guest's kernel takes.
USER = "uvif"

#: For people.
FORM = (
    "port=tap[:NAME]|packet:INTERFACE|switch[:NAME]|pcap:FILE|null[,domain=NAME][,bridge=br0][,netns=NAME][,from=FILE]"
    "[,mac=00:16:3e:...][,mtu=1500][,queues=8][,rate=10Mb/s][,handle=0][,front=user]"
)
#: What a port is told besides its name.
_PORTS = ("bridge", "netns", "from")
_KEYS = {"port", "domain", "mac", "mtu", "queues", "rate", "handle", "front", *_PORTS}
# A comma may be part of a file's name.
_COMMA = re.compile(r",(?=[a-z]+=)")
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.IGNORECASE)
#: Xen's own part of all addresses; a guest's have the rest at random. Ref: tools/libs/light/libxl_nic.c
_XEN = "00:16:3e"
_MTU = (68, 0xFFFF)
_QUEUES = (1, 64)
#: Of what a TAP can be called by: 15 bytes for a name.
_HANDLES = 1 << 16


@dataclass(frozen=True)
class Wanted:
    """A vif for a domain.

    :param port: what `pvdrivers.net.ports.open_port` opens, without ``settings``
    :param domain: as the user calls it
    :param mac: of the guest's end; None for one at random
    :param mtu: bytes of a packet; None for what everybody takes for granted, 1500
    :param handle: its number in the guest; None for the next that is free
    :param user: whether a program in the guest is to use it, and not its kernel
    """

    port: str
    settings: tuple[tuple[str, str], ...] = ()
    domain: str | None = None
    mac: str | None = None
    mtu: int | None = None
    queues: int | None = None
    rate: Rate | None = None
    handle: int | None = None
    user: bool = False


def parse(text: str) -> Wanted:
    """Read a vif's description.

    :raises XentoolError: it is none; the message says what one is
    """
    words = _COMMA.split(text)
    pairs = dict(word.partition("=")[::2] for word in words)
    if len(pairs) != len(words) or not pairs.get("port") or set(pairs) - _KEYS:
        wrong = ", ".join(f"no key {key!r}" for key in sorted(set(pairs) - _KEYS)) or (
            "no port" if not pairs.get("port") else "a key twice"
        )
        raise XentoolError(f"{text!r}: {wrong}; a vif is {FORM}")
    if (mac := pairs.get("mac")) is not None and not _is_hosts(mac):
        raise XentoolError(f"{text!r}: a guest's address is such as {_XEN}:01:02:03, no group's, and not all zero")
    if (front := pairs.get("front", "kernel")) not in {"kernel", "user"}:
        raise XentoolError(f"{text!r}: a front is kernel or user, not {front!r}")
    return Wanted(
        pairs["port"],
        tuple((name, pairs[name]) for name in _PORTS if name in pairs),
        pairs.get("domain"),
        mac.lower() if mac else None,
        _number(text, pairs, "mtu", *_MTU),
        _number(text, pairs, "queues", *_QUEUES),
        rates.parse(pairs["rate"]) if "rate" in pairs else None,
        _number(text, pairs, "handle", 0, _HANDLES - 1),
        front == "user",
    )


def _is_hosts(mac: str) -> bool:
    # As Linux's is_valid_ether_addr, without which a guest's interface does not come up.
    return bool(_MAC.fullmatch(mac)) and not int(mac[:2], 16) & 1 and mac.strip("0:") != ""


def _number(text: str, pairs: dict[str, str], name: str, low: int, high: int) -> int | None:
    value = pairs.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(high)) and low <= int(value) <= high):
        raise XentoolError(f"{text!r}: {name} is {low} to {high}")
    return int(value)


def numbers(vifs: Sequence[Wanted], taken: Collection[int]) -> list[int]:
    """Give each vif's handle: its own, or the next that is free from 0 on.

    :raises XentoolError: one is there twice
    """
    used = set(taken)
    for vif in vifs:
        if vif.handle is not None:
            if vif.handle in used:
                raise XentoolError(f"handle {vif.handle} is taken already")
            used.add(vif.handle)
    free = (handle for handle in range(_HANDLES) if handle not in used)
    return [vif.handle if vif.handle is not None else next(free) for vif in vifs]


def port(vif: Wanted, domid: int, handle: int) -> str:
    """Give what `pvdrivers.net.ports.open_port` opens for a vif; a TAP that has no name gets Xen's for a vif."""
    kind, _, name = vif.port.partition(":")
    settings = dict(vif.settings)
    if kind == "tap":
        name = name or f"vif{domid}.{handle}"
        # The stack at its other side must not send what the guest does not take.
        settings |= {} if vif.mtu is None else {"mtu": str(vif.mtu)}
    rest = ",".join([*([name] if name else []), *(f"{key}={value}" for key, value in settings.items())])
    return f"{kind}:{rest}" if rest else kind


def nodes(vif: Wanted, domid: int, handle: int) -> tuple[Nodes, Nodes]:
    """Give what a toolstack writes for the backend, and for the frontend.

    No ``script``, and no ``hotplug-status`` that one would be waited for with: the backend joins its port itself.

    Ref: tools/libs/light/libxl_nic.c (``libxl__set_xenstore_nic``)
    """
    mac = vif.mac or f"{_XEN}:{secrets.randbits(7):02x}:{secrets.randbits(8):02x}:{secrets.randbits(8):02x}"
    both: Nodes = {"handle": handle, "mac": mac, **({} if vif.mtu is None else {"mtu": vif.mtu})}
    bridge, rate = dict(vif.settings).get("bridge"), vif.rate
    back: Nodes = {
        "port": port(vif, domid, handle),
        "type": "vif",
        **({"bridge": bridge} if bridge else {}),
        **({"rate": f"{rate.bytes},{rate.microseconds}"} if rate else {}),
    }
    return {**both, **back}, {**both, "trusted": 1}
