"""The Toeplitz hash of a packet's addresses and ports, by which its queue is chosen.

Ref: xen/include/public/io/netif.h, "Hash types" and "Hash algorithms"
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pvdrivers.abi import wire
from pvdrivers.abi.netif import HashType
from pvdrivers.abi.wire import IpProtocol
from pvdrivers.net.finish import addresses
from pvdrivers.net.frame import FlowHash
from pvdrivers.net.headers import Data, Headers

#: Bytes of a key: what the longest packet's 36 bytes come to, with the last one's 32 bits.
KEY_SIZE = 40
_HASHED_MAX = KEY_SIZE - 4
_BITS = 8 * KEY_SIZE

#: By IP's version: the type with TCP's ports, and that without.
_TYPES = {4: (HashType.IPV4_TCP, HashType.IPV4), 6: (HashType.IPV6_TCP, HashType.IPV6)}
ALL_TYPES = HashType.IPV4 | HashType.IPV4_TCP | HashType.IPV6 | HashType.IPV6_TCP


@dataclass(frozen=True)
class Toeplitz:
    """A key.

    :param key: of `KEY_SIZE` bytes at most; those that it lacks are zero, and of none all hashes are
    """

    key: bytes = b""

    def __post_init__(self) -> None:
        """Refuse a longer key."""
        if len(self.key) > KEY_SIZE:
            raise ValueError(f"a key of {len(self.key)} bytes, and it has {KEY_SIZE} at most")

    @cached_property
    def _tables(self) -> Sequence[Sequence[int]]:
        """What each value of each byte brings in. Made once a packet comes: a frontend may change its mind often."""
        key = int.from_bytes(self.key.ljust(KEY_SIZE, b"\0"), "big")
        tables = []
        for at in range(0, 8 * _HASHED_MAX, 8):
            table = [0] * 256
            for byte in range(1, 256):
                # Its lowest bit, which is of those already known, and where that is from the left.
                bit = at + 8 - (byte & -byte).bit_length()
                table[byte] = table[byte & (byte - 1)] ^ (key >> (_BITS - 32 - bit) & 0xFFFFFFFF)
            tables.append(table)
        return tables

    def hash(self, data: Data) -> int:
        """Hash up to 36 bytes to 32 bits."""
        value = 0
        for table, byte in zip(self._tables, data, strict=False):
            value ^= table[byte]
        return value


def flow_hash(data: Data, headers: Headers, types: HashType, key: Toeplitz) -> FlowHash | None:
    """Hash a packet.

    :param types: that are wanted; of those that a packet has, the one that takes in most
    :returns: None if it is of none of them
    """
    with_ports, without = _TYPES[headers.version]
    transport = headers.transport
    if types & with_ports and transport is not None and transport.protocol is IpProtocol.TCP:
        ports = data[transport.start : transport.start + wire.PORTS_SIZE]
        return FlowHash(with_ports, key.hash(b"".join((addresses(data, headers), ports))))
    if types & without:
        return FlowHash(without, key.hash(addresses(data, headers)))
    return None
