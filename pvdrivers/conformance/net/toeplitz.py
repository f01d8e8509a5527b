"""The Toeplitz hash as the header's own text has it, bit by bit.

Ref: xen/include/public/io/netif.h, "Toeplitz hash"
"""

from pvdrivers.abi.wire import PORTS_SIZE
from pvdrivers.conformance.net.frames import Packet

#: Of Microsoft's "Verifying the RSS Hash Calculation": any other does as well.
KEY = bytes.fromhex("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa")


def toeplitz(key: bytes, buffer: bytes) -> int:
    """Hash a buffer; a key that is too short has zeros behind it."""
    bits = int.from_bytes(key.ljust(len(buffer) + 4, b"\0"), "big")
    width = 8 * max(len(key), len(buffer) + 4)
    value = 0
    for at in range(8 * len(buffer)):
        if buffer[at // 8] & 0x80 >> at % 8:
            value ^= bits >> (width - 32 - at) & 0xFFFFFFFF
    return value


def hash_of(packet: Packet, key: bytes = KEY) -> int:
    """Hash a packet of TCP: addresses, then ports."""
    size = 8 if packet.version == 4 else 32
    return toeplitz(key, packet.data[packet.start - size : packet.start + PORTS_SIZE])
