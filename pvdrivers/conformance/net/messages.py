"""Messages of the network protocol, whatever they say: nothing is checked here.

Ref: xen/include/public/io/netif.h
"""

from typing import NamedTuple

from pvdrivers.abi.netif import (
    CTRL_REQUEST,
    EXTRA,
    EXTRA_GSO,
    EXTRA_HASH,
    EXTRA_MCAST,
    EXTRA_XDP,
    RX_REQUEST,
    TX_REQUEST,
    ExtraType,
)


class TxAnswer(NamedTuple):
    """A response to a slot that was sent."""

    ident: int
    status: int


class CtrlAnswer(NamedTuple):
    """A response of the control ring."""

    ident: int
    type: int
    status: int
    data: int


def tx_request(gref: int, offset: int, flags: int, ident: int, size: int) -> bytes:
    """Form a request to send."""
    return TX_REQUEST.struct.pack(gref, offset, flags, ident, size)


def rx_request(ident: int, gref: int) -> bytes:
    """Form a request that posts a page."""
    return RX_REQUEST.struct.pack(ident, 0, gref)


def ctrl_request(ident: int, kind: int, *data: int) -> bytes:
    """Form a request of the control ring."""
    return CTRL_REQUEST.struct.pack(ident, kind, *data, *[0] * (3 - len(data)))


def extra(kind: int, *, more: bool = False) -> bytes:
    """Form an extra that says nothing but its type."""
    return EXTRA.struct.pack(kind, more, bytes(6))


def gso(size: int, kind: int, *, more: bool = False) -> bytes:
    """Form what says that a packet is to be cut."""
    return EXTRA_GSO.struct.pack(ExtraType.GSO, more, size, kind, 0, 0)


def multicast(address: bytes, *, add: bool, more: bool = False) -> bytes:
    """Form a change to the list of addresses."""
    return EXTRA_MCAST.struct.pack(ExtraType.MCAST_ADD if add else ExtraType.MCAST_DEL, more, address)


def hashed(bit: int, algorithm: int, value: int, *, more: bool = False) -> bytes:
    """Form a packet's hash."""
    return EXTRA_HASH.struct.pack(ExtraType.HASH, more, bit, algorithm, value.to_bytes(4, "little"))


def headroom(size: int, *, more: bool = False) -> bytes:
    """Form how many bytes are left free, as Linux has it."""
    return EXTRA_XDP.struct.pack(ExtraType.XDP, more, size)
