"""Which queue of a frontend a packet goes to, as the frontend has asked for.

Law: a `Steering` does not change; who changes how packets are steered replaces it. So whoever reads it, in whichever
thread, has a whole one: never a table of one size with the entries of another.

Ref: xen/include/public/io/netif.h, "Control messages"; Linux drivers/net/xen-netback/hash.c and interface.c
(xenvif_select_queue)
"""

from typing import NamedTuple

from pvdrivers.abi.netif import HashAlgorithm, HashType
from pvdrivers.net.frame import FlowHash
from pvdrivers.net.headers import Data, Headers
from pvdrivers.net.toeplitz import Toeplitz, flow_hash


class Steering(NamedTuple):
    """How packets are spread over a frontend's queues.

    :param queues: how many it has; 0 as long as it is not connected
    :param types: of packets that are hashed
    :param mapping: of hashes to queues, each less than ``queues``; if it is empty, all queues take turns
    """

    queues: int
    algorithm: HashAlgorithm = HashAlgorithm.NONE
    types: HashType = HashType(0)
    key: Toeplitz = Toeplitz()
    mapping: tuple[int, ...] = ()

    @property
    def wanted(self) -> bool:
        """Whether the frontend has asked for anything: else its backend is free to choose."""
        return self.algorithm is not HashAlgorithm.NONE and self.types != 0

    def hash(self, data: Data, headers: Headers | None) -> FlowHash | None:
        """Hash a packet, which is then told its hash; None if it is of no type that is hashed."""
        if headers is None or not self.wanted:
            return None
        return flow_hash(data, headers, self.types, self.key)

    def queue(self, hashed: FlowHash | None) -> int:
        """Choose the queue of a packet; as in Linux, what has no hash goes where 0 does."""
        value = 0 if hashed is None else hashed.value
        return self.mapping[value % len(self.mapping)] if self.mapping else value % self.queues
