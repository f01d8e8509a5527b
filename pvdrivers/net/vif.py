"""What a toolstack has written for a vif, read with bounds.

Ref: Linux drivers/net/xen-netback/xenbus.c (``xen_net_read_rate``)
"""

import re
from typing import NamedTuple

from pvdrivers.bus.nodes import BadNode, Peer, shown

_U32 = 2**32 - 1
_U64 = 2**64 - 1
_RATE = re.compile(r"([0-9]{1,20}),([0-9]{1,20})")


class Rate(NamedTuple):
    """How much a frontend may send: bytes in so many microseconds."""

    bytes: int
    microseconds: int


def read_rate(own: Peer) -> Rate | None:
    """Give the limit for what a frontend sends; None if there is none.

    :param own: the backend's own directory
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
