"""Which multicast frames a frontend wants.

Ref: xen/include/public/io/netif.h, "feature-multicast-control"; Linux drivers/net/xen-netback/netback.c
(xenvif_mcast_add, xenvif_mcast_del) and interface.c (xenvif_start_xmit)
"""

import threading

from pvdrivers.abi import wire
from pvdrivers.abi.netif import NetifRsp
from pvdrivers.net.headers import Data

#: Addresses that a frontend may name, those that it names twice counted twice.
ADDRESSES_MAX = 64
_BROADCAST = b"\xff" * wire.ADDRESS_SIZE
#: Of an address's first byte.
_MULTICAST = 1


class Multicast:
    """A frontend's list of addresses, which may be changed whether it is applied or not; for any thread."""

    def __init__(self) -> None:
        # Replaced as a whole, so that whoever looks needs no lock.
        self._addresses: tuple[bytes, ...] = ()
        self._changing = threading.Lock()

    def add(self, address: bytes) -> NetifRsp:
        """Add an address; tell how the request is answered."""
        with self._changing:
            if len(self._addresses) == ADDRESSES_MAX:
                return NetifRsp.ERROR
            self._addresses += (address,)
        return NetifRsp.OKAY

    def remove(self, address: bytes) -> NetifRsp:
        """Remove an address, once; tell how the request is answered, which is no matter of whether it was there."""
        with self._changing:
            left = list(self._addresses)
            if address in left:
                left.remove(address)
            self._addresses = tuple(left)
        return NetifRsp.OKAY

    def passes(self, data: Data) -> bool:
        """Tell whether a frame of at least an address is passed on to a frontend that has asked for its list only."""
        destination = data[: wire.ADDRESS_SIZE]
        return not destination[0] & _MULTICAST or destination == _BROADCAST or destination in self._addresses
