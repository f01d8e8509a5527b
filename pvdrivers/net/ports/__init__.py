"""Where the frames of a vif go to and come from, by what a user calls it."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from pvdrivers.errors import MachineError
from pvdrivers.net.ports import link, switch
from pvdrivers.net.ports.base import Lane, Port, PortStats
from pvdrivers.net.ports.null import Null
from pvdrivers.net.ports.packet import Packet
from pvdrivers.net.ports.pcap import Pcap
from pvdrivers.net.ports.tap import Tap, Wish

__all__ = ["Lane", "Port", "PortStats", "open_port"]

_SETTING = re.compile(r"([a-z]+)=(.*)", re.DOTALL)
_MTU = re.compile(r"[0-9]{1,9}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.IGNORECASE)


def open_port(spec: str, *, compiled: bool = True) -> Port:
    """Give a port; what it stands for is opened when a frontend connects.

    :param spec: one of

        - ``tap[:NAME][,bridge=NAME][,mtu=BYTES][,mac=ADDRESS][,netns=NAME]``: a TAP that is there, or made; all but
          NAME are set of it
        - ``packet:INTERFACE``: an interface that is there
        - ``switch[:NAME]``: a switch in memory, of all ports that name it
        - ``pcap:FILE[,from=FILE]``: a file that is written, and one that is read
        - ``null``: nobody
    :param compiled: False for the reference alone
    :raises MachineError: it is none of these, or names what no network device can be called
    """
    kind, _, rest = spec.partition(":")
    if kind not in _KINDS:
        raise MachineError(f"no port {spec!r}; there are {', '.join(form for form, *_ in _KINDS.values())}")
    form, known, make = _KINDS[kind]
    name, settings = "", {}
    # A comma may be part of a file's name.
    for number, part in enumerate(re.split(r",(?=[a-z]+=)", rest)):
        if found := _SETTING.fullmatch(part):
            settings[found[1]] = found[2]
        elif number == 0:
            name = part
    if not settings.keys() <= known or "" in settings.values():
        raise MachineError(f"{spec!r} is not of the form {form}")
    port = make(name, settings, compiled)
    if port is None:
        raise MachineError(f"{spec!r} is not of the form {form}")
    return port


def _tap(name: str, settings: Mapping[str, str], compiled: bool) -> Port | None:
    mtu, mac = settings.get("mtu"), settings.get("mac")
    if (mtu is not None and not _MTU.fullmatch(mtu)) or (mac is not None and not _MAC.fullmatch(mac)):
        return None
    bridge = settings.get("bridge")
    wish = Wish(
        link.named(name) if name else "",
        None if bridge is None else link.named(bridge),
        None if mtu is None else int(mtu),
        None if mac is None else bytes.fromhex(mac.replace(":", "")),
        settings.get("netns", ""),
    )
    return Tap(wish, compiled=compiled)


def _packet(name: str, settings: Mapping[str, str], compiled: bool) -> Port | None:
    del settings
    return Packet(link.named(name), compiled=compiled) if name else None


def _pcap(name: str, settings: Mapping[str, str], compiled: bool) -> Port | None:
    del compiled
    source = settings.get("from")
    if not (name or source):
        return None
    return Pcap(Path(name) if name else None, Path(source) if source else None)


def _switch(name: str, settings: Mapping[str, str], compiled: bool) -> Port:
    del settings, compiled
    return switch.named(name).port()


def _null(name: str, settings: Mapping[str, str], compiled: bool) -> Port | None:
    del settings, compiled
    return None if name else Null()


#: By kind: how it is written, which settings it has, and what makes it, or None if that is not how it is written.
_KINDS: dict[str, tuple[str, frozenset[str], Callable[[str, Mapping[str, str], bool], Port | None]]] = {
    "tap": (
        "tap[:NAME][,bridge=NAME][,mtu=BYTES][,mac=ADDRESS][,netns=NAME]",
        frozenset({"bridge", "mtu", "mac", "netns"}),
        _tap,
    ),
    "packet": ("packet:INTERFACE", frozenset(), _packet),
    "switch": ("switch[:NAME]", frozenset(), _switch),
    "pcap": ("pcap:FILE[,from=FILE]", frozenset({"from"}), _pcap),
    "null": ("null", frozenset(), _null),
}
