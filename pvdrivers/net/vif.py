"""What a toolstack has written for a vif, read with bounds.

Ref: Linux drivers/net/xen-netback/xenbus.c (``xen_net_read_mac``, ``xen_net_read_rate``, ``hotplug_status_changed``);
Xen tools/libs/light/libxl_nic.c
"""

import re
from typing import NamedTuple

from pvdrivers.bus.nodes import BadNode, Peer, shown

_U32 = 2**32 - 1
_U64 = 2**64 - 1
#: Of IPv4, and of what the length of a packet can say.
_MTU = (68, 0xFFFF)
_MTU_UNSAID = 1500
_MAC = re.compile(r"[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}")
_RATE = re.compile(r"([0-9]{1,20}),([0-9]{1,20})")


class Rate(NamedTuple):
    """How much a frontend may send: bytes in so many microseconds."""

    bytes: int
    microseconds: int


class Vif(NamedTuple):
    """What a toolstack has written for a backend.

    :param mac: of the frontend's end, six bytes
    :param mtu: bytes of a packet without its frame's header
    :param rate: None for no limit
    """

    handle: int
    mac: bytes
    mtu: int = _MTU_UNSAID
    rate: Rate | None = None


def read_vif(own: Peer) -> Vif:
    """Read what the toolstack has written for a backend.

    :param own: the backend's own directory
    :raises BadNode: it makes no sense
    """
    return Vif(own.number("handle", 0, _U32), read_mac(own), own.number("mtu", *_MTU, _MTU_UNSAID), read_rate(own))


def read_mac(own: Peer) -> bytes:
    """Give the frontend's address, of six bytes, which both ends have in their directories.

    :raises BadNode: it is missing, or none
    """
    text = own.text("mac")
    if not _MAC.fullmatch(text):
        raise BadNode(f"mac is {shown(text.encode())}, no address")
    return bytes(int(byte, 16) for byte in text.split(":"))


def read_rate(own: Peer) -> Rate | None:
    """Give the limit for what a frontend sends; the toolstack may change it. None if there is none.

    :raises BadNode: it makes no sense. Linux knows no limit then, which nobody has asked for.
    """
    text = own.text("rate", "")
    if not text:
        return None
    found = _RATE.fullmatch(text)
    rate = Rate(int(found[1]), int(found[2])) if found else Rate(0, 0)
    if not (0 < rate.bytes <= _U64 and 0 < rate.microseconds <= _U32):
        raise BadNode(f"rate is {shown(text.encode())}, not BYTES,MICROSECONDS")
    return rate


def plugged(own: Peer) -> bool:
    """Tell whether the toolstack's script has joined a backend to its network, or none is to.

    :param own: the backend's own directory; the toolstack makes an empty node there if a script is to be waited for
    :raises BadNode: what the node holds is no text
    """
    return not own.has("hotplug-status") or own.text("hotplug-status", "") == "connected"
